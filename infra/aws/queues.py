"""Queues by name: their addresses, and sending to them."""

from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from msgspec import Struct

from infra.aws.batches import Attributes, batches, send, size_of
from infra.aws.clients import Clients
from shared.kernel.errors import ConfigurationError

LONGEST_DELAY = 900
"""Seconds; SQS delays a message no longer."""


class Letter(Struct, frozen=True):
    """One message to be sent to a queue."""

    body: str
    attributes: Attributes
    delay: int = 0
    """Seconds, at most LONGEST_DELAY."""

    @property
    def size(self) -> int:
        """Bytes, as SQS and SNS count them."""
        return size_of(self.body, self.attributes)


class Queues:
    """The deployment's queues; an address is asked for when it is first needed."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._urls: dict[str, str] = {}

    def url(self, queue: str) -> str:
        """A queue's address; raises ConfigurationError when there is no such queue."""
        if queue not in self._urls:
            sqs = self._clients.sqs
            try:
                self._urls[queue] = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
            except sqs.exceptions.QueueDoesNotExist as error:
                raise ConfigurationError(
                    f"there is no queue '{queue}' in {sqs.meta.region_name}: deploy first, or set TREFOIL_NAME,"
                    " TREFOIL_STAGE and AWS_REGION to those of the deployment"
                ) from error
        return self._urls[queue]

    def arn(self, queue: str) -> str:
        """A queue's ARN."""
        answer = self._clients.sqs.get_queue_attributes(QueueUrl=self.url(queue), AttributeNames=["QueueArn"])
        return answer["Attributes"]["QueueArn"]

    def send(self, queue: str, letters: Sequence[Letter]) -> dict[int, str]:
        """Send letters; return the positions of those that were not confirmed, and why."""
        try:
            url = self.url(queue)
        except (BotoCoreError, ClientError, ConfigurationError) as error:
            return dict.fromkeys(range(len(letters)), str(error))
        faults: dict[int, str] = {}
        for batch in batches(enumerate(letters), lambda numbered: numbered[1].size):
            faults |= send(dict(batch), lambda left: self._send(url, left))
        return faults

    def _send(self, url: str, letters: Mapping[int, Letter]) -> Any:
        return self._clients.sqs.send_message_batch(
            QueueUrl=url,
            Entries=[
                {
                    "Id": str(number),
                    "MessageBody": letter.body,
                    "MessageAttributes": letter.attributes,
                    "DelaySeconds": letter.delay,
                }
                for number, letter in letters.items()
            ],
        )
