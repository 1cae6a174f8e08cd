"""The whole order flow on SQLite with `synchronous=FULL`: messages handled a second, beside bare loops and huey."""

from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from shared.catalog import CATALOG
from tests.benchmarks.bare_loop import BareLoop
from tests.benchmarks.measure import Case, Scale, Table, check, interleave, seconds
from tests.benchmarks.minimal_loop import MinimalLoop
from tests.benchmarks.samples import purchases
from tests.benchmarks.script import note
from tests.benchmarks.shop import WITHOUT_MAILS, Shop, remove

MINIMAL, BARE, TREFOIL, HUEY = "minimal loop", "bare loop, same writes", "Trefoil", "huey, task by task"
MESSAGES = {"minimal": 7, "without mails": 10, "all services": 12}
"""Deliveries that one order causes."""
SHARES = {1: 5, 10: 2, 100: 1}
"""Batch size -> which fraction of the orders a turn has; each takes about a second."""

NOTES = [
    "A turn handles CDNOW purchases until all channels are empty; providers answer at once.",
    "The minimal loop is the prototype: four services, two tables, no leases, timers, logs or errors.",
]


def measure(scale: Scale, folder: Path) -> list[Table]:
    """Three batch sizes without the notifications service, three with it."""
    return [
        *(_plain(scale, folder, batch) for batch in SHARES),
        *(_with_claims(scale, folder, batch) for batch in SHARES),
    ]


def _plain(scale: Scale, folder: Path, batch: int) -> Table:
    count = max(scale.orders // SHARES[batch], 1)
    expected = MESSAGES["without mails"] * count
    orders, script = purchases(count), note(WITHOUT_MAILS)
    cases = [
        Case(MINIMAL, _turn(folder, partial(MinimalLoop, batch=batch), count, MESSAGES["minimal"] * count)),
        Case(
            BARE, _turn(folder, partial(BareLoop, catalog=WITHOUT_MAILS, script=script, batch=batch), orders, expected)
        ),
        Case(TREFOIL, _turn(folder, partial(Shop, catalog=WITHOUT_MAILS, batch=batch), orders, expected)),
    ]
    notes = [*NOTES, "Without the notifications service."]
    if find_spec("huey"):
        from tests.benchmarks.huey_flow import HueyFlow  # noqa: PLC0415 - installed by `make bench` only

        few = orders[: max(count // 5, 1)]
        flow = partial(HueyFlow, catalog=WITHOUT_MAILS, script=script)
        cases.append(Case(HUEY, _turn(folder, flow, few, MESSAGES["without mails"] * len(few))))
    else:
        notes.append("huey is not installed; `make bench` brings it.")
    return _table(f"Order flow on SQLite, batches of {batch}", cases, scale, [BARE, MINIMAL], notes)


def _with_claims(scale: Scale, folder: Path, batch: int) -> Table:
    count = max(scale.orders // SHARES[batch], 1)
    expected = MESSAGES["all services"] * count
    orders, script = purchases(count), note(CATALOG)
    cases = [
        Case(BARE, _turn(folder, partial(BareLoop, catalog=CATALOG, script=script, batch=batch), orders, expected)),
        Case(TREFOIL, _turn(folder, partial(Shop, catalog=CATALOG, batch=batch), orders, expected)),
    ]
    notes = ["Each mail is claimed in a transaction of its own before it leaves; the bare loop does the same."]
    return _table(f"Order flow with mails, batches of {batch}", cases, scale, [BARE], notes)


def _table(title: str, cases: Sequence[Case], scale: Scale, against: list[str], notes: list[str]) -> Table:
    rows = interleave(cases, scale.rounds)
    return Table(title=title, unit="messages/s", rows=rows, against=against, digits=0, notes=notes)


def _turn(folder: Path, contender: Callable[..., Any], orders: Any, expected: int) -> Callable[[], float]:
    def turn() -> float:
        fresh = folder / "turn"
        fresh.mkdir(parents=True)
        with contender(fresh) as loop:
            loop.send(orders)
            took = seconds(loop.run)
        check(f"handled by {contender}", loop.handled, expected)
        remove(fresh)
        return expected / took

    return turn
