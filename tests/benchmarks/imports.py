"""What a cold start pays: the kernel with all services imported, over an interpreter that imports nothing."""

import re
import subprocess
import sys
from functools import partial
from pathlib import Path
from time import perf_counter

from tests.benchmarks.measure import MILLISECONDS, Case, Row, Scale, Table, interleave

BARE, KERNEL, LOCAL = "bare interpreter", "kernel and all services", "... with the local adapters"
PROGRAMS = {
    BARE: "pass",
    KERNEL: "import shared.catalog, shared.kernel.receiver",
    LOCAL: "import shared.catalog, infra.local.wiring",
}
DEAREST = 5

_IMPORT_TIME = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \| *(\S+)")


def measure(scale: Scale, folder: Path) -> list[Table]:
    """Start interpreters in turn; the bare one is subtracted within each round."""
    rows = interleave([Case(name, partial(_start, program)) for name, program in PROGRAMS.items()], scale.starts)
    bare = rows[0]
    added = [Row(f"{row.name}, over bare", [a - b for a, b in zip(row.samples, bare.samples, strict=True)])
             for row in rows[1:]]  # fmt: skip
    dearest = ", ".join(f"{name} {own / 1000:.1f}" for name, own in _dearest())
    notes = [f"Dearest imports by their own time under -X importtime, in ms: {dearest}."]
    return [Table(title="Import time", unit="ms", rows=[*rows, *added], notes=notes)]


def _python(*arguments: str) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).parents[2]
    return subprocess.run([sys.executable, *arguments], cwd=root, capture_output=True, text=True, check=True)


def _start(program: str) -> float:
    started = perf_counter()
    _python("-c", program)
    return (perf_counter() - started) * MILLISECONDS


def _dearest() -> list[tuple[str, int]]:
    """Modules that the kernel adds, and their own microseconds."""
    bare, kernel = (_trace(PROGRAMS[name]) for name in (BARE, KERNEL))
    added = {name: own for name, own in kernel.items() if name not in bare}
    return sorted(added.items(), key=lambda each: -each[1])[:DEAREST]


def _trace(program: str) -> dict[str, int]:
    return own_times(_python("-X", "importtime", "-c", program).stderr)


def own_times(trace: str) -> dict[str, int]:
    """Microseconds that each module took itself, out of what -X importtime says."""
    return {name: int(own) for own, _, name in _IMPORT_TIME.findall(trace)}
