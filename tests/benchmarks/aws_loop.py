"""What any way to run the shop on AWS shares: queues are polled, messages handled, and then deleted.

Lambda's event source mappings do the polling and the deleting, and so does this loop for all contenders alike.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from time import perf_counter
from typing import Any

from infra.aws.wiring import Aws
from shared.kernel.ports import Outgoing
from tests.benchmarks.measure import check

Messages = Sequence[Any]
VISIBILITY = 300
"""Seconds; nothing comes twice, however slow the machine is."""


class Loop(ABC):
    """The services of a deployment, a batch at a time."""

    def __init__(self, aws: Aws, services: Sequence[str], batch: int) -> None:
        self.handled = 0
        self.aws = aws
        self._services = services
        self._batch = batch
        self._urls = {service: aws.queues.url(aws.names.queue(service)) for service in services}
        self._done = 0.0

    @abstractmethod
    def handle(self, service: str, messages: Messages) -> None:
        """Do what the messages of one service ask for; raise when that fails."""

    def send(self, messages: Sequence[Outgoing]) -> None:
        """Publish commands."""
        check("commands that were not confirmed", len(self.aws.bus.publish(messages)), 0)

    def run(self) -> None:
        """Visit all services in turn until nothing is left to do."""
        while sum([self._visit(service) for service in self._services]):
            pass

    def latency(self, order: Outgoing) -> float:
        """Seconds from an order's sending to its last effect, nothing else going on."""
        started = perf_counter()
        self.send([order])
        self.run()
        return self._done - started

    def _visit(self, service: str) -> int:
        messages = self.aws.clients.sqs.receive_message(
            QueueUrl=self._urls[service],
            MaxNumberOfMessages=self._batch,
            VisibilityTimeout=VISIBILITY,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        ).get("Messages", [])
        if messages:
            self.handle(service, messages)
            self.handled += len(messages)
            self._done = perf_counter()
            self._delete(service, messages)
        return len(messages)

    def _delete(self, service: str, messages: Messages) -> None:
        self.aws.clients.sqs.delete_message_batch(
            QueueUrl=self._urls[service],
            Entries=[{"Id": str(n), "ReceiptHandle": each["ReceiptHandle"]} for n, each in enumerate(messages)],
        )
