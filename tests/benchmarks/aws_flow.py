"""The whole order flow on MiniStack, in this process: messages a second and latency, beside a bare boto3 loop.

The functions are the real ones; what Lambda does between a queue and a function is done by a loop, for both alike.
"""

from collections.abc import Callable
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path

from shared.catalog import CATALOG
from tests.benchmarks.aws_bare_loop import BareLoop
from tests.benchmarks.aws_calls import counted
from tests.benchmarks.aws_emulator import fresh, running
from tests.benchmarks.aws_loop import Loop
from tests.benchmarks.aws_shop import Deployment, Functions
from tests.benchmarks.latencies import measured
from tests.benchmarks.measure import MILLISECONDS, Case, Scale, Table, check, interleave, seconds
from tests.benchmarks.samples import purchases
from tests.benchmarks.script import note

BARE, TREFOIL = "bare boto3 loop", "Trefoil"
SHARES = {1: 50, 10: 20}
"""Batch size -> which fraction of the orders a turn has; each takes some seconds."""
LATENCY_SHARE = 100
WARMING = 2
"""Orders before the first that is timed."""

NOTES = [
    "An emulator in one process on the same cores: the ratio says what Trefoil adds, the rest is the emulator's speed.",
    "Bare loop: the same calls in as many threads. No deduplication, state, retries, dead letters or logs.",
]


class Flow:
    """The services that an order goes through, and what they are compared with."""

    def __init__(self, folder: Path) -> None:
        self.script = note(CATALOG)
        self.messages = len(self.script)
        """Deliveries that one order causes: a plain order sends each message to each service once."""
        self.services = sorted({service for service, _ in self.script})
        self._folder = folder

    def trefoil(self, batch: int) -> Loop:
        return Functions(fresh(Deployment, self._folder), self.services, batch)

    def bare(self, batch: int) -> Loop:
        return BareLoop(fresh(Deployment, self._folder), self.services, batch, self.script)

    def speed(self, contender: Callable[[int], Loop], batch: int, orders: int) -> float:
        """Messages a second, all orders waiting at the start."""
        loop, expected = contender(batch), self.messages * orders
        loop.send(purchases(orders))
        took = seconds(loop.run)
        check("messages of the order flow", loop.handled, expected)
        return expected / took

    def latencies(self, contender: Callable[[int], Loop], orders: int) -> list[float]:
        """Milliseconds from sending to the last effect, one order at a time."""
        loop = contender(max(SHARES))
        found = [loop.latency(order) * MILLISECONDS for order in purchases(WARMING + orders)]
        check("messages of the order flow", loop.handled, self.messages * len(found))
        return found[WARMING:]

    def calls(self, contender: Callable[[int], Loop], batch: int, orders: int) -> dict[str, int]:
        """What was asked of DynamoDB and SNS, in a run that is not timed."""
        loop = contender(batch)
        loop.send(purchases(orders))
        calls = counted(loop.aws)
        loop.run()
        return dict(calls.made)


def measure(scale: Scale, folder: Path) -> list[Table]:
    """Start an emulator and measure."""
    with running(folder):
        return compare(scale, folder)


def compare(scale: Scale, folder: Path) -> list[Table]:
    """Speed at each size of batch, then latency; what functions log goes to a file."""
    flow, log = Flow(folder), folder / "log.jsonl"
    with log.open("a") as file, redirect_stdout(file):
        tables = [_speed(scale, flow, batch) for batch in SHARES]
        tables.append(_latency(scale, flow))
    log.unlink()
    return tables


def _speed(scale: Scale, flow: Flow, batch: int) -> Table:
    orders = max(scale.orders // SHARES[batch], 1)
    cases = [
        Case(BARE, partial(flow.speed, flow.bare, batch, orders)),
        Case(TREFOIL, partial(flow.speed, flow.trefoil, batch, orders)),
    ]
    rows = interleave(cases, scale.rounds)
    title = f"Order flow on MiniStack, batches of {batch}"
    return Table(title=title, unit="messages/s", rows=rows, against=[BARE], digits=0)


def _latency(scale: Scale, flow: Flow) -> Table:
    orders = max(scale.orders // LATENCY_SHARE, 2)
    contenders = {
        BARE: partial(flow.latencies, flow.bare, orders),
        TREFOIL: partial(flow.latencies, flow.trefoil, orders),
    }
    rows = measured(contenders, scale.rounds)
    title = "One order at a time on MiniStack: sent to last effect"
    return Table(title=title, unit="ms", rows=rows, against=[f"{BARE}, p50"], notes=NOTES)
