"""Worker processes: started together, watched, replaced when they die, and counted while they work."""

import multiprocessing
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import IO, Any

from functions.local.worker import BATCH, Worker
from infra.local.wiring import check_settings, local
from shared.kernel.errors import TrefoilError
from shared.kernel.telemetry import JsonLines, Observation, Several

Counts = Counter[tuple[str, str, str]]
"""(service, type, outcome) -> how many."""

LOG = "log.jsonl"
_REPORT_SECONDS = 0.1
_REPLACEMENTS = 20

_context = multiprocessing.get_context("spawn")


class Pool:
    """Runs workers until nothing is left to do."""

    def __init__(self, data: Path, workers: int, batch: int = BATCH, *, until_idle: bool = True) -> None:
        self._data = data
        self._batch = batch
        self._until_idle = until_idle
        check_settings(data)  # once, here, rather than in every worker
        self._running: dict[Connection, Any] = {}
        self.replaced = 0
        for _ in range(workers):
            self._start()

    def _start(self) -> None:
        here, there = _context.Pipe(duplex=False)
        process = _context.Process(target=_work, args=(self._data, self._batch, self._until_idle, there))
        process.start()
        there.close()
        self._running[here] = process

    def counts(self, stopped: Callable[[], bool] = lambda: False) -> Iterator[Counts]:
        """Yield what was handled since the last time, about ten times a second, until all workers are done, or stopped.

        Raises TrefoilError when workers keep dying.
        """
        try:
            while self._running and not stopped():
                yield self._news()
        finally:
            self.stop()

    def _news(self) -> Counts:
        news: Counts = Counter()
        ready = set(wait(list(self._running), timeout=2 * _REPORT_SECONDS))
        for connection in [each for each in self._running if each in ready]:
            try:
                news.update(connection.recv())
            except EOFError:
                self._ended(connection)
        return news

    def _ended(self, connection: Connection) -> None:
        process = self._running.pop(connection)
        connection.close()
        process.join()
        if process.exitcode == 0:
            return
        if process.exitcode > 0:
            raise TrefoilError(f"a worker gave up; what it said stands above, and in {self._data / LOG}")
        self.replaced += 1
        if self.replaced > _REPLACEMENTS:
            raise TrefoilError(f"workers keep being killed, the last by signal {-process.exitcode}")
        self._start()

    def stop(self) -> None:
        """Let every worker finish its batch, then end."""
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            process.join()


class _Reporter:
    """Sends counts to the parent now and then."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._counts: Counts = Counter()
        self._next = 0.0

    def observe(self, observations: Sequence[Observation]) -> None:
        self._counts.update((seen.service, seen.type, seen.outcome) for seen in observations)
        if time.monotonic() >= self._next:
            self.report()

    def report(self) -> None:
        with suppress(BrokenPipeError):  # nobody reads any more; `Stop` sees to the rest
            self._connection.send(self._counts)
        self._counts = Counter()
        self._next = time.monotonic() + _REPORT_SECONDS


def _work(data: Path, batch: int, until_idle: bool, connection: Connection) -> None:  # noqa: FBT001 - args of a process
    reporter = _Reporter(connection)
    stopped = Stop()
    try:
        with local(data) as opened, (data / LOG).open("ab", buffering=0) as log:
            Worker(opened, Several(JsonLines(log), reporter), batch).run(until_idle=until_idle, stopped=stopped)
        reporter.report()
    except (TrefoilError, OSError) as error:
        sys.exit(str(error))


class Stop:
    """Set by SIGINT and SIGTERM, so that a worker ends between two batches."""

    def __init__(self) -> None:
        self._set = False
        self._parent = multiprocessing.parent_process()
        signal.signal(signal.SIGINT, self._stop)
        signal.signal(signal.SIGTERM, self._stop)

    def _stop(self, *_: Any) -> None:
        self._set = True

    def __call__(self) -> bool:
        """Whether a signal came, or the process that started this one is gone."""
        return self._set or (self._parent is not None and not self._parent.is_alive())


def work_here(data: Path, log: IO[bytes], level: str, batch: int, *, until_idle: bool) -> None:
    """One worker in this process, logging to `log`."""
    with local(data) as opened:
        Worker(opened, JsonLines(log, level), batch).run(until_idle=until_idle, stopped=Stop())
