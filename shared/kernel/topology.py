"""The contract: the catalog as an AsyncAPI 3.0.0 document. Queues, filters, alarms and permissions follow from it.

Channels are keyed by the service's name; `x-trefoil` holds our limits, with the same keys for every service, so that
Terraform can say `for_each` over those whose `role` is `service`.
"""

import json
from collections.abc import Iterable
from typing import Any

from shared.kernel.catalog import Catalog
from shared.kernel.errors import ConfigurationError
from shared.kernel.message import Payload
from shared.kernel.service import Service
from shared.kernel.topology_filters import pubsub_filter
from shared.kernel.topology_limits import extension
from shared.kernel.topology_messages import components, everything, received, sent

VERSION = "0.1.0"
"""The project's version; a test compares it with pyproject.toml, which a cloud's zip does not hold."""

BUS = "bus"


def asyncapi(catalog: Catalog) -> dict[str, Any]:
    """Describe every channel, who sends and receives what on it, and each message.

    Raises ConfigurationError for a limit or a filter that a cloud can't keep, or a service called like the bus.
    """
    if BUS in catalog.services:
        raise ConfigurationError(f"a service can't be called '{BUS}': the channel that all share has that name")
    services = list(catalog.services.values())
    messages = everything(services)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Trefoil",
            "version": VERSION,
            "description": (
                "What the services say to one another, and what their channels need. Generated from the code by"
                " `trefoil topology`. Each message is published to the bus, whose filters copy it to the channels of"
                " the services that handle its type; on a cloud, a channel's address follows the deployment's name."
            ),
        },
        "defaultContentType": "application/json",
        "channels": {
            **{key: channel for service in services for key, channel in _channels(service, messages).items()},
            BUS: _channel(BUS, "The one topic that everything is published to.", messages, {"role": "bus"}),
        },
        "operations": {key: operation for service in services for key, operation in _operations(service).items()},
        "components": components(messages),
    }


def render(document: dict[str, Any]) -> str:
    """Write a document as it stands in `shared/asyncapi.json`: in its own order, for people and for diffs."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def dead_letter(service: str) -> str:
    """The channel of what a service could not handle; no service's name has a dash."""
    return f"{service}-dead"


def _channels(service: Service, everything: Iterable[type[Payload]]) -> dict[str, dict[str, Any]]:
    name, dead, messages = service.name, dead_letter(service.name), received(service)
    ours = {"role": "service", "service": name, **_routing(service, everything), **extension(service)}
    why = f"What {name} could not handle: the untouched message, with the reason beside it."
    return {
        name: _channel(name, f"What {name} handles.", messages, ours),
        dead: _channel(dead, why, messages, {"role": "dead-letter", "service": name}),
    }


def _routing(service: Service, everything: Iterable[type[Payload]]) -> dict[str, Any]:
    types = _types(received(service))
    return {
        "types": types,
        "pubsubFilter": pubsub_filter(service.name, types, _types(everything)),
        "deadLetter": dead_letter(service.name),
        # A timer comes back to the service that set it, so it is among what it emits and among what it handles.
        "timers": not service.emits.keys().isdisjoint(service.handles),
        "provider": service.provider.__name__ if service.provider else None,
    }


def _types(payloads: Iterable[type[Payload]]) -> list[str]:
    return [str(payload.message_type) for payload in payloads]


def _channel(address: str, summary: str, messages: Iterable[type[Payload]], ours: dict[str, Any]) -> dict[str, Any]:
    types = _types(messages)
    return {
        "address": address,
        "summary": summary,
        "messages": {type_: {"$ref": f"#/components/messages/{type_}"} for type_ in types},
        "x-trefoil": ours,
    }


def _operations(service: Service) -> dict[str, dict[str, Any]]:
    name, dead = service.name, dead_letter(service.name)
    operations = {f"{name}-receive": _operation("receive", name, f"{name} handles.", received(service))}
    if published := sent(service):
        operations[f"{name}-send"] = _operation("send", BUS, f"{name} publishes.", published)
    operations[f"{name}-dead-letter"] = _operation("send", dead, f"{name} gives up.", received(service))
    return operations


def _operation(action: str, channel: str, summary: str, messages: Iterable[type[Payload]]) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "summary": summary,
        "messages": [{"$ref": f"#/channels/{channel}/messages/{payload.message_type}"} for payload in messages],
    }
