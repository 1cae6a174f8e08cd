"""Reads what `host.json` says to the host, with the defaults of Azure Functions 4 and the Service Bus extension 5."""

import os
import re
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from shared.kernel.errors import ConfigurationError

_DURATION = re.compile(r"(?:(\d+)\.)?(\d\d):(\d\d):(\d\d)")

_Count = Annotated[int, Meta(ge=1)]


def seconds(text: str) -> float:
    """A duration as .NET writes it, `[d.]hh:mm:ss`; raises ValueError for what is none."""
    if not (found := _DURATION.fullmatch(text)):
        raise ValueError(f"'{text}' is no duration of the form hh:mm:ss")
    days, hours, minutes, rest = (int(part or 0) for part in found.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + rest)


class ServiceBusOptions(Struct, frozen=True, rename="camel"):
    """`extensions.serviceBus`, as far as it is obeyed here."""

    auto_complete_messages: bool = True
    max_auto_lock_renewal_duration: str = "00:05:00"
    max_concurrent_calls: _Count = 16 * (os.cpu_count() or 1)
    """Only for functions that take one message a call."""
    max_message_batch_size: _Count = 1000
    min_message_batch_size: Annotated[int, Meta(ge=1, le=1)] = 1
    prefetch_count: Annotated[int, Meta(ge=0)] = 0

    def __post_init__(self) -> None:
        seconds(self.max_auto_lock_renewal_duration)

    @property
    def renewal_seconds(self) -> float:
        """How long the lock of a message that is handled alone is renewed."""
        return seconds(self.max_auto_lock_renewal_duration)


class _Extensions(Struct, frozen=True, rename="camel"):
    service_bus: ServiceBusOptions = ServiceBusOptions()


class HostJson(Struct, frozen=True, rename="camel"):
    """The file."""

    version: Annotated[str, Meta(pattern=r"^2\.0$")]
    function_timeout: str = "00:30:00"
    extensions: _Extensions = _Extensions()

    def __post_init__(self) -> None:
        _ = self.timeout

    @property
    def timeout(self) -> float | None:
        """Seconds that a function may take; None for as long as it wants."""
        return None if self.function_timeout == "-1" else seconds(self.function_timeout)


def read(app: Path) -> HostJson:
    """The `host.json` of an app; raises ConfigurationError that names what is wrong with it."""
    file = app / "host.json"
    try:
        return msgspec.json.decode(file.read_bytes(), type=HostJson)
    except OSError as error:
        raise ConfigurationError(f"{file} can't be read: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        raise ConfigurationError(f"{file}: {error}") from error
