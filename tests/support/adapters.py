"""What the contract suites run over: each adapter as one value, with what it declares it can't do.

Another adapter joins by one more `Adapter` in ADAPTERS. Tests that need what it lists under `cannot` are skipped, with
the reason that it gives.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any

from msgspec import Struct

from infra.local.broker import SqliteBroker
from infra.local.clock import SystemClock
from infra.local.database import Database
from infra.local.memory import MemoryBroker, MemoryStore
from infra.local.store import SqliteStore
from shared.kernel.outcome import Outcome
from shared.kernel.ports import Clock, Delivery, Outgoing, Parked, System
from tests.support.contract_catalog import CATALOG, STOCK
from tests.support.kernel_fakes import FakeClock


class Capability(StrEnum):
    """What a test may need of an adapter, beyond what every adapter can do."""

    CONTROLS_TIME = "controls_time"
    """A test's own clock decides when leases end and messages are due."""
    THREADS = "threads"
    """Several threads may use it at once."""
    SEVERAL_PROCESSES = "several_processes"
    """Another process can open the same data."""
    KEEPS_ORDER = "keeps_order"
    """What is due first is delivered first."""
    TELLS_LOST_LEASES = "tells_lost_leases"
    """A settlement under a lease that somebody else holds now has no effect."""
    EXACT_LISTING_OF_DEAD_LETTERS = "exact_listing_of_dead_letters"
    """`parked` yields every dead letter, not a sample."""
    REPLAYS_ONCE = "replays_once"
    """Replaying a letter that is gone has no effect."""
    ANY_BYTES = "any_bytes"
    """Bodies need not be text."""
    OPERATIONS = "operations"
    """It implements the port `Operations`."""


class Adapter(Struct, frozen=True):
    """A store with its broker: how it is opened, and the limits it declares."""

    name: str
    open: Callable[[Path, Clock], AbstractContextManager[System]]
    """Open the data at a place that one test, and its processes, have to themselves."""
    cannot: Mapping[Capability, str] = {}
    """What it can't do, and why."""
    moment: float = 60.0
    """Seconds: the shortest lease and delay that it keeps."""
    patience: float = 0.0
    """Seconds, by the wall clock, within which it hands over what is there."""
    examples: int = 40
    """How many examples a property is tried with."""


class Deployed:
    """An adapter opened for one test, and the waiting that it takes."""

    def __init__(self, adapter: Adapter, system: System, place: Path) -> None:
        self.adapter = adapter
        self.system = system
        self.place = place
        self.moment = adapter.moment

    @property
    def now(self) -> float:
        return self.system.clock.now()

    def wait(self, seconds: float) -> None:
        """Let time pass: at once where the test owns the clock."""
        self.system.clock.sleep(seconds)

    def let_leases_end(self) -> None:
        self.wait(self.moment)

    def publish(self, *messages: Outgoing) -> None:
        assert self.system.bus.publish(messages) == set()

    def take(self, count: int = 1, service: str = STOCK, seconds: float | None = None) -> list[Delivery]:
        """Lease until so many messages came, or until the adapter's patience ends."""
        lease, hidden_for = self.system.channels.lease, self.moment if seconds is None else seconds
        return self._gather(count, lambda missing: lease(service, missing, hidden_for))

    def settle(self, delivery: Delivery, outcome: Outcome, service: str = STOCK) -> None:
        self.system.channels.settle(service, [(delivery, outcome)])

    def letters(self, service: str = STOCK) -> list[Parked]:
        """The dead letters; where a listing is a sample, the first that came."""
        return self._gather(1, lambda _: list(self.system.dead_letters.parked(service)))

    def _gather(self, count: int, ask: Callable[[int], Sequence[Any]]) -> list[Any]:
        found: list[Any] = []
        end = time.monotonic() + self.adapter.patience
        while True:
            found += ask(count - len(found))
            if len(found) >= count or time.monotonic() >= end:
                return found
            time.sleep(0.05)


@contextmanager
def deploy(adapter: Adapter, place: Path, *, real_time: bool = False) -> Iterator[Deployed]:
    """Open an adapter: on a clock that the test owns, where it allows that and `real_time` is not asked for."""
    owns_time = not real_time and Capability.CONTROLS_TIME not in adapter.cannot
    with adapter.open(place, FakeClock() if owns_time else SystemClock()) as system:
        yield Deployed(adapter, system, place)


@contextmanager
def _memory(_: Path, clock: Clock) -> Iterator[System]:
    broker: Any = MemoryBroker(CATALOG, clock)
    yield System(MemoryStore(), broker, broker, broker, broker, broker, clock)


@contextmanager
def _sqlite(place: Path, clock: Clock) -> Iterator[System]:
    database = Database(place / "trefoil.db")
    try:
        broker = SqliteBroker(database, CATALOG, clock)
        yield System(SqliteStore(database), broker, broker, broker, broker, broker, clock)
    finally:
        database.close()


MEMORY = Adapter(
    "memory",
    _memory,
    {
        Capability.SEVERAL_PROCESSES: "it lives and ends with its process",
        Capability.OPERATIONS: "it has no operator: whoever holds it is a test",
    },
    examples=60,
)

SQLITE = Adapter(
    "sqlite", _sqlite, {Capability.THREADS: "a connection belongs to one worker, and workers are processes"}
)

ADAPTERS = (MEMORY, SQLITE)


def named(name: str) -> Adapter:
    """An adapter by its name, for a process that is told it as text."""
    return next(adapter for adapter in ADAPTERS if adapter.name == name)
