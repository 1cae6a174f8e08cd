"""`trefoil work` and `trefoil run`."""

import sys
import time
from collections.abc import Iterable, Iterator
from importlib.resources import files
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from functions.local.console import DEFAULT_DATA, Data, Json, amount, err, number, out, print_json
from functions.local.importers import as_lines, import_cdnow, import_temperatures
from functions.local.ledger import Ledger, take_stock
from functions.local.pool import LOG, Counts, Pool, work_here
from functions.local.sending import Sender
from functions.local.worker import BATCH
from infra.local.wiring import local
from shared.catalog import CATALOG
from shared.kernel.errors import TrefoilError

Workers = Annotated[int, typer.Option(min=1, max=64, help="Worker processes.")]
JsonLinesFile = Annotated[
    Path | None, typer.Option(exists=True, dir_okay=False, help="JSON lines, as `trefoil import` writes them.")
]
_ENDED = {("order_status", "orders.order-fulfilled.v1"), ("order_status", "orders.order-cancelled.v1")}


def work(
    data: Data = DEFAULT_DATA,
    until_idle: Annotated[bool, typer.Option("--until-idle", help="End when no channel holds anything.")] = False,
    workers: Workers = 1,
    batch: Annotated[int, typer.Option(min=1, max=1000, help="Messages taken at once.")] = BATCH,
    log: Annotated[str, typer.Option(help="INFO, WARNING or ERROR: what is logged, as JSON lines, to stderr.")] = "WARNING",
) -> None:
    """Handle what waits, until it is told to stop (Ctrl-C) or, with --until-idle, until nothing waits.

    Example: trefoil work --until-idle --workers 2
    """
    if log not in ("INFO", "WARNING", "ERROR"):
        raise typer.BadParameter(f"'{log}' is none of INFO, WARNING, ERROR", param_hint="--log")
    if workers == 1:
        work_here(data, sys.stderr.buffer, log, batch, until_idle=until_idle)
        return
    if not until_idle:
        raise typer.BadParameter("several workers need --until-idle; or start `trefoil work` several times")
    for _ in Pool(data, workers, batch).counts():
        pass


def run(
    data: Data = DEFAULT_DATA,
    orders: JsonLinesFile = None,
    readings: JsonLinesFile = None,
    users: JsonLinesFile = None,
    workers: Workers = 2,
    json: Json = False,
) -> None:
    """The main job: send orders, readings and users, handle everything, show what came of it.

    Without files it uses the sample data: 6,919 real purchases and 8,759 real temperatures. Run it twice: nothing
    happens twice.

    Example: trefoil run --data /tmp/shop
    """
    started = time.monotonic()
    with local(data) as opened:
        sender = Sender(CATALOG, opened.broker)
        for _ in sender.send(_lines(orders, readings, users)):
            pass
    for line, fault in sender.refused:
        err.print(f"refused: line {line}: {fault}", style="yellow")
    handled, replaced = _work(data, workers, quiet=json)
    seconds = time.monotonic() - started
    with local(data) as opened:
        ledger = take_stock(opened.system)
    figures = {"sent": sender.sent, "refused": len(sender.refused), "messages": handled}
    speed = {"seconds": round(seconds, 2), "messages_per_second": round(handled / seconds)}
    if json:
        print_json({**ledger.as_json(), **figures, **speed})
    else:
        _summary(ledger, {**figures, **speed}, data)
        if replaced:
            err.print(f"{replaced} workers died and were replaced; see {data / LOG}", style="yellow")
    if sender.refused:
        raise typer.Exit(1)


def _lines(*given: Path | None) -> Iterable[bytes]:
    if any(given):
        return chain.from_iterable(_file_lines(path) for path in given if path)
    return as_lines(chain(*_samples()))


def _file_lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as lines:
        yield from lines


def _samples() -> Iterator[Iterable[Any]]:
    folder = files("functions.local") / "samples"
    yield import_cdnow((folder / "CDNOW_sample.txt").read_text().splitlines(), _sample_fault)
    temperatures = (folder / "sf-temps.csv").read_text().splitlines()
    yield import_temperatures(temperatures, "san-francisco", "F", _sample_fault)


def _sample_fault(line: int, fault: str) -> None:
    raise TrefoilError(f"the sample data is damaged: line {line}: {fault}")


def _work(data: Path, workers: int, *, quiet: bool) -> tuple[int, int]:
    """Run the workers under progress bars; return how many messages they handled, and how many workers died."""
    pool = Pool(data, workers)
    total = 0
    columns = (
        SpinnerColumn(), TextColumn("{task.description:9}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
    )  # fmt: skip
    try:
        with Progress(*columns, console=err, disable=quiet) as progress:
            bars = _Bars(progress, data)
            for news in pool.counts():
                total += news.total()
                bars.update(news)
    except BaseException:
        pool.stop()
        raise
    return total, pool.replaced


class _Bars:
    """One bar a kind of thing that a person waits for, and one for all messages."""

    def __init__(self, progress: Progress, data: Path) -> None:
        with local(data) as opened:
            waiting = {name: opened.broker.depth(name).waiting for name in CATALOG.services}
        self._progress = progress
        self._started = time.monotonic()
        self._done: dict[TaskID, int] = {}
        self._orders = self._bar("orders", waiting["orders"])
        self._readings = self._bar("readings", waiting["sensors"])
        self._users = self._bar("users", waiting["users"])
        self._all = self._bar("messages", None)

    def _bar(self, name: str, total: int | None) -> TaskID:
        bar = self._progress.add_task(name, total=total, rate="")
        self._done[bar] = 0
        return bar

    def update(self, news: Counts) -> None:
        done = {outcome: n for outcome, n in news.items() if outcome[2] == "Done"}
        self._add(self._orders, sum(n for (service, type_, _), n in done.items() if (service, type_) in _ENDED))
        self._add(self._readings, sum(n for (service, _, _), n in done.items() if service == "climate"))
        self._add(self._users, sum(n for (service, _, _), n in done.items() if service == "users"))
        self._add(self._all, news.total())

    def _add(self, bar: TaskID, count: int) -> None:
        self._done[bar] += count
        seconds = max(time.monotonic() - self._started, 0.001)
        self._progress.update(bar, advance=count, rate=f"{self._done[bar] / seconds:,.0f}/s")


def _summary(ledger: Ledger, figures: dict[str, Any], data: Path) -> None:
    table = Table(title="What came of it", show_header=False, title_justify="left")
    for name, count in ledger.orders.items():
        table.add_row(f"orders {name}", number(count))
    for currency, money in ledger.as_json()["money"].items():
        for name, minor in money.items():
            table.add_row(f"money {name.replace('_', ' ')}", amount(minor, currency))
    for name in ("users", "readings", "mails", "alerts", "dead_letters"):
        table.add_row(name.replace("_", " "), number(getattr(ledger, name)))
    table.add_row("messages handled", f"{figures['messages']:,} in {figures['seconds']} s")
    table.add_row("messages per second", f"{figures['messages_per_second']:,}")
    out.print(table)
    where = "" if data == DEFAULT_DATA else f" --data {data}"
    out.print("What next:")
    for command, purpose in _next(ledger):
        out.print(f"  trefoil {command}{where}  [dim]{purpose}[/dim]")
    out.print(f"  [dim]the mails are in {data}/mails, the log is {data / LOG}[/dim]")


def _next(ledger: Ledger) -> Iterator[tuple[str, str]]:
    yield "status", "every channel, and the books"
    if ledger.dead_letters:
        yield "dead list", "what could not be handled, and why"
    yield "trace 00004-19970101-1", "one order as a tree"
    yield "show revenue 1997-01-01.01", "a read model"
    yield "audit", "is anything lost?"
