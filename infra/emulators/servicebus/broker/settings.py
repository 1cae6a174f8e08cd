"""What an entity is made with. Times are milliseconds, sizes bytes; None stands for no limit."""

from collections.abc import Callable
from enum import StrEnum

import msgspec

from infra.emulators.servicebus.broker.message import Message

MESSAGE_BYTES = 256 * 1024
"""The most that a message or a batch may have, on the standard tier."""

MEGABYTE = 1024 * 1024

Filter = Callable[[Message], bool]


class Status(StrEnum):
    """Whether a queue takes messages, and whether it delivers."""

    ACTIVE = "Active"
    DISABLED = "Disabled"
    RECEIVE_DISABLED = "ReceiveDisabled"
    SEND_DISABLED = "SendDisabled"

    @property
    def delivers(self) -> bool:
        return self in (Status.ACTIVE, Status.SEND_DISABLED)

    @property
    def takes(self) -> bool:
        return self in (Status.ACTIVE, Status.RECEIVE_DISABLED)


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """Which messages a subscription takes."""

    name: str
    matches: Filter
    sql: str = ""
    """The expression that it was made from, if it was one."""


class QueueSettings(msgspec.Struct, frozen=True, kw_only=True):
    """A queue, or what a subscription is besides its rules."""

    name: str
    lock_duration: int = 60_000
    max_delivery_count: int = 10
    time_to_live: int | None = None
    dead_letters_expired: bool = False
    requires_session: bool = False
    duplicate_window: int = 0
    """How long a message id is remembered; 0 where duplicates are let through."""
    forward_to: str = ""
    forward_dead_letters_to: str = ""
    max_bytes: int = 1024 * MEGABYTE
    max_message_bytes: int = MESSAGE_BYTES
    keeps_all: bool = False
    """Whether messages stay whatever their age, and however often a delivery fails, as in dead-letter queues."""


class SubscriptionSettings(QueueSettings, frozen=True, kw_only=True):
    """A subscription takes a message that one of its rules matches."""

    rules: tuple[Rule, ...]


class TopicSettings(msgspec.Struct, frozen=True, kw_only=True):
    """A topic and its subscriptions."""

    name: str
    time_to_live: int | None = None
    duplicate_window: int = 0
    max_bytes: int = 1024 * MEGABYTE
    max_message_bytes: int = MESSAGE_BYTES
    subscriptions: tuple[SubscriptionSettings, ...] = ()


class NamespaceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one emulator serves."""

    queues: tuple[QueueSettings, ...] = ()
    topics: tuple[TopicSettings, ...] = ()
