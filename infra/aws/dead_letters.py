"""Dead letters on SQS: the untouched original in a queue of its own, with the reason in attributes beside it."""

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from infra.attributes import ATTEMPTS, LAST, REASON, failure_in, of_failure
from infra.aws.batches import BATCH_COUNT, Attributes, escaped, text
from infra.aws.clients import Clients
from infra.aws.names import Names
from infra.aws.queues import Letter, Queues
from infra.aws.records import Receipt, arrived, number_in, packed
from shared.kernel.errors import PublishFailed, TrefoilError
from shared.kernel.outcome import Failure, deliveries_exhausted
from shared.kernel.ports import Parked

if TYPE_CHECKING:
    from types_boto3_sqs.literals import QueueAttributeNameType

LEASE_SECONDS = 120
"""For how long a listing hides what it reads; it shows everything again when it ends, unless it is killed."""

ERROR_CODE = "ErrorCode"
"""The attribute by which SNS says why it could not deliver a message."""

LISTING_SECONDS = 90
"""How long a listing reads at most: what it read first must not show itself before it ends, or it never would."""


def failure_attributes(failure: Failure, attempts: int, first: float, last: float) -> Attributes:
    """Why and when, as attributes."""
    told = of_failure(failure, attempts, first, last)
    return {name: text(escaped(value)) for name, value in told.items()}


class SqsDeadLetters:
    """A dead-letter queue a service. A listing is a sample, as every reading of a queue is."""

    def __init__(self, clients: Clients, queues: Queues, names: Names) -> None:
        self._clients = clients
        self._queues = queues
        self._names = names
        self._handles: dict[tuple[str, str], tuple[str, Attributes]] = {}

    def parked(self, service: str) -> Iterator[Parked]:
        """See DeadLetters. Hides what it reads while it reads, so that it ends; then shows it again."""
        url = self._queues.url(self._names.dead(service))
        patience = self._patience(url)
        end = time.monotonic() + LISTING_SECONDS
        handles: list[str] = []
        try:
            while time.monotonic() < end and (found := self._receive(url, patience)):
                for message in found:
                    handles.append(message["ReceiptHandle"])
                    yield self._parked(service, message)
        finally:
            self._show_again(url, handles)

    def _patience(self, url: str) -> int:
        """Seconds to wait for an answer: with some, SQS asks all its servers; where it counts none, without."""
        name: QueueAttributeNameType = "ApproximateNumberOfMessages"
        answer = self._clients.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])
        return int(answer["Attributes"][name] != "0")

    def _receive(self, url: str, patience: int) -> Sequence[Any]:
        return self._clients.sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=BATCH_COUNT,
            WaitTimeSeconds=patience,
            VisibilityTimeout=LEASE_SECONDS,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
        ).get("Messages", ())

    def _show_again(self, url: str, handles: Sequence[str]) -> None:
        for start in range(0, len(handles), BATCH_COUNT):
            ten = enumerate(handles[start : start + BATCH_COUNT])
            with suppress(BotoCoreError, ClientError):  # it shows itself when the lease ends
                self._clients.sqs.change_message_visibility_batch(
                    QueueUrl=url,
                    Entries=[{"Id": str(n), "ReceiptHandle": handle, "VisibilityTimeout": 0} for n, handle in ten],
                )

    def _parked(self, service: str, message: Any) -> Parked:
        attributes = message.get("MessageAttributes", {})
        delivery = arrived(message, service)
        receipt: Receipt = delivery.receipt
        self._handles[service, receipt.id] = (message["ReceiptHandle"], receipt.attributes)
        told = REASON in attributes or ERROR_CODE in attributes
        # What a redrive policy moved goes on counting, listings included, of which this is one.
        attempts = int(number_in(attributes, ATTEMPTS, 0)) if told else delivery.attempts - 1
        return Parked(
            receipt.id,
            service,
            _failure(attributes, attempts),
            attempts,
            receipt.first,
            number_in(attributes, LAST, receipt.first),
            delivery.body,
            delivery.attributes,
        )

    def replay(self, letter: Parked) -> None:
        """See DeadLetters. Raises TrefoilError when the letter was not listed before, PublishFailed when not sent."""
        _, attributes = self._listed(letter)
        again = Letter(letter.body.decode(), packed(attributes, {"to": text(letter.service)}))
        faults = self._queues.send(self._names.queue(letter.service), [again])
        if faults:
            raise PublishFailed(f"dead letter {letter.service}/{letter.id} was not sent again: {faults[0]}")
        self.drop(letter)

    def drop(self, letter: Parked) -> None:
        """See DeadLetters."""
        handle, _ = self._listed(letter)
        sqs = self._clients.sqs
        with suppress(sqs.exceptions.ReceiptHandleIsInvalid):  # it is gone
            sqs.delete_message(QueueUrl=self._queues.url(self._names.dead(letter.service)), ReceiptHandle=handle)

    def _listed(self, letter: Parked) -> tuple[str, Attributes]:
        try:
            return self._handles[letter.service, letter.id]
        except KeyError:
            raise TrefoilError(f"dead letter {letter.service}/{letter.id} was not listed by this process") from None


def _failure(attributes: Attributes, attempts: int) -> Failure:
    """Ours, or SNS's where it could not deliver, or none, where a redrive policy moved what no function survived."""
    said = {name: str(value.get("StringValue", "")) for name, value in attributes.items()}
    if ours := failure_in(said):
        return ours
    if said.get(ERROR_CODE):
        return Failure("Undeliverable", said[ERROR_CODE], said.get("ErrorMessage", ""), "SNS")
    return deliveries_exhausted(attempts)
