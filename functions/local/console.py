"""What all commands share: the data folder, output for people or for pipes, times, money."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console

Data = Annotated[
    Path,
    typer.Option("--data", envvar="TREFOIL_DATA", help="Folder of the database, mails and logs.", show_envvar=True),
]
DEFAULT_DATA = Path("trefoil-data")
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]

_PIPED_WIDTH = 240  # columns; what reads a pipe wants whole lines

out = Console(highlight=False, emoji=False, width=None if sys.stdout.isatty() else _PIPED_WIDTH)
err = Console(stderr=True, highlight=False, emoji=False, soft_wrap=True)


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    body = msgspec.json.format(msgspec.json.encode(value), indent=2)
    sys.stdout.buffer.write(body + b"\n")
    sys.stdout.buffer.flush()


def clock_time(seconds: float | None) -> str:
    """A time for people, local, to the millisecond."""
    if seconds is None:
        return ""
    try:
        return datetime.fromtimestamp(seconds, UTC).astimezone().isoformat(" ", "milliseconds")
    except (ValueError, OverflowError, OSError):
        return f"{seconds:.0f} s from 1970"  # further away than calendars reach


def amount(minor: int, currency: str) -> str:
    """An amount for people."""
    return f"{minor / 100:,.2f} {currency}"


def time_of_day(seconds: float | None) -> str:
    """The time alone, where the day is known."""
    return clock_time(seconds)[11:23]


def number(value: int | None) -> str:
    """A count for people; a cloud that does not tell gives None."""
    return "unknown" if value is None else f"{value:,}"
