"""The port by which a broker outlives its process, and the store that keeps nothing."""

from collections.abc import Iterable
from typing import Protocol

import msgspec

from infra.emulators.servicebus.broker.message import Entry


class Kept(msgspec.Struct, kw_only=True):
    """What a store has of one entity. Locks are not kept: whoever held one is gone with the process."""

    last_number: int = 0
    entries: list[Entry] = msgspec.field(default_factory=list)
    """In the order of their numbers."""
    sessions: dict[str, tuple[bytes, int]] = msgspec.field(default_factory=dict)
    """State of each session, and when it was set."""
    message_ids: dict[str, int] = msgspec.field(default_factory=dict)
    """Until when each is remembered, in the order in which they came."""


class Store(Protocol):
    """Entities by path. Nothing counts before `commit`, which is atomic; the broker commits before it answers."""

    def load(self, path: str) -> Kept:
        """What was committed of an entity."""

    def save(self, path: str, entry: Entry) -> None:
        """Keep an entry, or its new version."""

    def remove(self, path: str, number: int) -> None:
        """Forget an entry."""

    def save_number(self, path: str, last: int) -> None:
        """Keep the last sequence number that was given."""

    def save_session(self, path: str, session: str, state: bytes | None, time: int) -> None:
        """Keep the state of a session; None forgets it."""

    def save_message_id(self, path: str, message_id: str, until: int) -> None:
        """Keep a message id against duplicates."""

    def forget_message_ids(self, path: str, message_ids: Iterable[str]) -> None:
        """Forget message ids whose time is over."""

    def forget(self, path: str) -> None:
        """Forget an entity, its last number too."""

    def commit(self) -> None:
        """Make everything since the last commit last."""


class NoStore:
    """Keeps nothing."""

    def load(self, path: str) -> Kept:  # noqa: ARG002 - the port's
        return Kept()

    def save(self, path: str, entry: Entry) -> None:
        pass

    def remove(self, path: str, number: int) -> None:
        pass

    def save_number(self, path: str, last: int) -> None:
        pass

    def save_session(self, path: str, session: str, state: bytes | None, time: int) -> None:
        pass

    def save_message_id(self, path: str, message_id: str, until: int) -> None:
        pass

    def forget_message_ids(self, path: str, message_ids: Iterable[str]) -> None:
        pass

    def forget(self, path: str) -> None:
        pass

    def commit(self) -> None:
        pass
