"""Measuring on a machine that drifts: contenders take turns (A B C, then C B A), and are compared within a round."""

import gc
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from msgspec import Struct

MICROSECONDS = 1e6
MILLISECONDS = 1e3


class Scale(Struct, frozen=True, kw_only=True):
    """How much is measured."""

    rounds: int
    """How often each contender has its turn."""
    records: int
    """Deliveries a turn, in memory."""
    orders: int
    """Orders a turn, on disk."""
    starts: int
    """Interpreters started for each way to import."""
    depths: Sequence[int]
    """Messages that wait while others are handled."""
    visits: int
    """Messages handled at each depth and turn."""


FULL = Scale(
    rounds=7, records=20_000, orders=2_000, starts=21, depths=(1_000, 10_000, 100_000, 1_000_000), visits=1_000
)
QUICK = Scale(rounds=3, records=2_000, orders=100, starts=5, depths=(1_000, 10_000), visits=1_000)


class Case(Struct, frozen=True):
    """A contender, and one turn of it; the turn returns what is measured."""

    name: str
    turn: Callable[[], float]


class Row(Struct, frozen=True):
    """A contender's samples, one a round."""

    name: str
    samples: list[float]

    @property
    def median(self) -> float:
        """What a table quotes."""
        return median(self.samples)

    def ratios_to(self, other: "Row") -> list[float]:
        """This one over the other, within each round."""
        return [mine / theirs for mine, theirs in zip(self.samples, other.samples, strict=True)]


class Table(Struct, frozen=True, kw_only=True):
    """Rows of one unit."""

    title: str
    unit: str
    rows: list[Row]
    against: list[str] = []
    """The rows that all are compared with."""
    digits: int = 1
    """After the decimal point."""
    notes: list[str] = []

    def row(self, name: str) -> Row:
        """One row."""
        return next(row for row in self.rows if row.name == name)

    def ratio(self, name: str, other: str) -> float:
        """The median of the ratios within the rounds."""
        return median(self.row(name).ratios_to(self.row(other)))


Benchmark = Callable[[Scale, Path], list[Table]]
"""Measures in a folder of its own, which is on the disk to be measured."""


def interleave(cases: Sequence[Case], rounds: int) -> list[Row]:
    """Give each case its turns; every second round goes backwards, which cancels a drift within rounds."""
    samples: dict[str, list[float]] = {case.name: [] for case in cases}
    for number in range(rounds):
        for case in cases if number % 2 == 0 else reversed(cases):
            samples[case.name].append(case.turn())
    return [Row(name, values) for name, values in samples.items()]


def seconds(work: Callable[[], object]) -> float:
    """How long the work takes; what was made before it is no business of its garbage collections."""
    gc.collect()
    gc.freeze()
    try:
        started = perf_counter()
        work()
        return perf_counter() - started
    finally:
        gc.unfreeze()


def check(what: str, found: int, expected: int) -> None:
    """Raise when a contender did not do the work; a failure is fast."""
    if found != expected:
        raise RuntimeError(f"{what}: {found:,} instead of {expected:,}; nothing was measured")


def batches(items: Sequence[Any], size: int) -> Iterable[Sequence[Any]]:
    """Cut into pieces of a size; the last may be smaller."""
    return (items[start : start + size] for start in range(0, len(items), size))
