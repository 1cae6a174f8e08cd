"""What any way to run the shop on Pub/Sub by pulling shares: messages are pulled, handled, and acknowledged.

A thread a service pulls, as Google's clients do; as many messages of it as an instance may have requests at once are
handled at the same time. Filters are obeyed here, as the emulator does not, for all contenders alike.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Condition, Thread
from time import perf_counter
from typing import Any, Self

from infra.gcp.wiring import Gcp
from shared.kernel.ports import Outgoing
from shared.kernel.timers import tick
from tests.benchmarks.gcp_emulator import DELIVERIES, SERVICES
from tests.benchmarks.measure import check

PATIENCE = 1.25
"""Seconds; the emulator waits for a message until one second before a call's time is up."""
STALLED = 2
"""Seconds without a message, after which the schedule rings."""
LIMIT = 300
"""Seconds, after which what was not handled is an error."""


class Loop(ABC):
    """The services of a deployment; used in a `with` statement, which starts and ends their threads."""

    def __init__(self, gcp: Gcp, batch: int) -> None:
        self.gcp = gcp
        self.handled = 0
        self.services = SERVICES
        self._batch = batch
        self._changed = Condition()
        self._ended = False
        self.started = 0.0
        self._last = 0.0
        self._error: Exception | None = None
        self._threads = [Thread(target=self._serve, args=[service]) for service in self.services]

    @abstractmethod
    def handle(self, service: str, message: Any) -> None:
        """Do what a message asks one service for; raise when that fails."""

    def __enter__(self) -> Self:
        self.started = perf_counter()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True
        for thread in self._threads:
            thread.join()

    def send(self, messages: Sequence[Outgoing]) -> None:
        """Publish commands."""
        check("commands that were not confirmed", len(self.gcp.bus.publish(messages)), 0)

    def wait(self, handled: int) -> float:
        """When so many deliveries had been handled; meanwhile the schedule rings whenever nothing comes."""
        end, before = perf_counter() + LIMIT, -1
        while not self._reached(handled) and perf_counter() < end:
            if self.handled == before:
                tick(self.gcp.timers, self.gcp.bus, self.gcp.clock)
            before = self.handled
        if self._error:
            raise self._error
        check("deliveries of the order flow", self.handled - self.put_aside, handled)
        return self._last

    @property
    def put_aside(self) -> int:
        """Deliveries that come once more, for they met too many others in their stream."""
        return 0

    def _reached(self, handled: int) -> bool:
        with self._changed:
            return bool(
                self._changed.wait_for(lambda: self.handled - self.put_aside >= handled or self._error, STALLED)
            )

    def latency(self, order: Outgoing) -> float:
        """Seconds from an order's sending to its last effect, nothing else going on."""
        expected = self.handled - self.put_aside + DELIVERIES
        started = perf_counter()
        self.send([order])
        return self.wait(expected) - started

    def _serve(self, service: str) -> None:
        (subscription,) = self.gcp.subscriptions.of(service)
        with ThreadPoolExecutor(self._batch) as pool:
            while not self._ended:
                try:
                    self._visit(service, subscription, pool)
                except Exception as error:  # noqa: BLE001 - whoever waits raises it
                    self._error = error
                    self._ended = True
                    with self._changed:
                        self._changed.notify_all()

    def _visit(self, service: str, subscription: str, pool: ThreadPoolExecutor) -> None:
        found = self.gcp.subscriptions.pull(subscription, self._batch, PATIENCE)
        if len(found) == 1:
            self.handle(service, found[0].message)
        else:
            list(pool.map(lambda each: self.handle(service, each.message), found))
        done = perf_counter()
        self.gcp.subscriptions.acknowledge((subscription, each.ack_id) for each in found)
        with self._changed:
            self.handled += len(found)
            self._last = max(self._last, done) if found else self._last
            self._changed.notify_all()
