"""Results for people and for programs: tables, and one JSON file that keeps every sample."""

import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from os import cpu_count, fsync
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table as Grid

from tests.benchmarks.measure import MICROSECONDS, Table

PEERS = (
    *("msgspec", "aws-lambda-powertools", "pydantic", "huey", "boto3", "ministack"),
    *("functions-framework", "google-cloud-firestore", "google-cloud-pubsub", "gunicorn"),
    *("azure-functions", "azure-servicebus", "azure-data-tables", "python-qpid-proton"),
)
_SYNCS = 21


def machine(folder: Path) -> dict[str, Any]:
    """What the figures depend on."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": _commit(),
        "python": platform.python_version(),
        "processor": _processor(),
        "cores": cpu_count(),
        "file_system": _file_system(folder),
        "fsync_microseconds": round(_sync_time(folder)),
        "packages": {name: found for name in PEERS if (found := _version(name))},
    }


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())


def _file_system(folder: Path) -> str:
    try:
        mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    except OSError:
        return "unknown"
    around = [(Path(point), kind) for _, point, kind, *_ in mounts if folder.resolve().is_relative_to(point)]
    return max(around, key=lambda each: len(each[0].parts))[1]


def _sync_time(folder: Path) -> float:
    """Microseconds until 4 KiB are on the disk; next to nothing means that they are not."""
    path = folder / "sync"
    samples = []
    with path.open("wb") as file:
        for _ in range(_SYNCS):
            started = perf_counter()
            file.write(bytes(4096))
            file.flush()
            fsync(file.fileno())
            samples.append((perf_counter() - started) * MICROSECONDS)
    path.unlink()
    return median(samples)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def show(console: Console, table: Table) -> None:
    """Medians with their range, and the median of the ratios within the rounds."""
    grid = Grid(title=table.title, title_justify="left", title_style="bold")
    grid.add_column("", no_wrap=True)
    for heading in (table.unit, "range", *(f"x {name}" for name in table.against)):
        grid.add_column(heading, justify="right", no_wrap=True)
    for row in table.rows:
        low, high = (f"{each:,.{table.digits}f}" for each in (min(row.samples), max(row.samples)))
        ratios = [f"{table.ratio(row.name, other):.2f}" for other in table.against]
        grid.add_row(row.name, f"{row.median:,.{table.digits}f}", f"{low} - {high}", *ratios)
    console.print(grid)
    for note in table.notes:
        console.print(note, style="dim")
    console.print()


def as_json(machine: dict[str, Any], tables: list[Table]) -> bytes:
    """Medians, ratios and all samples."""
    document = {"machine": machine, "tables": [_as_fields(table) for table in tables]}
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def _as_fields(table: Table) -> dict[str, Any]:
    rows = [
        {
            "name": row.name,
            "median": row.median,
            "ratios": {other: table.ratio(row.name, other) for other in table.against},
            "samples": row.samples,
        }
        for row in table.rows
    ]
    return {"title": table.title, "unit": table.unit, "rows": rows, "notes": table.notes}
