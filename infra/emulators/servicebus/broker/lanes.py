"""Messages that wait, in the order of their numbers: one lane for all of a queue, or one a session."""

import heapq
from collections.abc import Callable, Container


class Lanes:
    """Numbers by lane. A number whose message no longer waits is passed over when its turn comes."""

    def __init__(self, waits: Callable[[int], bool]) -> None:
        self._waits = waits
        self._lanes: dict[str, list[int]] = {}

    def add(self, lane: str, number: int) -> None:
        """Have a message wait; one that comes back takes its old place."""
        heapq.heappush(self._lanes.setdefault(lane, []), number)

    def first(self, lane: str) -> int | None:
        """The number whose turn it is."""
        numbers = self._lanes.get(lane, [])
        while numbers and not self._waits(numbers[0]):
            heapq.heappop(numbers)
        if not numbers:
            self._lanes.pop(lane, None)
        return numbers[0] if numbers else None

    def take(self, lane: str) -> int | None:
        """The same, and it waits no more."""
        number = self.first(lane)
        if number is not None:
            heapq.heappop(self._lanes[lane])
        return number

    def oldest(self, but: Container[str]) -> str | None:
        """The lane that has waited longest, without those."""
        waiting = ((self.first(lane), lane) for lane in list(self._lanes) if lane not in but)
        return min(((number, lane) for number, lane in waiting if number is not None), default=(0, None))[1]

    def names(self) -> list[str]:
        """Every lane in which somebody waits."""
        return sorted(lane for lane in list(self._lanes) if self.first(lane) is not None)
