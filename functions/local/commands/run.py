"""`trefoil run`: the main job."""

import time
from collections.abc import Iterable, Iterator
from importlib.resources import files
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from functions.local.commands.work import Workers
from functions.local.console import DEFAULT_DATA, Data, Json, amount, err, number, out, print_json
from functions.local.importers import as_lines, import_cdnow, import_temperatures
from functions.local.ledger import Ledger, take_stock
from functions.local.pool import LOG
from functions.local.progress import Figures, watch
from functions.local.sending import Sender
from infra.local.wiring import local
from shared.catalog import CATALOG
from shared.kernel.errors import TrefoilError

_Lines = Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="JSON lines, as `import` writes them.")]
_SENSOR = "san-francisco"


def run(
    data: Data = DEFAULT_DATA,
    orders: _Lines = None,
    readings: _Lines = None,
    users: _Lines = None,
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
        _send(sender, orders, readings, users)
        waiting = {name: opened.broker.depth(name).waiting for name in CATALOG.services}
    figures = watch(data, workers, waiting, quiet=json)
    seconds = time.monotonic() - started
    with local(data) as opened:
        ledger = take_stock(opened.system)
    if json:
        print_json({**ledger.as_json(), **_figures(sender, figures, seconds)})
    else:
        _print_summary(ledger, _figures(sender, figures, seconds), data)
    if figures.replaced:
        err.print(f"{figures.replaced} workers died and were replaced; see {data / LOG}", style="yellow")
    if sender.refused:
        raise typer.Exit(1)


def _send(sender: Sender, *given: Path | None) -> None:
    paths = [path for path in given if path]
    if not paths:
        _send_lines(sender, as_lines(chain(*_samples())), "the sample data")
    for path in paths:
        with path.open("rb") as lines:
            _send_lines(sender, lines, str(path))


def _send_lines(sender: Sender, lines: Iterable[bytes], name: str) -> None:
    known = len(sender.refused)
    for _ in sender.send(lines):
        pass
    for line, fault in sender.refused[known:]:
        err.print(f"{name}, line {line} refused: {fault}", style="yellow", markup=False)


def _samples() -> Iterator[Iterable[Any]]:
    folder = files("functions.local") / "samples"
    yield import_cdnow((folder / "CDNOW_sample.txt").read_text().splitlines(), _damaged)
    yield import_temperatures((folder / "sf-temps.csv").read_text().splitlines(), _SENSOR, "F", _damaged)


def _damaged(line: int, fault: str) -> None:
    raise TrefoilError(f"the sample data is damaged: line {line}: {fault}")


def _figures(sender: Sender, figures: Figures, seconds: float) -> dict[str, Any]:
    return {
        "sent": sender.sent,
        "refused": len(sender.refused),
        "messages": figures.handled,
        "seconds": round(seconds, 2),
        "messages_per_second": round(figures.handled / seconds),
    }


def _print_summary(ledger: Ledger, figures: dict[str, Any], data: Path) -> None:
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
    _print_next(ledger, data)


def _print_next(ledger: Ledger, data: Path) -> None:
    option = "" if data == DEFAULT_DATA else f" --data {data}"
    out.print("What next:")
    for command, purpose in _suggestions(ledger):
        out.print(f"  trefoil {command}{option}  [dim]{purpose}[/dim]")
    out.print(f"  [dim]the mails are in {data}/mails, the log is {data / LOG}[/dim]")


def _suggestions(ledger: Ledger) -> Iterator[tuple[str, str]]:
    yield "status", "every channel, and the books"
    if ledger.dead_letters:
        yield "dead list", "what could not be handled, and why"
    if ledger.refunded_order:
        yield f"trace {ledger.refunded_order}", "an order whose shipment failed, as a tree: see the refund"
    yield "show revenue 1997-01-01.01", "one shard of one day of a read model"
    yield "audit", "is anything lost?"
