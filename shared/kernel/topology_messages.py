"""The published language as AsyncAPI components: messages, their payloads' schemas, the envelope they share."""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from shared.kernel.codec import CONTENT_TYPE, SUBJECT
from shared.kernel.message import Envelope, Payload
from shared.kernel.service import Service

TRAIT = "cloudevents"


def received(service: Service) -> list[type[Payload]]:
    """What a service's filter must let through: the types it handles, in every version it can read, in order."""
    return _published(version for payload in service.handles for version in _versions(payload))


def sent(service: Service) -> list[type[Payload]]:
    """What a service publishes, commands to others and its own timers included, in order."""
    return _published(service.emits)


def everything(services: Iterable[Service]) -> list[type[Payload]]:
    """What travels between services, or comes to them from outside, in order."""
    return _published(payload for service in services for payload in (*received(service), *sent(service)))


def _published(payloads: Iterable[type[Payload]]) -> list[type[Payload]]:
    # In order of type, so that moving a line in a service's table changes no filter.
    public = {str(payload.message_type): payload for payload in payloads if not payload.message_type.private}
    return [public[type_] for type_ in sorted(public)]


def _versions(payload: type[Payload]) -> Iterator[type[Payload]]:
    yield payload
    while upcast := payload.upcast:
        payload = upcast.older
        yield payload


def components(payloads: list[type[Payload]]) -> dict[str, Any]:
    """The document's `components`: each message by its type, each schema by its class, one trait for the envelope."""
    references, schemas = msgspec.json.schema_components(payloads, ref_template="#/components/schemas/{name}")
    return {
        "messages": {
            str(payload.message_type): _message(payload, reference)
            for payload, reference in zip(payloads, references, strict=True)
        },
        "messageTraits": {TRAIT: _trait()},
        "schemas": dict(sorted(schemas.items())),
    }


def _message(payload: type[Payload], reference: dict[str, Any]) -> dict[str, Any]:
    named = payload.message_type
    return {
        "name": str(named),
        "title": named.noun.replace("-", " ").capitalize(),
        "summary": (payload.__doc__ or "").strip().partition("\n")[0],
        "contentType": "application/json",
        "traits": [{"$ref": f"#/components/messageTraits/{TRAIT}"}],
        "payload": reference,
        "x-trefoil": {"kind": named.kind},
    }


def _trait() -> dict[str, Any]:
    return {
        "description": (
            "CloudEvents 1.0 attributes. They travel with the payload, which is then called `data`, in one JSON object"
            f" ({CONTENT_TYPE}); binary mode, where they are headers, is understood, too."
        ),
        "headers": _attributes(),
        "correlationId": {
            "description": "The id of the message that began the whole flow",
            "location": "$message.header#/correlationid",
        },
    }


def _attributes() -> dict[str, Any]:
    schema = msgspec.json.schema_components((Envelope,))[1][Envelope.__name__]
    known = {name: attribute for name, attribute in schema["properties"].items() if name != "data"}
    stricter = {
        "specversion": {"const": "1.0"},
        "subject": {"type": "string", "pattern": f"^{SUBJECT.pattern}$"},
    }
    return {
        "type": "object",
        "properties": {**known, **stricter},
        "required": [name for name in schema["required"] if name != "data"],
    }
