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

from msgspec import Struct, structs

from infra.clock import SystemClock
from infra.local.broker import SqliteBroker
from infra.local.database import Database
from infra.local.memory import MemoryBroker, MemoryStore
from infra.local.store import SqliteStore
from shared.kernel.outcome import Outcome
from shared.kernel.ports import Clock, Delivery, Outgoing, Parked, System
from tests.support.aws import opened, provision
from tests.support.azure import opened as opened_on_azure
from tests.support.azure import provision as provision_on_azure
from tests.support.contract_catalog import CATALOG, STOCK
from tests.support.gcp import opened as opened_at_google
from tests.support.gcp import provision as provision_at_google
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
    TELLS_RETRIES_FROM_LEASES = "tells_retries_from_leases"
    """A message that is to come again later counts as waiting."""
    PAUSES_LEASES = "pauses_leases"
    """A pause holds for whoever leases."""
    TELLS_DEPTH = "tells_depth"
    """`depth` counts messages."""
    SHOWS_WHAT_WAITS = "shows_what_waits"
    """`waiting` yields what is in the channel, not only timers."""


class Adapter(Struct, frozen=True):
    """A store with its broker: how it is opened, and the limits it declares."""

    name: str
    open: Callable[[Path, Clock], AbstractContextManager[System]]
    """Open the data at a place that one test, and its processes, have to themselves."""
    cannot: Mapping[Capability, str] = {}
    """What it can't do, and why."""
    moment: float = 60.0
    """Seconds: the shortest lease and delay that it keeps."""
    lag: float = 0.0
    """Seconds that it takes to notice that something is due."""
    patience: float = 0.0
    """Seconds, by the wall clock, after which nothing more comes if nothing came."""
    examples: int = 40
    """How many examples a property is tried with."""
    emulator: str | None = None
    """The fixture that starts what it needs."""


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

    def wait_out(self, seconds: float) -> None:
        """Let time pass, and let the adapter notice."""
        self.wait(seconds + self.adapter.lag)

    def let_leases_end(self) -> None:
        self.wait_out(self.moment)

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
        while len(found) < count:
            if more := ask(count - len(found)):
                found += more
                end = time.monotonic() + self.adapter.patience
            elif time.monotonic() >= end:
                break
            else:
                time.sleep(0.05)
        return found


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


@contextmanager
def _aws(place: Path, clock: Clock) -> Iterator[System]:
    aws = opened(place)
    provision(aws, CATALOG)
    yield aws.system


@contextmanager
def _localstack(place: Path, clock: Clock) -> Iterator[System]:
    aws = opened(place)
    provision(aws, CATALOG, tables=False)
    memory = MemoryBroker(CATALOG, clock)
    yield structs.replace(aws.system, store=MemoryStore(), timers=memory)


@contextmanager
def _gcp(place: Path, clock: Clock) -> Iterator[System]:
    gcp = opened_at_google(place)
    provision_at_google(gcp, CATALOG)
    yield gcp.system


@contextmanager
def _azure(place: Path, clock: Clock) -> Iterator[System]:
    with opened_on_azure(place) as azure:
        provision_on_azure(azure, CATALOG)
        yield azure.system


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

_QUEUE = {
    Capability.CONTROLS_TIME: "SQS goes by its own clock, in whole seconds",
    Capability.KEEPS_ORDER: "a standard queue keeps no order",
    Capability.TELLS_LOST_LEASES: "SQS takes an old receipt handle for a new one",
    Capability.EXACT_LISTING_OF_DEAD_LETTERS: "reading a queue is a sample",
    Capability.REPLAYS_ONCE: "SQS does not say whether the letter was there; the receiver knows the message by its id",
    Capability.ANY_BYTES: "SQS carries text",
    Capability.TELLS_RETRIES_FROM_LEASES: "SQS hides what is leased and what is to come again in the same way",
    Capability.PAUSES_LEASES: "the function's event source mapping is paused, not the queue",
    Capability.SHOWS_WHAT_WAITS: "SQS shows nobody what waits",
}

AWS = Adapter("aws", _aws, _QUEUE, moment=1.0, patience=0.3, examples=10, emulator="ministack")

LOCALSTACK = Adapter(
    "localstack",
    _localstack,
    {
        **_QUEUE,
        Capability.SEVERAL_PROCESSES: "its store is memory: LocalStack is asked for SNS and SQS only",
        Capability.OPERATIONS: "they take Lambda, which LocalStack runs in Docker only",
    },
    moment=1.0,
    lag=1.5,  # it looks once a second
    patience=0.3,
    examples=10,
    emulator="localstack",
)

GCP = Adapter(
    "gcp",
    _gcp,
    {
        Capability.CONTROLS_TIME: "Pub/Sub goes by its own clock, in whole seconds",
        Capability.KEEPS_ORDER: "a subscription keeps no order",
        Capability.TELLS_LOST_LEASES: "Pub/Sub takes an old acknowledgement for a new one",
        Capability.EXACT_LISTING_OF_DEAD_LETTERS: "reading a subscription is a sample",
        Capability.REPLAYS_ONCE: "Pub/Sub does not say whether the letter was there; the receiver knows the message",
        Capability.TELLS_RETRIES_FROM_LEASES: "Pub/Sub tells no depth",
        Capability.PAUSES_LEASES: "a pause takes pushes away, not messages",
        Capability.TELLS_DEPTH: "Pub/Sub tells counts to its monitoring only",
        Capability.SHOWS_WHAT_WAITS: "Pub/Sub shows nobody what waits",
    },
    moment=1.0,
    lag=1.0,
    patience=0.3,
    examples=10,
    emulator="google",
)

AZURE = Adapter(
    "azure",
    _azure,
    {
        Capability.CONTROLS_TIME: "Service Bus goes by its own clock, and a queue's locks all last as long",
        Capability.KEEPS_ORDER: "a retry and a deferral are copies, which queue up again",
        Capability.TELLS_LOST_LEASES: "what is sent is sent before Service Bus says that the lock was lost",
        Capability.REPLAYS_ONCE: "a letter is sent again before it is looked for; the receiver knows the message",
        Capability.TELLS_RETRIES_FROM_LEASES: "Service Bus counts what is locked among what waits",
        Capability.PAUSES_LEASES: "a receiver that is there already is told that the queue delivers nothing",
        Capability.TELLS_DEPTH: "Service Bus counts what is locked among what waits",
    },
    moment=2.0,
    lag=0.5,
    patience=0.3,
    examples=10,
    emulator="azure",
)

ADAPTERS = (MEMORY, SQLITE, AWS, LOCALSTACK, GCP, AZURE)


def named(name: str) -> Adapter:
    """An adapter by its name, for a process that is told it as text."""
    return next(adapter for adapter in ADAPTERS if adapter.name == name)
