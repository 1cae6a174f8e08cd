"""How long one thing takes, again and again: its median and the 95th percentile of each turn."""

from collections.abc import Callable, Mapping
from functools import partial
from statistics import median, quantiles

from tests.benchmarks.measure import Case, Row, interleave


def measured(contenders: Mapping[str, Callable[[], list[float]]], rounds: int) -> list[Row]:
    """Rows `NAME, p50` and `NAME, p95`, for contenders that take turns."""
    found: dict[str, list[list[float]]] = {name: [] for name in contenders}

    def turn(name: str) -> float:
        found[name].append(contenders[name]())
        return median(found[name][-1])

    interleave([Case(name, partial(turn, name)) for name in contenders], rounds)
    rows = [Row(f"{name}, p50", [median(each) for each in turns]) for name, turns in found.items()]
    return rows + [Row(f"{name}, p95", [quantiles(each, n=20)[-1] for each in turns]) for name, turns in found.items()]
