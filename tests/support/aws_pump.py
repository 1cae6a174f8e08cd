"""What Lambda does between a queue and a function: polls, shapes the event, deletes what was not refused."""

import random
import time
from collections.abc import Mapping, Sequence
from typing import Any

from functions.aws.handler import Function
from infra.aws.wiring import Aws

SECONDS = 60.0
"""How long an invocation may take."""

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


class Pump:
    """Event source mappings of a deployment, on clients of their own: they are Lambda's, not the functions'."""

    def __init__(self, aws: Aws, functions: Mapping[str, Function], seconds: int = 30) -> None:
        self._aws = aws
        self._sqs = aws.clients.sqs
        self.functions = functions
        self.seconds = seconds
        """For how long a polled message is hidden."""
        self.errors: list[Exception] = []
        """What functions raised."""

    def poll(self, service: str, most: int = 10) -> list[Record]:
        """The records of an event; none when nothing was there."""
        found = self._sqs.receive_message(
            QueueUrl=self._url(service),
            MaxNumberOfMessages=most,
            VisibilityTimeout=self.seconds,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        )
        return [shaped(message) for message in found.get("Messages", ())]

    def invoke(self, service: str, records: Sequence[Record]) -> set[str]:
        """Hand records over; return the ids of those that must stay. An error of the function keeps all of them."""
        ids = {record["messageId"] for record in records}
        try:
            answer = self.functions[service].handle({"Records": list(records)}, Context())
        except Exception as error:  # noqa: BLE001 - Lambda takes any for a failed invocation
            self.errors.append(error)
            return ids
        staying = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        assert staying <= ids, "for Lambda, an unknown identifier fails the whole batch"
        return staying

    def delete(self, service: str, records: Sequence[Record]) -> None:
        if records:
            entries = [{"Id": str(n), "ReceiptHandle": record["receiptHandle"]} for n, record in enumerate(records)]
            self._sqs.delete_message_batch(QueueUrl=self._url(service), Entries=entries)

    def once(self, service: str) -> int:
        """One event of one queue; return how many records it had."""
        if records := self.poll(service):
            staying = self.invoke(service, records)
            self.delete(service, [record for record in records if record["messageId"] not in staying])
        return len(records)

    def drain(self, chance: random.Random, patience: float = 40.0) -> None:
        """Work until every queue is empty, hidden and delayed messages included."""
        end = time.monotonic() + patience
        services = list(self.functions)
        while True:
            chance.shuffle(services)
            assert time.monotonic() < end, f"there is no end to it; functions raised {self.errors[-3:]}"
            if sum(self.once(service) for service in services):
                continue
            if not any(map(self.waiting, services)):
                return
            time.sleep(0.05)

    def waiting(self, service: str) -> int:
        """What is in a queue, in whatever condition."""
        depth = self._aws.system.operations.depth(service)
        return (depth.waiting or 0) + (depth.leased or 0)

    def _url(self, service: str) -> str:
        return self._aws.queues.url(self._aws.names.queue(service))
