"""Dead letters on Service Bus: the untouched original in a queue of its own, with the reason in its properties."""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from infra.attributes import ATTEMPTS, LAST, failure_in, number
from infra.azure.clients import UNSETTLED, Clients
from infra.azure.names import Names
from infra.azure.records import Receipt, arrived, texts
from infra.azure.senders import Letter, Senders
from shared.kernel.errors import PublishFailed, TrefoilError
from shared.kernel.outcome import Failure, deliveries_exhausted
from shared.kernel.ports import Delivery, Parked

PAGE = 250
"""Messages that one look into a queue shows at most."""

PATIENCE_SECONDS = 2.0
"""How long removing waits for a letter that another may hold."""

CRASHED = "MaxDeliveryCountExceeded"
"""Service Bus's reason for what was delivered as often as the queue allows."""

_REASON, _WHY = "DeadLetterReason", "DeadLetterErrorDescription"
"""Properties that Service Bus adds to what it moves."""
_DELIVERIES = re.compile(r"after (\d+) delivery attempt")
"""In the description: a message that was forwarded is counted anew."""


class ServiceBusDeadLetters:
    """A dead-letter queue a service. Looking takes no lock and shows all; only what is locked can be removed.

    What is locked on the way to a letter stays so until `release`, so that no search meets it again.
    """

    def __init__(self, clients: Clients, senders: Senders, names: Names) -> None:
        self._clients = clients
        self._senders = senders
        self._names = names
        self._seen: dict[tuple[str, str], Receipt] = {}
        self._locked: dict[tuple[str, str], Any] = {}

    def parked(self, service: str) -> Iterator[Parked]:
        """See DeadLetters."""
        for message in looked_into(self._clients, self._names.dead(service)):
            yield self._parked(arrived(message, service), message, service)

    def _parked(self, delivery: Delivery, message: Any, service: str) -> Parked:
        receipt: Receipt = delivery.receipt
        self._seen[service, receipt.id] = receipt
        told = texts(message.application_properties)
        ours = failure_in(told)
        attempts = int(number(told.get(ATTEMPTS), delivery.attempts)) if ours else _deliveries(told, delivery.attempts)
        return Parked(
            receipt.id,
            service,
            ours or _brokers(told, attempts),
            attempts,
            receipt.first,
            number(told.get(LAST), receipt.first),
            delivery.body,
            delivery.attributes,
        )

    def replay(self, letter: Parked) -> None:
        """See DeadLetters. Raises TrefoilError when the letter was not listed before, PublishFailed when not sent."""
        receipt = self._receipt(letter)
        again = Letter(
            f"{self._names.dead(letter.service)}:{receipt.id}",
            letter.body,
            {**receipt.properties, "to": letter.service},
            receipt.content_type,
            receipt.subject,
            receipt.correlation_id,
        )
        faults = self._senders.to_queue(self._names.queue(letter.service), [again])
        if faults:
            raise PublishFailed(f"dead letter {letter.service}/{letter.id} was not sent again: {faults[0]}")
        self.drop(letter)

    def drop(self, letter: Parked) -> None:
        """See DeadLetters."""
        self._receipt(letter)
        if message := self._lock(letter.service, letter.id):
            with suppress(*UNSETTLED):
                self._clients.receiver(self._names.dead(letter.service)).complete_message(message)

    def release(self) -> None:
        """Give back what was locked and not removed."""
        for (service, _), message in self._locked.items():
            with suppress(*UNSETTLED):
                self._clients.receiver(self._names.dead(service)).abandon_message(message)
        self._locked.clear()

    def _lock(self, service: str, id_: str) -> Any:
        receiver = self._clients.receiver(self._names.dead(service))
        while (service, id_) not in self._locked:
            found = receiver.receive_messages(max_message_count=PAGE, max_wait_time=PATIENCE_SECONDS)
            if not found:
                return None
            self._locked |= {(service, str(message.sequence_number)): message for message in found}
        return self._locked.pop((service, id_))

    def _receipt(self, letter: Parked) -> Receipt:
        try:
            return self._seen[letter.service, letter.id]
        except KeyError:
            raise TrefoilError(f"dead letter {letter.service}/{letter.id} was not listed by this process") from None


def looked_into(clients: Clients, queue: str) -> Iterator[Any]:
    """Everything that a queue holds, oldest first, locked and scheduled messages included; takes no lock."""
    receiver, first = clients.receiver(queue), 1  # without a number the SDK goes on where the last look ended
    while found := receiver.peek_messages(max_message_count=PAGE, sequence_number=first):
        yield from found
        first = (found[-1].sequence_number or 0) + 1


def _deliveries(told: Mapping[str, str], counted: int) -> int:
    found = _DELIVERIES.search(told.get(_WHY, ""))
    return int(number(told.get(ATTEMPTS), 0)) + int(found[1]) if found else counted


def _brokers(told: Mapping[str, str], attempts: int) -> Failure:
    """Why Service Bus itself moved it: no function lived to settle it, as often as allowed, or a reason of its own."""
    if told.get(_REASON, CRASHED) == CRASHED:
        return deliveries_exhausted(attempts)
    return Failure("Undeliverable", told[_REASON], told.get(_WHY, ""), "broker")
