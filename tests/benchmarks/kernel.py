"""The kernel's own time: payments in memory with everything on, beside a hand-written loop and powertools."""

import os
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

from infra.clock import SystemClock
from infra.local.memory import MemoryStore
from shared.kernel.outcome import DONE, Outcome
from shared.kernel.ports import Delivery, Outgoing, Timer
from shared.kernel.receiver import Receiver
from shared.kernel.telemetry import JsonLines
from shared.payments.handlers import SERVICE
from tests.benchmarks.hand_loop import HandLoop
from tests.benchmarks.measure import MICROSECONDS, Case, Scale, Table, batches, check, interleave, seconds
from tests.benchmarks.providers import InstantGateway
from tests.benchmarks.samples import captures
from tests.benchmarks.sdk_stand_in import stand_in_for_boto3

BATCHES = (10, 100)
HAND, TREFOIL, POWERTOOLS = "hand-written loop", "Trefoil", "powertools"

LEGEND = [
    "Payments: CapturePayment -> PaymentCaptured; each record is a stream of its own and has a log line.",
    "Hand-written loop: decode, look for a duplicate, handle, encode, log; right as long as nothing fails.",
    "powertools: batch processor, pydantic parser, idempotency in a dictionary, logger.",
]


class Nowhere:
    """A bus and timers that confirm everything and deliver nothing."""

    def __init__(self) -> None:
        self.published = 0

    def publish(self, messages: Sequence[Outgoing]) -> set[str]:
        self.published += len(messages)
        return set()

    def set(self, timers: Sequence[Timer]) -> None:
        raise NotImplementedError

    def due(self, now: float, limit: int) -> list[Timer]:
        raise NotImplementedError

    def remove(self, timers: Sequence[Timer]) -> None:
        raise NotImplementedError


class Done:
    """Counts what was settled as done."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, settled: Sequence[tuple[Delivery, Outcome]]) -> None:
        self.count += sum(outcome is DONE for _, outcome in settled)


def measure(scale: Scale, folder: Path) -> list[Table]:
    """One table a batch size."""
    bodies = captures(scale.records)
    return [_table(scale, bodies, batch) for batch in BATCHES]


def _table(scale: Scale, bodies: list[bytes], batch: int) -> Table:
    cases = [Case(HAND, partial(_hand, bodies, batch)), Case(TREFOIL, partial(_trefoil, bodies, batch))]
    notes = list(LEGEND) if batch == max(BATCHES) else []
    if find_spec("aws_lambda_powertools"):
        cases.append(Case(POWERTOOLS, partial(_powertools, bodies, batch)))
    else:
        notes.append("aws-lambda-powertools is not installed; `make bench` brings it.")
    rows = interleave(cases, scale.rounds)
    return Table(
        title=f"Kernel, in memory, batches of {batch}", unit="µs/record", rows=rows, against=[HAND], notes=notes
    )


@contextmanager
def _null() -> Iterator[IO[bytes]]:
    with Path(os.devnull).open("wb") as sink:
        yield sink


def _hand(bodies: list[bytes], batch: int) -> float:
    with _null() as log:
        loop = HandLoop(InstantGateway(), log)
        prepared = list(batches(bodies, batch))
        took = seconds(lambda: loop.run(prepared))
    check("published by hand", loop.published, len(bodies))
    return took / len(bodies) * MICROSECONDS


def _trefoil(bodies: list[bytes], batch: int) -> float:
    bus, done = Nowhere(), Done()
    with _null() as log:
        receiver = Receiver(
            SERVICE,
            store=MemoryStore(),
            bus=bus,
            timers=bus,
            clock=SystemClock(),
            random=random.random,
            telemetry=JsonLines(log),
            provider=InstantGateway(),
        )
        prepared = list(batches([Delivery(body) for body in bodies], batch))
        took = seconds(lambda: _receive(receiver, prepared, done))
    check("done by Trefoil", done.count, len(bodies))
    check("published by Trefoil", bus.published, len(bodies))
    return took / len(bodies) * MICROSECONDS


def _receive(receiver: Receiver, prepared: list[Any], done: Done) -> None:
    for deliveries in prepared:
        receiver.receive(deliveries, done)


def _powertools(bodies: list[bytes], batch: int) -> float:
    stand_in_for_boto3()
    from tests.benchmarks.powertools import Powertools, event  # noqa: PLC0415 - installed by `make bench` only

    function = Powertools(InstantGateway())
    prepared = [event(part) for part in batches(bodies, batch)]
    took = seconds(lambda: function.run(prepared))
    check("published by powertools", function.published, len(bodies))
    check("remembered by powertools", len(function.store.records), len(bodies))
    return took / len(bodies) * MICROSECONDS
