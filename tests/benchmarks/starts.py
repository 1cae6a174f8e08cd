"""What a start costs: whole processes to which nothing but some folders is importable, in turn, a bare one among them.

It is CPU time, the system's included: a start waits for nothing, and other programs' share of the machine is out.
"""

import os
import subprocess
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from statistics import median

from msgspec import Struct

from tests.benchmarks.imports import own_times
from tests.benchmarks.measure import MILLISECONDS, Case, Row, Scale, Table, interleave

TRACES = 5
DEAREST = 5
BARE = "bare interpreter"


class Start(Struct, frozen=True):
    """A program, the folders that it imports from, and its environment."""

    code: str
    path: Sequence[Path] = ()
    settings: Mapping[str, str] = {}


class Starts(Struct, frozen=True):
    """Programs by name, for one interpreter."""

    interpreter: Path
    programs: Mapping[str, Start]

    def tables(self, scale: Scale, title: str, against: list[str], notes: list[str]) -> list[Table]:
        """Start interpreters in turn; the bare one, which is the first, is subtracted within each round."""
        rows = interleave([Case(name, partial(self._timed, name)) for name in self.programs], scale.starts)
        bare = rows[0]
        added = [Row(row.name, [a - b for a, b in zip(row.samples, bare.samples, strict=True)]) for row in rows[1:]]
        over = f"{title}, over a bare interpreter"
        return [
            Table(title=f"{title}, the whole process", unit="ms of CPU", rows=rows),
            Table(title=over, unit="ms of CPU", rows=added, against=against, notes=notes),
        ]

    def shares(self, name: str, known: str, traces: int, part: Callable[[str], str]) -> tuple[str, str]:
        """The medians of several traces: by part, and the dearest modules of those that another program lacks.

        A part with a space is no package's: it is named for what its modules do, and none of them is among the dearest.
        """
        found = [self._trace(name) for _ in range(traces)]
        own = {module: median(each.get(module, 0) for each in found) / 1000 for module in found[0]}
        parts: Counter[str] = Counter()
        for module, milliseconds in own.items():
            parts[part(module)] += milliseconds
        others = self._trace(known)
        ours = Counter({each: own[each] for each in own if each not in others and " " not in part(each)})
        return _list(parts.most_common()), _list(ours.most_common(DEAREST))

    def _timed(self, name: str) -> float:
        before = getrusage(RUSAGE_CHILDREN)
        self._python(name)
        after = getrusage(RUSAGE_CHILDREN)
        return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * MILLISECONDS

    def _trace(self, name: str) -> dict[str, int]:
        return own_times(self._python(name, "-X", "importtime").stderr)

    def _python(self, name: str, *options: str) -> subprocess.CompletedProcess[str]:
        start = self.programs[name]
        begin = f"import sys; sys.path[:0] = {[str(folder) for folder in start.path]!r}\n"
        settings = {"PATH": os.environ["PATH"], **start.settings}
        command = [self.interpreter, "-I", "-S", "-B", *options, "-c", begin + start.code]
        return subprocess.run(command, env=settings, capture_output=True, text=True, check=True)


def package(module: str, trees: Sequence[Path]) -> str:
    """The package of a module that one of these folders brought; empty when it is Python's own."""
    first = module.partition(".")[0]
    brought = any((tree / first).exists() or any(tree.glob(f"{first}.*")) for tree in trees)
    return first if brought else ""


def _list(milliseconds: list[tuple[str, float]]) -> str:
    return ", ".join(f"{name} {value:.1f}" for name, value in milliseconds if value >= 0.05)
