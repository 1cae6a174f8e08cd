"""What goes on between channels and functions on every cloud: messages are handed over, and settled as was answered."""

import random
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress

from shared.catalog import CATALOG
from shared.kernel.errors import TransientError
from tests.support.cloud import Deployment, Handed, Line
from tests.support.faults import Crash

RETRIED = (TransientError, LookupError)
"""What a tick may raise when it was told nothing, or nonsense; the schedule rings again."""


class Pump:
    """Hands what a line has to the functions of a deployment."""

    def __init__(
        self, line: Line, worker: Deployment, services: Iterable[str] = CATALOG.services, seconds: int = 30
    ) -> None:
        self.line = line
        self.functions = worker.functions(services)
        self.seconds = seconds
        """For how long a message is hidden that was handed over, if the function dies."""
        self.errors: list[Exception] = []
        """What functions raised."""
        self._worker = worker

    def invoke(self, service: str, handed: Sequence[Handed]) -> set[str]:
        """Hand messages over; return the ids of those that must stay: all of them when the function fails."""
        ids = {message.id for message in handed}
        try:
            staying = self.line.hand(self.functions[service], handed)
        except Exception as error:  # noqa: BLE001 - a cloud takes any for a failed call
            self.errors.append(error)
            return ids
        assert staying <= ids, "a cloud would not know what is meant"
        return staying

    def settle(self, service: str, handed: Sequence[Handed], staying: set[str]) -> None:
        self.line.settle(service, handed, staying)

    def once(self, service: str) -> int:
        """Hand over what one look at a channel finds; return how many messages that was."""
        found = self.line.poll(service, self.seconds)
        for start in range(0, len(found), self.line.most):
            call = found[start : start + self.line.most]
            try:
                staying = self.invoke(service, call)
            except Crash:
                self.line.died(found[start:])
                raise
            self.settle(service, call, staying)
        return len(found)

    def drain(self, chance: random.Random, patience: float = 90.0) -> None:
        """Work until every channel is empty, hidden and delayed messages included."""
        end = time.monotonic() + patience
        last = time.monotonic()
        services = list(self.functions)
        while True:
            chance.shuffle(services)
            assert time.monotonic() < end, f"there is no end to it; functions raised {self.errors[-3:]}"
            if self.line.rings:
                with suppress(*RETRIED):
                    self._worker.ring()
            if sum(self.once(service) for service in services):
                last = time.monotonic()
            elif self.line.empty(services, time.monotonic() - last):
                return
            else:
                time.sleep(0.05)

    def waiting(self, service: str) -> int:
        """What is in a channel, in whatever condition."""
        return self.line.waiting(service)
