"""The functions of an app, as the worker found them: what triggers each, with settings filled in."""

import json
import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from infra.emulators.azurefunctions.ncrontab import Schedule
from infra.emulators.azurefunctions.rpc import RpcFunctionMetadata
from shared.kernel.errors import ConfigurationError

_SETTING = re.compile(r"%([^%]+)%")


class Function(Struct, frozen=True):
    """A function, and the parameter that its trigger fills."""

    name: str
    id: str
    parameter: str


class Queue(Struct, frozen=True):
    """A Service Bus trigger: what it receives from, and how."""

    function: Function
    connection: str
    queue: str = ""
    topic: str = ""
    subscription: str = ""
    many: bool = False
    binary: bool = False

    @property
    def entity(self) -> str:
        """Its path."""
        return self.queue or f"{self.topic}/Subscriptions/{self.subscription}"


class Timer(Struct, frozen=True):
    """A timer trigger."""

    function: Function
    schedule: Schedule


def trigger(found: RpcFunctionMetadata, settings: Mapping[str, str]) -> Queue | Timer:
    """A function's trigger; raises ConfigurationError for what this host can't do, and for a missing setting."""
    bindings: list[dict[str, Any]] = [json.loads(each) for each in found.raw_bindings]
    kinds = [binding["type"] for binding in bindings]
    if found.retry_options is not None:
        raise ConfigurationError(f"function '{found.name}' has a retry policy, which this host does not obey")
    match bindings:
        case [{"type": "serviceBusTrigger"} as binding]:
            return _queue(_function(found, binding), binding, settings)
        case [{"type": "timerTrigger"} as binding]:
            schedule = _filled(binding["schedule"], settings)
            return Timer(_function(found, binding), Schedule(schedule))
        case _:
            raise ConfigurationError(
                f"function '{found.name}' has the bindings {', '.join(kinds)}; this host knows functions with one"
                " serviceBusTrigger or one timerTrigger, and nothing else"
            )


def _function(found: RpcFunctionMetadata, binding: Mapping[str, Any]) -> Function:
    return Function(found.name, found.function_id, binding["name"])


def _queue(function: Function, binding: Mapping[str, Any], settings: Mapping[str, str]) -> Queue:
    many, binary = (str(binding.get(name, "")).upper() for name in ("cardinality", "dataType"))
    if binding.get("isSessionsEnabled") or (many == "MANY" and binary != "BINARY"):
        raise ConfigurationError(
            f"function '{function.name}' wants sessions, or batches that are not of data type binary"
        )
    return Queue(
        function,
        _connection(binding["connection"], settings),
        queue=_filled(binding.get("queueName") or "", settings),
        topic=_filled(binding.get("topicName") or "", settings),
        subscription=_filled(binding.get("subscriptionName") or "", settings),
        many=many == "MANY",
        binary=binary == "BINARY",
    )


def _connection(name: str, settings: Mapping[str, str]) -> str:
    if found := settings.get(name) or settings.get(f"AzureWebJobs{name}"):
        return found
    raise ConfigurationError(f"{name} is not set: a connection string is needed here, an identity is of no use")


def _filled(text: str, settings: Mapping[str, str]) -> str:
    """Where a binding says `%NAME%`, the setting."""

    def fill(found: re.Match[str]) -> str:
        if found[1] not in settings:
            raise ConfigurationError(f"{found[1]} is not set, and a trigger names it")
        return settings[found[1]]

    return _SETTING.sub(fill, text)
