"""A message as the broker sees it, and the entry that a queue makes of it."""

from collections.abc import Mapping
from enum import IntEnum
from typing import Any
from uuid import UUID

import msgspec

DEAD_LETTER_REASON = "DeadLetterReason"
DEAD_LETTER_DESCRIPTION = "DeadLetterErrorDescription"


class Message(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a sender sent. Times are milliseconds."""

    content: Any = None
    """What only the protocol understands; the broker hands it on as it is."""
    size: int = 0
    message_id: Any = None
    correlation_id: Any = None
    to: str | None = None
    reply_to: str | None = None
    subject: str | None = None
    session_id: str | None = None
    reply_to_session_id: str | None = None
    content_type: str | None = None
    properties: Mapping[str, Any] = msgspec.field(default_factory=dict)
    """The sender's own, which filters may ask for."""
    time_to_live: int | None = None
    scheduled_for: int | None = None
    """When it is to be enqueued, since the epoch."""

    def with_properties(self, more: Mapping[str, Any]) -> "Message":
        """The same message with more properties, or other values of some."""
        return msgspec.structs.replace(self, properties={**self.properties, **more}) if more else self


class State(IntEnum):
    """Where an entry is; the numbers are those of `x-opt-message-state`."""

    ACTIVE = 0
    DEFERRED = 1
    SCHEDULED = 2


class Entry(msgspec.Struct, gc=False):
    """A message in a queue. It is locked while it has a token."""

    number: int
    """Its place in the queue's order: the sequence number."""
    message: Message
    enqueued_at: int
    first_number: int
    """The sequence number that it had in the first queue it came to."""
    state: State = State.ACTIVE
    failures: int = 0
    """How many deliveries came to nothing."""
    expires_at: int | None = None
    dead_letter_source: str = ""
    """The path of the queue in which it was dead-lettered."""
    token: UUID | None = None
    locked_until: int = 0

    @property
    def waits(self) -> bool:
        """Whether a receiver may have it."""
        return self.state is State.ACTIVE and self.token is None


class Journey(msgspec.Struct, frozen=True, gc=False):
    """What a message brings along from the queue that it comes from."""

    hops: int = 0
    """How many queues have forwarded it."""
    first_number: int = 0
    failures: int = 0
    dead_letter_source: str = ""


SENT = Journey()
"""It comes from a sender."""
