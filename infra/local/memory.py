"""In-memory store and broker, for tests and for trying a handler out; thread-safe, gone when the process ends."""

import itertools
from bisect import insort
from collections import defaultdict
from collections.abc import Iterator, Sequence
from threading import RLock

from msgspec import Struct, structs

from shared.kernel.catalog import Catalog
from shared.kernel.commit import Commit
from shared.kernel.errors import ConcurrencyConflict
from shared.kernel.outcome import DeadLetter, Defer, Failure, Outcome, Retry, deliveries_exhausted
from shared.kernel.ports import Clock, Delivery, Outgoing, Parked, Timer


class MemoryStore:
    """Commits in a dictionary."""

    def __init__(self) -> None:
        self._commits: dict[str, list[Commit]] = defaultdict(list)
        self._lock = RLock()

    def append(self, commit: Commit) -> None:
        """See Store."""
        with self._lock:
            commits = self._commits[commit.stream]
            if commit.version != len(commits) + 1:
                raise ConcurrencyConflict(f"version {commit.version} of '{commit.stream}' is taken")
            commits.append(commit)

    def read(self, stream: str, before: int | None = None) -> Iterator[Commit]:
        """See Store."""
        commits = self._commits.get(stream, [])
        last = len(commits) if before is None else before - 1
        return iter(commits[last - 1 :: -1] if last > 0 else ())

    def streams(self, service: str) -> Iterator[str]:
        """See Store."""
        with self._lock:
            names = [name for name in self._commits if name.startswith(f"{service}/")]
        return iter(names)

    def flush(self) -> None:
        """See Store."""


class Waiting(Struct, frozen=True):
    """A message in a channel."""

    due: float
    number: int
    body: bytes
    first: float
    attempts: int = 0
    addressed: bool = False
    leased_until: float = 0.0


class MemoryBroker:
    """Channels, timers and dead letters in dictionaries."""

    def __init__(self, catalog: Catalog, clock: Clock) -> None:
        self._catalog = catalog
        self._clock = clock
        self._channels: dict[str, list[Waiting]] = defaultdict(list)
        self._timers: dict[str, Timer] = {}
        self._parked: dict[str, dict[str, Parked]] = defaultdict(dict)
        self._numbers = itertools.count(1)
        self._lock = RLock()

    def publish(self, messages: Sequence[Outgoing]) -> set[str]:
        """See Bus."""
        with self._lock:
            for message in messages:
                targets = [message.to] if message.to else self._catalog.subscribers(message.type)
                for service in targets:
                    self._insert(service, message.body, addressed=message.to is not None)
        return set()

    def _insert(self, service: str, body: bytes, *, addressed: bool) -> None:
        now = self._clock.now()
        insort(self._channels[service], Waiting(now, next(self._numbers), body, now, addressed=addressed), key=_order)

    def lease(self, service: str, limit: int, seconds: float) -> list[Delivery]:
        """See Channels."""
        now = self._clock.now()
        with self._lock:
            free = [w for w in self._channels[service] if w.due <= now and w.leased_until <= now]
            return [d for w in free[:limit] if (d := self._take(service, w, now + seconds)) is not None]

    def _take(self, service: str, waiting: Waiting, until: float) -> Delivery | None:
        taken = structs.replace(waiting, attempts=waiting.attempts + 1, leased_until=until)
        if waiting.attempts >= self._catalog.service(service).limits.deliveries:
            self._channels[service].remove(waiting)
            self._park(service, waiting, deliveries_exhausted(waiting.attempts))
            return None
        self._replace(service, waiting, taken)
        return Delivery(taken.body, taken.attempts, taken.addressed, {}, taken)

    def _replace(self, service: str, old: Waiting, new: Waiting) -> None:
        channel = self._channels[service]
        channel.remove(old)
        insort(channel, new, key=_order)

    def settle(self, service: str, settlements: Sequence[tuple[Delivery, Outcome]]) -> None:
        """See Channels."""
        with self._lock:
            for delivery, outcome in settlements:
                if delivery.receipt in self._channels[service]:
                    self._settle(service, delivery.receipt, outcome)

    def _settle(self, service: str, taken: Waiting, outcome: Outcome) -> None:
        now = self._clock.now()
        if isinstance(outcome, Retry | Defer):
            attempts = taken.attempts - isinstance(outcome, Defer)
            back = structs.replace(taken, due=now + outcome.after, attempts=attempts, leased_until=0.0)
            self._replace(service, taken, back)
            return
        self._channels[service].remove(taken)
        if isinstance(outcome, DeadLetter):
            self._park(service, taken, outcome.failure)

    def _park(self, service: str, waiting: Waiting, failure: Failure) -> None:
        id_ = str(waiting.number)
        self._parked[service][id_] = Parked(
            id_, service, failure, waiting.attempts, waiting.first, self._clock.now(), waiting.body
        )

    def set(self, timers: Sequence[Timer]) -> None:
        """See Timers."""
        with self._lock:
            for timer in timers:
                self._timers.setdefault(timer.message.id, timer)

    def due(self, now: float, limit: int) -> list[Timer]:
        """See Timers."""
        with self._lock:
            due = sorted((t for t in self._timers.values() if t.due <= now), key=lambda t: t.due)
        return due[:limit]

    def remove(self, timers: Sequence[Timer]) -> None:
        """See Timers."""
        with self._lock:
            for timer in timers:
                self._timers.pop(timer.message.id, None)

    def parked(self, service: str) -> Iterator[Parked]:
        """See DeadLetters."""
        with self._lock:
            return iter(list(self._parked[service].values()))

    def replay(self, letter: Parked) -> None:
        """See DeadLetters."""
        with self._lock:
            if self._parked[letter.service].pop(letter.id, None):
                self._insert(letter.service, letter.body, addressed=True)

    def drop(self, letter: Parked) -> None:
        """See DeadLetters."""
        with self._lock:
            self._parked[letter.service].pop(letter.id, None)

    def waiting(self, service: str) -> list[bytes]:
        """The bodies in a channel, leased ones included."""
        with self._lock:
            return [w.body for w in self._channels[service]]

    def pending(self) -> list[Timer]:
        """Timers that are set, due or not."""
        with self._lock:
            return list(self._timers.values())


def _order(waiting: Waiting) -> tuple[float, int]:
    return waiting.due, waiting.number
