"""A bounded pool of threads: what a cloud's adapters do at the same time, as their calls wait for answers."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


class Pool:
    """Starts its threads when they are first needed, so that a process may fork before."""

    def __init__(self, threads: int) -> None:
        self._executor = ThreadPoolExecutor(threads, "trefoil")

    def run(self, step: Callable[[T], None], parts: Iterable[T]) -> None:
        """Take a step over several parts at once; raises what the first part that failed raised."""
        parts = list(parts)
        if len(parts) < 2:  # noqa: PLR2004 - one part needs no threads
            for part in parts:
                step(part)
            return
        for _ in self._executor.map(step, parts):
            pass
