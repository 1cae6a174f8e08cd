"""What any way to run the shop on Azure shares: messages are received, handled, and then completed.

The Functions host does the receiving and the completing, and so does this loop for all contenders alike. It visits the
services in turn, and only those that something waits for, so that batches are as full as they are to be.
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import Any

from infra.azure.wiring import Azure
from shared.kernel.ports import Outgoing
from tests.benchmarks.azure_emulator import SCRIPT, SERVICES, is_published
from tests.benchmarks.measure import check

Messages = Sequence[Any]
PATIENCE = 30
"""Seconds, after which a message that does not come is an error."""

_HANDLERS = {type_: [service for service, its in SCRIPT if its == type_] for _, type_ in SCRIPT}


class Loop(ABC):
    """The services of a deployment, a batch at a time."""

    def __init__(self, azure: Azure, batch: int) -> None:
        self.azure = azure
        self.handled = 0
        self.waiting: Counter[str] = Counter()
        """Messages by service."""
        self._batch = batch
        self._done = 0.0

    @abstractmethod
    def handle(self, service: str, messages: Messages) -> None:
        """Do what the messages of one service ask for; raise when that fails."""

    def send(self, messages: Sequence[Outgoing]) -> None:
        """Publish commands."""
        check("commands that were not confirmed", len(self.azure.bus.publish(messages)), 0)
        for message in messages:
            self.waiting.update(_HANDLERS.get(message.type, ()))

    def open(self) -> None:
        """Open all receivers at once: each takes the SDK half a second, and none is a part of any measurement."""
        with ThreadPoolExecutor(len(SERVICES)) as pool:
            list(pool.map(self._receiver, SERVICES))

    def run(self) -> None:
        """Visit services in turn until nothing is left to do."""
        while self.waiting.total():
            for service in SERVICES:
                if self.waiting[service]:
                    self._visit(service)

    def latency(self, order: Outgoing) -> float:
        """Seconds from an order's sending to its last effect, nothing else going on."""
        started = perf_counter()
        self.send([order])
        self.run()
        return self._done - started

    def follow(self, service: str, type_: str) -> None:
        """What a message has led to waits now."""
        for step in SCRIPT[service, type_].steps:
            if is_published(step):
                self.waiting.update(_HANDLERS.get(step.type, ()))

    def _visit(self, service: str) -> None:
        receiver = self._receiver(service)
        # No more than there are: the SDK would wait for others, 200 ms at least.
        expected = min(self._batch, self.waiting[service])
        messages = receiver.receive_messages(max_message_count=expected, max_wait_time=PATIENCE)
        if not messages:
            raise RuntimeError(f"{service}: {self.waiting[service]} messages did not come; nothing was measured")
        self.handle(service, messages)
        self._done = perf_counter()
        for message in messages:
            receiver.complete_message(message)
        self._note(service, messages)

    def _note(self, service: str, messages: Messages) -> None:
        self.handled += len(messages)
        self.waiting[service] -= len(messages)
        for message in messages:
            self.follow(service, message.application_properties[b"type"].decode())

    def _receiver(self, service: str) -> Any:
        return self.azure.clients.receiver(self.azure.names.queue(service))
