"""The whole order flow on SQLite with `synchronous=FULL`: messages handled a second, beside bare loops and huey."""

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from shared.catalog import CATALOG
from shared.kernel.catalog import Catalog
from tests.benchmarks.bare_loop import BareLoop
from tests.benchmarks.measure import Case, Scale, Table, check, interleave, seconds
from tests.benchmarks.minimal_loop import MESSAGES_AN_ORDER, MinimalLoop
from tests.benchmarks.samples import purchases
from tests.benchmarks.script import Script, note
from tests.benchmarks.shop import WITHOUT_MAILS, Shop, remove
from tests.benchmarks.wal import Written, kept, written

MINIMAL, BARE, TREFOIL, HUEY = "minimal loop", "bare loop", "Trefoil", "huey"
SHARES = {1: 5, 10: 2, 100: 1}
"""Batch size -> which fraction of the orders a turn has; each takes about a second."""
HUEY_SHARE = 5
COUNTED_ORDERS = 200

LEGEND = [
    "A turn handles CDNOW purchases until all channels are empty; providers answer at once.",
    "Minimal loop: the prototype. Four services, two tables; no leases, timers, errors or logs.",
    "Bare loop: Trefoil's writes without its reasons. No deduplication, state, retries, dead letters or logs.",
]
CLAIMS = ["A mail is claimed in a transaction of its own before it leaves; the bare loop does the same."]


class Flow:
    """Some of the services, and what they are compared with."""

    def __init__(self, catalog: Catalog, folder: Path) -> None:
        self.catalog = catalog
        self.script: Script = note(catalog)
        self.messages = len(self.script)
        """Deliveries that one order causes: a plain order sends each message to each service once."""
        self.folder = folder

    def bare(self, batch: int) -> Callable[[Path], Any]:
        return partial(BareLoop, catalog=self.catalog, script=self.script, batch=batch)

    def trefoil(self, batch: int) -> Callable[[Path], Any]:
        return partial(Shop, catalog=self.catalog, batch=batch)

    def case(self, name: str, contender: Callable[[Path], Any], count: int) -> Case:
        """A turn of so many purchases."""
        return Case(name, partial(_turn, self.folder, contender, purchases(count), self.messages * count))

    def written(self, contender: Callable[[Path], Any], count: int) -> str:
        """What a message costs the disk, counted in a run that is not timed."""
        fresh = _fresh(self.folder)
        with contender(fresh) as loop, kept(loop.database):
            loop.send(purchases(count))
            before = written(loop.database)
            loop.run()
            cost: Written = written(loop.database) - before
        remove(fresh)
        done = self.messages * count
        return f"{cost.pages / done:.2f} pages in {cost.transactions / done:.3f} transactions a message"


def measure(scale: Scale, folder: Path) -> list[Table]:
    """Three batch sizes without the notifications service, three with it."""
    plain, full = Flow(WITHOUT_MAILS, folder), Flow(CATALOG, folder)
    return [*(_plain(scale, plain, batch) for batch in SHARES), *(_with_claims(scale, full, batch) for batch in SHARES)]


def _plain(scale: Scale, flow: Flow, batch: int) -> Table:
    count = max(scale.orders // SHARES[batch], 1)
    minimal = partial(MinimalLoop, batch=batch)
    cases = [
        Case(MINIMAL, partial(_turn, flow.folder, minimal, count, MESSAGES_AN_ORDER * count)),
        flow.case(BARE, flow.bare(batch), count),
        flow.case(TREFOIL, flow.trefoil(batch), count),
    ]
    notes = list(LEGEND)
    if find_spec("huey"):
        from tests.benchmarks.huey_flow import HueyFlow  # noqa: PLC0415 - installed by `make bench` only

        huey = partial(HueyFlow, catalog=flow.catalog, script=flow.script)
        cases.append(flow.case(HUEY, huey, max(count // HUEY_SHARE, 1)))
        notes.append("huey: the same messages as chained tasks, one at a time, with fsync.")
    else:
        notes.append("huey is not installed; `make bench` brings it.")
    title = f"Order flow on SQLite, without mails, batches of {batch}"
    return _table(title, scale, flow, batch, cases, [BARE, MINIMAL], notes)


def _with_claims(scale: Scale, flow: Flow, batch: int) -> Table:
    count = max(scale.orders // SHARES[batch], 1)
    cases = [flow.case(BARE, flow.bare(batch), count), flow.case(TREFOIL, flow.trefoil(batch), count)]
    return _table(f"Order flow on SQLite, all services, batches of {batch}", scale, flow, batch, cases, [BARE], CLAIMS)


def _table(  # noqa: PLR0913 - all that differs between two tables
    title: str, scale: Scale, flow: Flow, batch: int, cases: list[Case], against: list[str], legend: list[str]
) -> Table:
    rows = interleave(cases, scale.rounds)
    count = min(scale.orders, COUNTED_ORDERS)
    writes = [
        f"Trefoil wrote {flow.written(flow.trefoil(batch), count)}.",
        f"The bare loop wrote {flow.written(flow.bare(batch), count)}.",
    ]
    last = legend if batch == max(SHARES) else []
    return Table(title=title, unit="messages/s", rows=rows, against=against, digits=0, notes=[*writes, *last])


def _turn(folder: Path, contender: Callable[[Path], Any], orders: Any, expected: int) -> float:
    fresh = _fresh(folder)
    with contender(fresh) as loop:
        loop.send(orders)
        took = seconds(loop.run)
    remove(fresh)
    check(f"handled by {contender}", loop.handled, expected)
    return expected / took


def _fresh(folder: Path) -> Path:
    fresh = folder / "turn"
    fresh.mkdir(parents=True)
    return fresh
