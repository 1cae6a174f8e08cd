"""The whole order flow on Azure's emulators, in this process: messages a second and latency, beside a bare loop.

The functions are the real ones; what the Functions host does between a queue and a function is done by a loop, for all
contenders alike.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from infra.azure.clients import Clients
from shared.kernel.ports import Outgoing
from tests.benchmarks.azure_bare import Bare
from tests.benchmarks.azure_emulator import MESSAGES, SCRIPT, fresh, leading_to, running
from tests.benchmarks.azure_loop import Loop, Messages
from tests.benchmarks.azure_shop import Deployment, Functions, logging_to
from tests.benchmarks.latencies import measured
from tests.benchmarks.measure import MILLISECONDS, Case, Scale, Table, check, interleave, seconds
from tests.benchmarks.samples import purchases

EMULATOR, BARE, TREFOIL = "emulator alone", "bare loop", "Trefoil"
SHARES = {1: 50, 10: 20}
"""Batch size -> which fraction of the orders a turn has; each takes some seconds."""
LATENCY_SHARE = 100
WARMING = 2
"""Orders before the first that is timed."""

NOTES = [
    "Emulators on the same cores: the ratio to the bare loop says what Trefoil adds, the rest is the emulators' speed.",
    "Emulator alone: Service Bus; the flow's messages received and completed, and nothing done with them.",
    "Bare loop: the same calls in as many threads. No deduplication, state, retries, dead letters or logs.",
]


class IdleLoop(Loop):
    """Only receives and completes; all that an order leads to is sent with it."""

    def send(self, messages: Sequence[Outgoing]) -> None:
        super().send([each for message in messages for each in leading_to(message)])

    def handle(self, service: str, messages: Messages) -> None:
        pass

    def follow(self, service: str, type_: str) -> None:
        pass


class BareLoop(Loop):
    """Trefoil's calls and nothing else."""

    def __init__(self, azure: Deployment, batch: int) -> None:
        super().__init__(azure, batch)
        self._bare = Bare(azure, SCRIPT)

    def handle(self, service: str, messages: Messages) -> None:
        self._bare.handle(service, [b"".join(message.body) for message in messages])


CONTENDERS: dict[str, Callable[[Deployment, int], Loop]] = {EMULATOR: IdleLoop, BARE: BareLoop, TREFOIL: Functions}


def measure(scale: Scale, folder: Path) -> list[Table]:
    """Start the emulators and measure."""
    with running(folder) as clients:
        return compare(scale, folder, clients)


def compare(scale: Scale, folder: Path, clients: Clients) -> list[Table]:
    """Speed at each size of batch, then latency; what functions log goes to a file."""
    with logging_to(folder / "functions.log"):
        return [*(_speeds(scale, clients, batch) for batch in SHARES), _latency(scale, clients)]


def _speeds(scale: Scale, clients: Clients, batch: int) -> Table:
    orders = max(scale.orders // SHARES[batch], 1)
    cases = [Case(name, partial(_speed, clients, make, batch, orders)) for name, make in CONTENDERS.items()]
    rows = interleave(cases, scale.rounds)
    title = f"Order flow on Azure's emulators, batches of {batch}"
    return Table(title=title, unit="messages/s", rows=rows, against=[EMULATOR, BARE], digits=0)


def _speed(clients: Clients, make: Callable[[Deployment, int], Loop], batch: int, orders: int) -> float:
    """Messages a second, all orders waiting at the start."""
    loop = make(fresh(Deployment, clients), batch)
    loop.open()
    loop.send(purchases(orders))
    took = seconds(loop.run)
    check("messages of the order flow", loop.handled, orders * MESSAGES)
    return orders * MESSAGES / took


def _latency(scale: Scale, clients: Clients) -> Table:
    orders = max(scale.orders // LATENCY_SHARE, 2)
    contenders = {name: partial(_latencies, clients, CONTENDERS[name], orders) for name in (BARE, TREFOIL)}
    rows = measured(contenders, scale.rounds)
    title = "One order at a time on Azure's emulators: sent to last effect"
    return Table(title=title, unit="ms", rows=rows, against=[f"{BARE}, p50"], notes=NOTES)


def _latencies(clients: Clients, make: Callable[[Deployment, int], Loop], orders: int) -> list[float]:
    loop = make(fresh(Deployment, clients), max(SHARES))
    loop.open()
    found = [loop.latency(order) * MILLISECONDS for order in purchases(WARMING + orders)]
    check("messages of the order flow", loop.handled, MESSAGES * len(found))
    return found[WARMING:]
