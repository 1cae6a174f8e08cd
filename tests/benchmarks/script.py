"""What each service answers to each message of a plain order, noted once: loops that don't think play it back."""

import random
from datetime import UTC, datetime

from msgspec import Raw, Struct

from infra.clock import SystemClock
from infra.local.memory import MemoryBroker, MemoryStore
from shared.kernel.catalog import Catalog
from shared.kernel.codec import read_own
from shared.kernel.commit import Commit, Snapshot
from shared.kernel.message import Envelope
from shared.kernel.receiver import Receiver
from shared.kernel.telemetry import Counters
from tests.benchmarks.providers import PROVIDERS
from tests.benchmarks.samples import purchases


class Step(Struct, frozen=True):
    """One message of an answer."""

    type: str
    data: Raw
    delay: float | None
    private: bool

    def envelope(self, cause: Envelope, stream: str, version: int, index: int, now: float) -> Envelope:
        """The message again, as the answer to another cause."""
        return Envelope(
            specversion="1.0",
            id=f"{stream}:{version}:{index}",
            source=f"/{stream.partition('/')[0]}",
            type=self.type,
            subject=cause.subject,
            time=datetime.fromtimestamp(now, UTC),
            correlationid=cause.correlationid or cause.id,
            causationid=cause.id,
            hops=cause.hops + 1,
            sequence=f"{version:010}.{index:04}",
            data=self.data,
        )


class Answer(Struct, frozen=True):
    """What one message gives rise to, and the snapshot that its commit carries."""

    steps: list[Step]
    snapshot: Snapshot | None


Script = dict[tuple[str, str], Answer]
"""By service and incoming type."""


def note(catalog: Catalog) -> Script:
    """Run one order through the real services in memory."""
    clock, store = SystemClock(), MemoryStore()
    broker = MemoryBroker(catalog, clock)
    receivers = {
        name: Receiver(
            service,
            store=store,
            bus=broker,
            timers=broker,
            clock=clock,
            random=random.random,
            telemetry=Counters(),
            provider=PROVIDERS.get(name),
        )
        for name, service in catalog.services.items()
    }
    broker.publish(purchases(1))
    while sum([_visit(name, receiver, broker) for name, receiver in receivers.items()]):
        pass
    return {
        (name, handled.type): _answer(commit, index)
        for name in receivers
        for stream in store.streams(name)
        for commit in store.read(stream)
        for index, handled in enumerate(commit.handled)
    }


def _visit(name: str, receiver: Receiver, broker: MemoryBroker) -> int:
    leased = broker.lease(name, 1, 60.0)
    if leased:
        receiver.receive(leased, lambda settled: broker.settle(name, settled))
    return len(leased)


def _answer(commit: Commit, index: int) -> Answer:
    steps = []
    for message in commit.messages:
        if message.cause == index:
            envelope = read_own(message.body)
            delay = None if message.due is None else message.due - commit.time
            # A copy, so that the answer does not hold on to the whole envelope.
            steps.append(Step(envelope.type, Raw(bytes(envelope.data)), delay, message.private))
    return Answer(steps, commit.snapshot)
