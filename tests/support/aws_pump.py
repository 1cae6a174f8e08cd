"""What Lambda does between a queue and a function: polls, shapes the event, deletes what was not refused."""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from functions.aws.handler import Function
from infra.aws.wiring import Aws
from tests.support.cloud import Handed

SECONDS = 60.0
"""How long an invocation may take."""

BATCH = 10

Record = dict[str, Any]


class Context:
    """As much of an invocation's context as functions ask for."""

    aws_request_id = "00000000-0000-0000-0000-000000000000"

    def __init__(self, seconds: float = SECONDS) -> None:
        self._end = time.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        return int(1000 * (self._end - time.monotonic()))


def shaped(message: Mapping[str, Any]) -> Record:
    """A polled message as a record of an event (Lambda developer guide, "Using Lambda with Amazon SQS")."""
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": dict(message["Attributes"]),
        "messageAttributes": {
            name: {
                "stringValue": value["StringValue"],
                "stringListValues": [],
                "binaryListValues": [],
                "dataType": value["DataType"],
            }
            for name, value in message.get("MessageAttributes", {}).items()
        },
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "awsRegion": "us-east-1",
    }


class Mappings:
    """The event source mappings of a deployment: its `Line`."""

    most = BATCH
    rings = False
    """A deferral is a copy in the queue, delayed."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._sqs = aws.clients.sqs

    def poll(self, service: str, seconds: int) -> list[Handed]:
        """See Line."""
        found = self._sqs.receive_message(
            QueueUrl=self._url(service),
            MaxNumberOfMessages=BATCH,
            VisibilityTimeout=seconds,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        )
        records = map(shaped, found.get("Messages", ()))
        return [Handed(record["messageId"], record["receiptHandle"], record) for record in records]

    def hand(self, function: Function, handed: Sequence[Handed]) -> set[str]:
        """See Line."""
        answer = function.handle({"Records": [message.event for message in handed]}, Context())
        return {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}

    def settle(self, service: str, handed: Sequence[Handed], staying: set[str]) -> None:
        """See Line."""
        gone = [message.handle for message in handed if message.id not in staying]
        if gone:
            entries = [{"Id": str(number), "ReceiptHandle": handle} for number, handle in enumerate(gone)]
            self._sqs.delete_message_batch(QueueUrl=self._url(service), Entries=entries)

    def died(self, handed: Sequence[Handed]) -> None:
        """See Line. Lambda does nothing: messages show themselves when they were hidden long enough."""

    def waiting(self, service: str) -> int:
        """See Line."""
        depth = self._aws.system.operations.depth(service)
        return (depth.waiting or 0) + (depth.leased or 0)

    def empty(self, services: Iterable[str], _: float) -> bool:
        """See Line."""
        return not any(map(self.waiting, services))

    def _url(self, service: str) -> str:
        return self._aws.queues.url(self._aws.names.queue(service))
