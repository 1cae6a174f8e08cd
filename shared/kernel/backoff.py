"""Exponential backoff with full jitter (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015)."""

from collections.abc import Callable

from msgspec import Struct


class Backoff(Struct, frozen=True):
    """Waits between tries, in seconds: uniform in 0 … min(cap, base · 2^(attempt-1))."""

    base: float = 1.0
    cap: float = 300.0

    def ceiling(self, attempt: int) -> float:
        """The longest wait after the given attempt, counted from 1."""
        return min(self.cap, self.base * 2.0 ** min(attempt - 1, 60))

    def wait(self, attempt: int, random: Callable[[], float]) -> float:
        """The wait after the given attempt; `random` gives a number in [0, 1)."""
        return random() * self.ceiling(attempt)


CONFLICT = Backoff(base=0.01, cap=0.2)
"""Between two attempts to append to the same stream, within one invocation."""
