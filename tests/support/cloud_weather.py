"""A cloud on a bad day: which of an SDK's calls meets what, by chance. How a fault is done is told cloud by cloud."""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import ClassVar

from tests.support.cloud import Deployment

ANSWER_LOST = "applied, and its answer lost"


class Weather:
    """Faults by chance: each kind a call can meet, how often one begins, and how many an operation meets at most."""

    append: ClassVar[str]
    """The operation that appends a commit."""
    publish: ClassVar[Sequence[str]]
    """The operations that publish, and that a day must have spoilt."""
    query: ClassVar[str]
    """The operation that reads a stream."""
    lengths: ClassVar[Sequence[int]]
    """Attempts that a fault lasts for; some are more than the SDK makes."""
    enough: ClassVar[int]
    """How many faults an operation meets on a day: all kinds, and not so many that it never ends."""
    attempts: ClassVar[int]
    """How often the SDK makes a call before it gives up, at least."""

    def __init__(self, seed: int, share: float, most: int) -> None:
        self.chance = random.Random(seed)
        self._share = share
        self._most = most
        self._met: Counter[str] = Counter()
        self._lasting: dict[str, tuple[str, int]] = {}
        self.struck: Counter[tuple[str, str]] = Counter()
        """(operation, fault) -> how often."""
        self.forecast: Callable[[str], Sequence[str]] = self.usual
        """The faults that an operation may meet."""

    @staticmethod
    def usual(operation: str) -> Sequence[str]:
        """Everything that an operation can meet."""
        raise NotImplementedError

    @staticmethod
    def impatience() -> AbstractContextManager[None]:
        """While it lasts, retries of the SDK do not wait."""
        raise NotImplementedError

    def over(self, deployment: Deployment) -> None:
        """Let it break over a deployment's clients."""
        raise NotImplementedError

    def only(self, operation: str, *faults: str) -> None:
        """Everything else goes well."""
        self.forecast = lambda each: faults if each == operation else ()

    def lasts(self, _: str) -> int:
        """Attempts that a fault lasts for."""
        return self.chance.choice(self.lengths)

    def strikes(self, operation: str, weight: float = 1.0) -> str | None:
        """What this attempt meets, if anything."""
        fault, left = self._lasting.pop(operation, ("", 0))
        kinds = () if left else self.forecast(operation)
        if kinds and self.chance.random() < self._share * weight:
            fault = self.chance.choice(kinds)
            left = self.lasts(fault)
        if not left or self._met[operation] == self._most:
            return None
        self._met[operation] += 1
        if left > 1:
            self._lasting[operation] = fault, left - 1
        self.struck[operation, fault] += 1
        return fault
