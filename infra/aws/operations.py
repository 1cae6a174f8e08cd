"""What an operator asks of channels on AWS."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from infra.aws.clients import Clients
from infra.aws.dynamodb import DynamoTimers
from infra.aws.names import Names
from infra.aws.queues import Queues
from shared.kernel.errors import ConfigurationError
from shared.kernel.ports import Depth

if TYPE_CHECKING:
    from types_boto3_sqs.literals import QueueAttributeNameType

_NOW: "QueueAttributeNameType" = "ApproximateNumberOfMessages"
_LATER: "QueueAttributeNameType" = "ApproximateNumberOfMessagesDelayed"
_LEASED: "QueueAttributeNameType" = "ApproximateNumberOfMessagesNotVisible"


class AwsOperations:
    """Counts are SQS's approximate ones; a pause disables the event source mapping that feeds a function."""

    def __init__(self, clients: Clients, queues: Queues, names: Names, timers: DynamoTimers) -> None:
        self._clients = clients
        self._queues = queues
        self._names = names
        self._timers = timers

    def depth(self, service: str) -> Depth:
        """See Operations."""
        channel, dead = self._counts(self._names.queue(service)), self._counts(self._names.dead(service))
        mappings = self._mappings(service)
        paused = bool(mappings) and all(mapping["State"] in ("Disabled", "Disabling") for mapping in mappings)
        return Depth(channel[_NOW] + channel[_LATER], channel[_LEASED], sum(dead.values()), paused)

    def _counts(self, queue: str) -> dict[str, int]:
        answer = self._clients.sqs.get_queue_attributes(
            QueueUrl=self._queues.url(queue), AttributeNames=[_NOW, _LATER, _LEASED]
        )
        return {name: int(count) for name, count in answer["Attributes"].items()}

    def pause(self, service: str) -> None:
        """See Operations."""
        self._enable(service, enabled=False)

    def resume(self, service: str) -> None:
        """See Operations."""
        self._enable(service, enabled=True)

    def waiting(self, service: str) -> Iterator[bytes]:
        """See Operations. Timers only: SQS shows nobody what waits in a queue."""
        return (timer.message.body for timer in self._timers.all() if timer.message.to == service)

    def timers(self) -> int:
        """See Operations."""
        return sum(1 for _ in self._timers.all())

    def _enable(self, service: str, *, enabled: bool) -> None:
        mappings = self._mappings(service)
        if not mappings:
            raise ConfigurationError(f"no function reads the queue '{self._names.queue(service)}': deploy first")
        for mapping in mappings:
            self._clients.functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=enabled)

    def _mappings(self, service: str) -> list[Any]:
        pages = self._clients.functions.get_paginator("list_event_source_mappings").paginate(
            EventSourceArn=self._queues.arn(self._names.queue(service))
        )
        return [mapping for page in pages for mapping in page["EventSourceMappings"]]
