"""Dead letters on Pub/Sub: the untouched original, kept by a topic's subscription, with the reason in attributes."""

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping

from infra.attributes import ATTEMPTS, FIRST, LAST, failure_in, number
from infra.gcp.names import Names
from infra.gcp.records import DELIVERIES, PUBLISHED, Receipt, arrived, seconds, with_room
from infra.gcp.subscriptions import Handle, Subscriptions
from infra.gcp.topics import Letter, Topics
from shared.kernel.errors import PublishFailed, TrefoilError
from shared.kernel.outcome import deliveries_exhausted
from shared.kernel.ports import Delivery, Parked

LEASE_SECONDS = 300
"""For how long a listing hides what it reads, unless it is released before: only what is leased can be removed."""

LISTING_SECONDS = 90
"""How long a listing reads at most: well below the lease, which what comes of it takes, too."""

PATIENCE_SECONDS = 1.5
"""How long a listing waits for more: Pub/Sub does not say that there is none."""

PULL = 100
"""Messages a call."""


class PubsubDeadLetters:
    """A dead-letter topic a service. A listing is a sample, as every reading of a subscription is.

    What was listed stays hidden until it is listed again, or `release` shows it.
    """

    def __init__(
        self, topics: Topics, subscriptions: Subscriptions, names: Names, patience: float = PATIENCE_SECONDS
    ) -> None:
        self._topics = topics
        self._subscriptions = subscriptions
        self._names = names
        self._patience = patience
        self._listed: dict[tuple[str, str], Receipt] = {}
        self._held: dict[str, list[Handle]] = defaultdict(list)

    def parked(self, service: str) -> Iterator[Parked]:
        """See DeadLetters. Hides what it reads, so that it ends."""
        self._show_again(service)
        subscription = self._subscriptions.path(self._names.dead(service))
        end = time.monotonic() + LISTING_SECONDS
        while time.monotonic() < end and (found := self._subscriptions.pull(subscription, PULL, self._patience)):
            handles = [(subscription, each.ack_id) for each in found]
            self._subscriptions.hide(handles, LEASE_SECONDS)
            self._held[service] += handles
            for each in found:
                yield self._parked(arrived(each, subscription, service), dict(each.message.attributes), service)

    def release(self) -> None:
        """Show everybody what was listed, less what was removed."""
        for service in list(self._held):
            self._show_again(service)

    def _show_again(self, service: str) -> None:
        self._subscriptions.hide(self._held.pop(service, ()), 0)

    def _parked(self, delivery: Delivery, attributes: Mapping[str, str], service: str) -> Parked:
        receipt: Receipt = delivery.receipt
        self._listed[service, receipt.id] = receipt
        told = failure_in(attributes)
        # A copy that Pub/Sub gave up has both: the tries before it was put aside, and the deliveries after.
        deliveries = 0 if told else number(attributes.get(DELIVERIES), 0)
        attempts = int(number(attributes.get(ATTEMPTS), 0) + deliveries)
        first = number(attributes.get(FIRST), seconds(attributes.get(PUBLISHED, "")) or receipt.first)
        return Parked(
            receipt.id,
            service,
            told or deliveries_exhausted(attempts),
            attempts,
            first,
            number(attributes.get(LAST), receipt.first),
            delivery.body,
            delivery.attributes,
        )

    def replay(self, letter: Parked) -> None:
        """See DeadLetters. Raises TrefoilError when the letter was not listed before, PublishFailed when not sent."""
        receipt = self._receipt(letter)
        attributes = with_room(receipt.attributes, {"to": letter.service})
        faults = self._topics.send(self._names.topic, [Letter(letter.body, attributes, receipt.ordering_key)])
        if faults:
            raise PublishFailed(f"dead letter {letter.service}/{letter.id} was not sent again: {faults[0]}")
        self.drop(letter)

    def drop(self, letter: Parked) -> None:
        """See DeadLetters."""
        handle = self._receipt(letter).handle
        self._subscriptions.acknowledge([handle])
        self._held[letter.service] = [each for each in self._held[letter.service] if each != handle]

    def _receipt(self, letter: Parked) -> Receipt:
        try:
            return self._listed[letter.service, letter.id]
        except KeyError:
            raise TrefoilError(f"dead letter {letter.service}/{letter.id} was not listed by this process") from None
