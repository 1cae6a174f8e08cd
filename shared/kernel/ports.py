"""What the kernel asks of the world. Every adapter passes the contract suite of the port it implements."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct

from shared.kernel.commit import Commit
from shared.kernel.outcome import Failure, Outcome


class Delivery(Struct, frozen=True):
    """One message as a channel handed it over."""

    body: bytes
    attempts: int = 1
    """Tries used, this one included."""
    addressed: bool = False
    """Sent to this service alone (a replay, a timer), not fanned out by the bus."""
    attributes: Mapping[str, str] = {}
    """Lower-case headers where the body is a binary-mode payload."""
    receipt: Any = None
    """The adapter's own handle."""


class Outgoing(Struct, frozen=True, gc=False):
    """One encoded message on its way to the bus, with the attributes that filters read."""

    id: str
    type: str
    subject: str
    body: bytes
    to: str | None = None
    """The one service it is for; None lets every subscriber have it."""


class Timer(Struct, frozen=True, gc=False):
    """A message to be published to one service when `due` (seconds since 1970) has come."""

    due: float
    message: Outgoing


class Parked(Struct, frozen=True):
    """A dead letter: the untouched original, and why it is here."""

    id: str
    """The adapter's name for it, unique within the service."""
    service: str
    failure: Failure
    attempts: int
    first: float
    last: float
    body: bytes
    attributes: Mapping[str, str] = {}


class Store(Protocol):
    """Keeps commits. Thread-safe where the receiver runs groups in parallel."""

    def append(self, commit: Commit) -> None:
        """Insert the commit if its (stream, version) does not exist: atomic, and linearizable per stream.

        Raises ConcurrencyConflict when it exists, StoreUnavailable when it is unknown whether it was inserted.
        """
        ...

    def read(self, stream: str, before: int | None = None) -> Iterator[Commit]:
        """Yield commits newest first, from below version `before`; sees every append confirmed before it began."""
        ...

    def streams(self, service: str) -> Iterator[str]:
        """Yield the names of a service's streams, in no particular order; those begun meanwhile may be missing."""
        ...

    def flush(self) -> None:
        """Return when every append so far would survive a crash; nothing to do where `append` waits for that."""
        ...


class Bus(Protocol):
    """Publishes to every subscriber's channel, or to one."""

    def publish(self, messages: Sequence[Outgoing]) -> set[str]:
        """Hand messages over, at least once each; return the ids that were not confirmed.

        Raises a TransientError, such as PublishFailed, when none was confirmed.
        """
        ...


class Timers(Protocol):
    """An index of messages by the time they are due."""

    def set(self, timers: Sequence[Timer]) -> None:
        """Remember timers; one that is set already stays as it is. Raises a TransientError when none was set."""
        ...

    def due(self, now: float, limit: int) -> list[Timer]:
        """The earliest timers that are due, at most `limit`."""
        ...

    def remove(self, timers: Sequence[Timer]) -> None:
        """Forget timers, after their messages were published."""
        ...


class Channels(Protocol):
    """Where services' messages wait: leased to one worker at a time, then settled."""

    def lease(self, service: str, limit: int, seconds: float) -> list[Delivery]:
        """Take up to `limit` waiting messages; they are hidden for `seconds`, and come back unless settled."""
        ...

    def settle(self, service: str, settlements: Sequence[tuple[Delivery, Outcome]]) -> None:
        """Carry outcomes out. One whose lease was lost is left to whoever holds it now."""
        ...


class DeadLetters(Protocol):
    """What could not be handled, kept with its reason until a person decides."""

    def parked(self, service: str) -> Iterator[Parked]:
        """Yield a service's dead letters, oldest first; a cloud may give a sample only."""
        ...

    def replay(self, letter: Parked) -> None:
        """Send the original to its service again, with all its tries, then remove the letter."""
        ...

    def drop(self, letter: Parked) -> None:
        """Remove it for good."""
        ...


class Depth(Struct, frozen=True):
    """How full a service's channel is; None where a cloud does not tell, or does not tell apart from `waiting`."""

    waiting: int | None
    leased: int | None
    dead: int | None
    paused: bool = False

    @property
    def told(self) -> bool:
        """Whether it is known how many are in the channel."""
        return self.waiting is not None

    @property
    def held(self) -> int:
        """How many are in the channel, waiting or leased; what a cloud does not tell counts as none."""
        return (self.waiting or 0) + (self.leased or 0)


class Operations(Protocol):
    """What an operator asks of channels."""

    def depth(self, service: str) -> Depth:
        """How many messages wait, are being handled, and are dead."""
        ...

    def pause(self, service: str) -> None:
        """Deliver nothing more to a service; its messages wait."""
        ...

    def resume(self, service: str) -> None:
        """Deliver again."""
        ...

    def waiting(self, service: str) -> Iterator[bytes]:
        """Yield the bodies of what waits or is being handled, timers included; a cloud may not be able to."""
        ...

    def timers(self) -> int:
        """How many timers are set, due or not."""
        ...


class Clock(Protocol):
    """Time, so that a test can own it."""

    def now(self) -> float:
        """Seconds since 1970."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class System(Struct, frozen=True):
    """Everything a command or an entry point needs of one deployment; made by an adapter's `wiring`."""

    store: Store
    bus: Bus
    channels: Channels
    timers: Timers
    dead_letters: DeadLetters
    operations: Operations
    clock: Clock
