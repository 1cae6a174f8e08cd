"""Channels on Service Bus: what was decided about a delivery, carried out (docs/design.md, section 3).

Always send first and settle after: a crash in between leaves a copy too many, never one too few.
"""

from collections.abc import Sequence
from contextlib import suppress

from infra.attributes import ATTEMPTS, FIRST, REASON, of_failure
from infra.azure.clients import UNSETTLED, Clients
from infra.azure.names import Names
from infra.azure.records import Receipt, arrived
from infra.azure.senders import BATCH_BYTES, Letter, Senders
from shared.kernel.outcome import DeadLetter, Defer, Failure, Outcome, Retry
from shared.kernel.ports import Clock, Delivery

LEASE_PATIENCE = 0.25
"""Seconds that a lease waits for a first message."""

Settlement = tuple[Delivery, Outcome]


class ServiceBusChannels:
    """One queue a service. How long a message is hidden is the queue's own: its lock duration."""

    def __init__(self, clients: Clients, senders: Senders, names: Names, clock: Clock) -> None:
        self._clients = clients
        self._senders = senders
        self._names = names
        self._clock = clock

    def lease(self, service: str, limit: int, seconds: float) -> list[Delivery]:  # noqa: ARG002 - the queue decides
        """See Channels."""
        receiver = self._clients.receiver(self._names.queue(service))
        found = receiver.receive_messages(max_message_count=limit, max_wait_time=LEASE_PATIENCE)
        return [arrived(message, service) for message in found]

    def settle(self, service: str, settlements: Sequence[Settlement]) -> None:
        """See Channels."""
        staying = {id(delivery) for delivery in self.carry_out(service, settlements)}
        receiver = self._clients.receiver(self._names.queue(service))
        for delivery, _ in settlements:
            with suppress(*UNSETTLED):  # it comes again when its lock ends, and is known by its id
                settle = receiver.abandon_message if id(delivery) in staying else receiver.complete_message
                settle(delivery.receipt.handle)

    def carry_out(self, service: str, settlements: Sequence[Settlement]) -> list[Delivery]:
        """Send dead letters, and copies of what is to come again; return what could not be sent, and so must stay.

        A trigger settles a whole batch alike, and Service Bus has no delay for what is abandoned. So a retry is a copy
        that is scheduled, with one try more in its properties, and so is a deferral, with none.
        """
        dead = [(d, self._letter(d, o.failure)) for d, o in settlements if isinstance(o, DeadLetter)]
        copies = [(d, self._copy(service, d, o)) for d, o in settlements if isinstance(o, Retry | Defer)]
        unsent = self._send(self._names.dead(service), dead)
        return unsent + self._send(self._names.queue(service), copies)

    def _send(self, queue: str, letters: Sequence[tuple[Delivery, Letter]]) -> list[Delivery]:
        faults = self._senders.to_queue(queue, [letter for _, letter in letters])
        return [letters[position][0] for position in faults]

    def _copy(self, service: str, delivery: Delivery, outcome: Retry | Defer) -> Letter:
        receipt: Receipt = delivery.receipt
        attempts = delivery.attempts - isinstance(outcome, Defer)
        ours = {ATTEMPTS: str(attempts), FIRST: repr(receipt.first)}
        return Letter(
            # Another than the original's, so that no duplicate detection takes one for the other.
            f"{self._names.queue(service)}:{receipt.id}",
            delivery.body,
            {**receipt.properties, **ours},
            receipt.content_type,
            receipt.subject,
            receipt.correlation_id,
            self._clock.now() + outcome.after if outcome.after > 0 else None,
        )

    def _letter(self, delivery: Delivery, failure: Failure) -> Letter:
        receipt: Receipt = delivery.receipt
        ours = of_failure(failure, delivery.attempts, receipt.first, self._clock.now())
        letter = Letter(
            receipt.id,
            delivery.body,
            {**receipt.properties, **ours},
            receipt.content_type,
            receipt.subject,
            receipt.correlation_id,
        )
        # The message itself may be all that fits; then the reason must.
        return letter if letter.size <= BATCH_BYTES else Letter(receipt.id, letter.body, {REASON: ours[REASON]})
