"""Channels on SQS: what was decided about a delivery, carried out (docs/design.md, section 5).

Always send first and settle after: a crash in between leaves a copy too many, never one too few.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from math import ceil
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from infra.attributes import ATTEMPTS, FIRST, REASON
from infra.aws.batches import BATCH_BYTES, BATCH_COUNT, text
from infra.aws.clients import Clients
from infra.aws.dead_letters import failure_attributes
from infra.aws.names import Names
from infra.aws.queues import LONGEST_DELAY, Letter, Queues
from infra.aws.records import Receipt, arrived, packed
from shared.kernel.outcome import DeadLetter, Defer, Failure, Outcome, Retry
from shared.kernel.ports import Clock, Delivery

LONGEST_LEASE = 43_200
"""Seconds; SQS hides a message no longer."""

Settlement = tuple[Delivery, Outcome]


class SqsChannels:
    """One queue a service."""

    def __init__(self, clients: Clients, queues: Queues, names: Names, clock: Clock) -> None:
        self._clients = clients
        self._queues = queues
        self._names = names
        self._clock = clock

    def lease(self, service: str, limit: int, seconds: float) -> list[Delivery]:
        """See Channels. At most ten come at once."""
        found = self._clients.sqs.receive_message(
            QueueUrl=self._queues.url(self._names.queue(service)),
            MaxNumberOfMessages=min(limit, BATCH_COUNT),
            VisibilityTimeout=min(ceil(seconds), LONGEST_LEASE),
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
        )
        return [arrived(message, service) for message in found.get("Messages", ())]

    def settle(self, service: str, settlements: Sequence[Settlement]) -> None:
        """See Channels."""
        self.remove(service, settlements, self.carry_out(service, settlements))

    def remove(self, service: str, settlements: Sequence[Settlement], staying: Sequence[Delivery]) -> None:
        """Delete what was carried out, but for what must stay."""
        kept = {id(delivery) for delivery in staying}
        gone = [delivery for delivery, _ in settlements if id(delivery) not in kept]
        self._each_ten(service, gone, "delete_message_batch", lambda _: {})

    def carry_out(self, service: str, settlements: Sequence[Settlement]) -> list[Delivery]:
        """Send dead letters and copies, hide what is to come again; return what must stay in the queue.

        Whoever leased the messages removes the others: a worker by `settle`, Lambda on its own.
        """
        dead = [(d, o) for d, o in settlements if isinstance(o, DeadLetter)]
        # What SNS handed over itself is in no queue that it could come back from.
        copies = [
            (d, o)
            for d, o in settlements
            if isinstance(o, Defer) or (isinstance(o, Retry) and d.receipt.handle is None)
        ]
        unsent = self._send(self._names.dead(service), [(d, self._letter(d, o.failure)) for d, o in dead])
        unsent += self._send(self._names.queue(service), [(d, self._copy(d, o)) for d, o in copies])
        hidden = {id(d): o.after for d, o in settlements if isinstance(o, Retry) and d.receipt.handle is not None}
        staying = [d for d, _ in settlements if id(d) in hidden]
        self._each_ten(
            service, staying, "change_message_visibility_batch", lambda d: {"VisibilityTimeout": ceil(hidden[id(d)])}
        )
        return [*staying, *unsent]

    def _send(self, queue: str, letters: Sequence[tuple[Delivery, Letter]]) -> list[Delivery]:
        if not letters:
            return []
        faults = self._queues.send(queue, [letter for _, letter in letters])
        return [letters[position][0] for position in faults]

    def _copy(self, delivery: Delivery, outcome: Defer | Retry) -> Letter:
        receipt: Receipt = delivery.receipt
        attempts = delivery.attempts - isinstance(outcome, Defer)
        ours = {ATTEMPTS: text(str(attempts)), FIRST: text(repr(receipt.first))}
        return Letter(delivery.body.decode(), packed(receipt.attributes, ours), min(ceil(outcome.after), LONGEST_DELAY))

    def _letter(self, delivery: Delivery, failure: Failure) -> Letter:
        receipt: Receipt = delivery.receipt
        ours = failure_attributes(failure, delivery.attempts, receipt.first, self._clock.now())
        letter = Letter(delivery.body.decode(), packed(receipt.attributes, ours))
        # The message itself may be all that fits; then the reason must.
        return letter if letter.size <= BATCH_BYTES else Letter(letter.body, {REASON: ours[REASON]})

    def _each_ten(
        self, service: str, deliveries: Sequence[Delivery], call: str, more: Callable[[Delivery], dict[str, Any]]
    ) -> None:
        """Ask for something that may fail: the message comes again when its lease ends, and is known by its id."""
        for start in range(0, len(deliveries), BATCH_COUNT):
            with suppress(BotoCoreError, ClientError):
                getattr(self._clients.sqs, call)(
                    QueueUrl=self._queues.url(self._names.queue(service)),
                    Entries=[
                        {"Id": str(number), "ReceiptHandle": delivery.receipt.handle, **more(delivery)}
                        for number, delivery in enumerate(deliveries[start : start + BATCH_COUNT])
                    ],
                )
