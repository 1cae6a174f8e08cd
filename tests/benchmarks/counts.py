"""Calls that clients make of a cloud, by kind; how they are noticed is each cloud's own."""

from collections import Counter
from collections.abc import Callable, Mapping
from threading import Lock
from typing import TypeVar

from tests.benchmarks.measure import Row, Table

Kinds = tuple[str, ...]


class Counts:
    """Safe for threads. What a client repeats by itself may not be seen; each cloud's counter says."""

    kinds: Kinds = ()
    """All that are reads, writes or publishes."""

    def __init__(self) -> None:
        self.made: Counter[str] = Counter()
        self.written = 0
        """Bytes of the requests that write to the store."""
        self._lock = Lock()

    def note(self, name: str, written: int = 0) -> None:
        """A call was made."""
        with self._lock:
            self.made[name] += 1
            self.written += written

    def clear(self) -> None:
        """Start again from nothing."""
        self.made.clear()
        self.written = 0

    def count(self, kinds: Kinds) -> int:
        """Calls of some kinds."""
        return sum(self.made[kind] for kind in kinds)

    @property
    def others(self) -> dict[str, int]:
        """Calls that neither read, write nor publish."""
        return {name: count for name, count in self.made.items() if name not in self.kinds}


C = TypeVar("C", bound=Counts)


def a_message(title: str, what: str, found: Mapping[str, tuple[C, int]], value: Callable[[C], int]) -> Table:
    """A table of what was counted, by contender, over the messages that it was for."""
    rows = [Row(name, [value(calls) / messages]) for name, (calls, messages) in found.items()]
    return Table(title=title, unit=f"{what} a message", rows=rows, digits=0 if what == "bytes" else 2)


def others(found: Mapping[str, tuple[C, int]]) -> str:
    """A note about the calls that are in no table."""
    told = "; ".join(f"{name}: {calls.others}" for name, (calls, _) in found.items() if calls.others)
    return f"Other calls: {told or 'none'}."
