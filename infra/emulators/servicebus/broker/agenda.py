"""Everything that is to happen by itself, in one heap: locks that expire, messages that are due or too old."""

import heapq
from collections.abc import Callable

Action = Callable[[], None]


class Agenda:
    """Actions and their times, in milliseconds. An action finds out for itself whether it still has a point."""

    def __init__(self) -> None:
        self._items: list[tuple[int, int, Action]] = []
        self._count = 0

    def at(self, time: int, action: Action) -> None:
        """Put an action down; those of the same time run in the order in which they came."""
        self._count += 1
        heapq.heappush(self._items, (time, self._count, action))

    @property
    def next(self) -> int | None:
        """The time of the next action."""
        return self._items[0][0] if self._items else None

    def run(self, now: int) -> None:
        """Do all that is due."""
        while self._items and self._items[0][0] <= now:
            heapq.heappop(self._items)[2]()
