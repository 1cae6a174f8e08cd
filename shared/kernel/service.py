"""A service: a bounded context with one channel, its streams and its handlers, stated as two tables."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec import Struct

from shared.kernel.backoff import Backoff
from shared.kernel.errors import ConfigurationError, RuleViolation
from shared.kernel.message import Emission, Message, Payload
from shared.kernel.vocabulary import Vocabulary

CRASHES = 10
"""Deliveries above a service's tries; only a process that dies uses them up."""

Handler = Callable[..., Iterable[Emission]]
"""`(state, message) -> messages`, or `(state, message, provider) -> messages` in a service that has a provider."""

Fold = Callable[[Any, Any], Any]
"""`(state, payload) -> state`: what an emitted message means for the service's own state."""

_KEY = re.compile(r"[A-Za-z0-9._~-]{1,96}")
_NAME = re.compile(r"[a-z][a-z_]{0,19}")


class Limits(Struct, frozen=True):
    """What the platform is told about a service."""

    handler_seconds: float = 10.0
    """How long one message may take; channels hide a message for a multiple of it."""
    tries: int = 5
    """Attempts before the receiver dead-letters; crashes are caught ten deliveries later by the broker."""
    backoff: Backoff = Backoff()
    concurrency: int = 10
    """How many batches may be handled at once."""
    batch: int = 10
    """Messages a delivery."""
    memory: int = 256
    """How many handled ids a stream's snapshot remembers; older ones are looked up in older commits."""

    @property
    def deliveries(self) -> int:
        """When the broker itself gives up on a message that kills whoever handles it."""
        return self.tries + CRASHES


def by_subject(message: Message[Any]) -> str:
    """The usual key: one stream a subject."""
    return message.subject


class Service(Struct, frozen=True, kw_only=True):
    """One service. `handles` maps what it receives to handlers, `emits` what it sends to folds (None: no change).

    State is the fold of what the service itself emitted in one stream, so it needs no table of its own.
    """

    name: str
    state: type[Any]
    handles: Mapping[type[Payload], Handler]
    emits: Mapping[type[Payload], Fold | None]
    key: Callable[[Message[Any]], str] = by_subject
    provider: type[Any] | None = None
    """The protocol of the outside system that handlers are given as a third argument."""
    at_most_once: bool = False
    """The provider has no idempotency key: claim first, and never call twice for one message."""
    limits: Limits = Limits()

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ConfigurationError(f"service name '{self.name}' is not 1 to 20 characters of a-z and _")
        if self.at_most_once and self.provider is None:
            raise ConfigurationError(f"service '{self.name}' is at_most_once but names no provider")
        for handler in self.handles.values():
            if not hasattr(handler, "__name__"):
                raise ConfigurationError(
                    f"service '{self.name}' has a handler without a name, {handler!r}; use a function"
                )
        self.incoming()
        self.outgoing()
        for payload in self.emits:
            named = payload.message_type
            if named.kind == "event" and named.service != self.name:
                raise ConfigurationError(f"service '{self.name}' emits the event {named}, which is another's to tell")

    @property
    def source(self) -> str:
        """The CloudEvents `source` of what it emits."""
        return f"/{self.name}"

    def stream(self, message: Message[Any]) -> str:
        """The stream that a message belongs to: `service/key`.

        Raises RuleViolation when the key is not 1 to 96 characters of A-Z a-z 0-9 . _ ~ - (ids must fit every broker).
        """
        if self.key is by_subject:
            return f"{self.name}/{message.envelope.subject}"
        key = self.key(message)
        if not _KEY.fullmatch(key):
            # Not quoted: a key may be made of the payload.
            raise RuleViolation(f"the key has {len(key)} characters; it needs 1 to 96 of A-Z a-z 0-9 . _ ~ -")
        return f"{self.name}/{key}"

    def incoming(self) -> Vocabulary:
        """What it can read from its channel."""
        return Vocabulary(self.handles)

    def outgoing(self) -> Vocabulary:
        """What it can read from its own streams."""
        return Vocabulary(self.emits)
