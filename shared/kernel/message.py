"""Message types: the published language (Enterprise Integration Patterns, "Command Message" and "Event Message").

A payload is a frozen msgspec struct; `@command` or `@event` gives it the name it has on the wire.
"""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeVar

import msgspec
from msgspec import Struct

Kind = Literal["command", "event"]

_TYPE = re.compile(r"(?P<service>[a-z][a-z_]*)\.(?P<noun>[a-z][a-z-]*)\.v(?P<version>[1-9][0-9]{0,3})")


class MessageType(Struct, frozen=True):
    """What a payload class is called on the wire: `orders.order-placed.v1`."""

    service: str
    noun: str
    version: int
    kind: Kind
    private: bool = False
    """Stored, never published: it exists only for the emitting service's own state."""

    @property
    def name(self) -> str:
        """Service and noun without the version: `orders.order-placed`."""
        return f"{self.service}.{self.noun}"

    def __str__(self) -> str:
        return f"{self.name}.v{self.version}"


class Payload(Struct, frozen=True):
    """Base of all payloads. Decoding is validation; unknown fields are tolerated, so that a field can be added."""

    message_type: ClassVar[MessageType]
    upcast: ClassVar["Upcast | None"] = None
    """How to read the version before this one."""


class Upcast(Struct, frozen=True):
    """`convert` turns an `older` payload into the version it is attached to."""

    older: type[Payload]
    convert: Callable[[Any], Payload]


P = TypeVar("P", bound=Payload)
P_co = TypeVar("P_co", bound=Payload, covariant=True)


def split_type(text: str) -> tuple[str, int]:
    """`orders.order-placed.v1` -> (`orders.order-placed`, 1).

    Raises ValueError when the text is not a type.
    """
    found = _TYPE.fullmatch(text)
    if not found:
        raise ValueError(f"'{text[:80]}' is not a message type such as 'orders.order-placed.v1'")
    return text[: found.end("noun")], int(found["version"])


def _named(text: str, kind: Kind, upcast: Upcast | None, *, private: bool = False) -> Callable[[type[P]], type[P]]:
    name, version = split_type(text)
    service, _, noun = name.partition(".")

    def mark(payload: type[P]) -> type[P]:
        payload.message_type = MessageType(service, noun, version, kind, private)
        payload.upcast = upcast
        return payload

    return mark


def command(text: str, *, upcast: Upcast | None = None) -> Callable[[type[P]], type[P]]:
    """Mark a payload as a command: imperative, with exactly one handler."""
    return _named(text, "command", upcast)


def event(text: str, *, upcast: Upcast | None = None, private: bool = False) -> Callable[[type[P]], type[P]]:
    """Mark a payload as an event: past tense, with any number of handlers; a private one is only stored."""
    return _named(text, "event", upcast, private=private)


Instant = Annotated[datetime, msgspec.Meta(tz=True)]
"""RFC 3339 with an offset."""


PassedOn = Annotated[str, msgspec.Meta(max_length=256)]
"""Bounded, because every message of a flow repeats it."""


class Envelope(Struct, frozen=True, omit_defaults=True, kw_only=True, gc=False):
    """CloudEvents 1.0 attributes and our extensions, as they stand in structured JSON (JSON format 1.0.2)."""

    specversion: str
    id: str
    source: str
    type: str
    subject: str
    time: Instant
    datacontenttype: str = "application/json"
    dataschema: str | None = None
    correlationid: PassedOn | None = None
    causationid: PassedOn | None = None
    traceparent: PassedOn | None = None
    hops: int = 0
    sequence: str | None = None
    expirytime: Instant | None = None
    data: msgspec.Raw


class Message(Struct, Generic[P_co], frozen=True):
    """What a handler is given: the envelope, and the payload in its newest version."""

    envelope: Envelope
    data: P_co

    @property
    def id(self) -> str:
        """Unique within the source."""
        return self.envelope.id

    @property
    def subject(self) -> str:
        """What the message is about: an order's id, a sensor's name."""
        return self.envelope.subject

    @property
    def time(self) -> datetime:
        """When it was emitted; the same on every copy."""
        return self.envelope.time


class After(Struct, frozen=True):
    """A message for the emitting service itself, `delay` seconds from now: a timer."""

    delay: float
    data: Payload


class About(Struct, frozen=True):
    """A message about another subject than the one being handled."""

    subject: str
    data: "Payload | After"


Emission = Payload | After | About
"""What a handler may return."""
