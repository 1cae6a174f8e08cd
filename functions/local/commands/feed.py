"""`trefoil import` and `trefoil send`."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from functions.local.console import DEFAULT_DATA, Data, Json, err, out, print_json
from functions.local.deployment import HERE, On, deployment
from functions.local.importers import as_lines, import_cdnow, import_temperatures
from functions.local.sending import Sender
from shared.catalog import CATALOG
from shared.kernel.codec import SUBJECT

imports = typer.Typer(no_args_is_help=True, help="Turn files into JSON lines of commands, on standard output.")
_File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The file to read.")]


@imports.command("cdnow")
def cdnow(file: _File) -> None:
    """Purchases: `customer sample-id date cds dollars`, or, under a header, `customer date cds dollars`.

    Example: trefoil import cdnow CDNOW_sample.txt > orders.jsonl
    """
    with file.open(encoding="utf-8-sig", errors="replace") as lines:
        _write(as_lines(import_cdnow(lines, _complain)))


@imports.command("temperatures")
def temperatures(
    file: _File,
    sensor: Annotated[str, typer.Option(help="What the sensor is called.")],
    unit: Annotated[str, typer.Option(help="F or C.")],
) -> None:
    """Readings: comma-separated `temp,date` under a header.

    Example: trefoil import temperatures sf-temps.csv --sensor san-francisco --unit F > readings.jsonl
    """
    if unit not in ("F", "C"):
        raise typer.BadParameter(f"'{unit}' is neither F nor C", param_hint="--unit")
    if not SUBJECT.fullmatch(sensor):
        raise typer.BadParameter("1 to 64 characters of A-Z a-z 0-9 . _ ~ - are allowed", param_hint="--sensor")
    with file.open(encoding="utf-8-sig", errors="replace") as lines:
        _write(as_lines(import_temperatures(lines, sensor, unit, _complain)))


def _complain(line: int, fault: str) -> None:
    err.print(f"line {line} skipped: {fault}", style="yellow", markup=False)


def _write(lines: Iterator[bytes]) -> None:
    try:
        for line in lines:
            sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        # Who reads has had enough, as `head` has: no failure. What is still buffered goes nowhere, or the interpreter
        # would fail on it at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def send(
    file: Annotated[str, typer.Argument(help="JSON lines, or - for standard input.")],
    cloud: On = HERE,
    data: Data = DEFAULT_DATA,
    json: Json = False,
) -> None:
    """Send messages: CloudEvents, or {"type", "subject", "data"}. What is refused is named by its line; the rest goes.

    Example: trefoil import cdnow CDNOW_sample.txt | trefoil send -
    """
    with deployment(cloud, data) as system:
        sender = Sender(CATALOG, system.bus)
        for _ in sender.send(_input(file)):
            pass
    if json:
        refused: list[dict[str, Any]] = [{"line": line, "fault": fault} for line, fault in sender.refused]
        print_json({"sent": sender.sent, "refused": refused})
    else:
        for line, fault in sender.refused:
            err.print(f"line {line} refused: {fault}", style="red", markup=False)
        out.print(f"{sender.sent:,} sent, {len(sender.refused):,} refused")
    if sender.refused:
        raise typer.Exit(1)


def _input(file: str) -> Iterator[bytes]:
    if file == "-":
        yield from sys.stdin.buffer
        return
    path = Path(file)
    if not path.exists() or path.is_dir():
        raise typer.BadParameter(f"'{file}' is not a file", param_hint="FILE")
    with path.open("rb") as lines:
        yield from lines
