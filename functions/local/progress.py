"""Progress bars over a pool of workers."""

import time
from collections.abc import Mapping
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from functions.local.console import err
from functions.local.pool import Counts, Pool

_ENDED = {("order_status", "orders.order-fulfilled.v1"), ("order_status", "orders.order-cancelled.v1")}


class Figures:
    """What a pool did."""

    def __init__(self) -> None:
        self.handled = 0
        self.replaced = 0


def watch(data: Path, workers: int, waiting: Mapping[str, int | None], *, quiet: bool) -> Figures:
    """Run workers until nothing is left, under bars that know how much of each kind was `waiting`."""
    pool = Pool(data, workers)
    figures = Figures()
    with Progress(*_columns(), console=err, disable=quiet) as progress:
        bars = _Bars(progress, waiting)
        for news in pool.counts():
            figures.handled += news.total()
            bars.update(news)
    figures.replaced = pool.replaced
    return figures


def _columns() -> tuple[SpinnerColumn, TextColumn, BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn]:
    name, rate = TextColumn("{task.description:9}"), TextColumn("{task.fields[rate]}")
    return SpinnerColumn(), name, BarColumn(), MofNCompleteColumn(), rate, TimeElapsedColumn()


class _Bars:
    """One bar a kind of thing that a person waits for, and one for all messages."""

    def __init__(self, progress: Progress, waiting: Mapping[str, int | None]) -> None:
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
        done = [(service, type_, n) for (service, type_, outcome), n in news.items() if outcome == "Done"]
        self._add(self._orders, sum(n for service, type_, n in done if (service, type_) in _ENDED))
        self._add(self._readings, sum(n for service, _, n in done if service == "climate"))
        self._add(self._users, sum(n for service, _, n in done if service == "users"))
        self._add(self._all, news.total())

    def _add(self, bar: TaskID, count: int) -> None:
        self._done[bar] += count
        seconds = max(time.monotonic() - self._started, 0.001)
        self._progress.update(bar, advance=count, rate=f"{self._done[bar] / seconds:,.0f}/s")
