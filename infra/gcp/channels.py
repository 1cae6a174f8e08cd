"""Channels on Pub/Sub: what was decided about a delivery, carried out (docs/design.md, section 3).

Always publish or write first and settle after: a crash in between leaves a copy too many, never one too few.
"""

from collections.abc import Sequence

from infra.attributes import ATTEMPTS, FIRST, of_failure
from infra.gcp.bus import Copy
from infra.gcp.firestore import FirestoreTimers
from infra.gcp.names import Names
from infra.gcp.records import FANNED_OUT, Receipt, arrived, with_room
from infra.gcp.subscriptions import Subscriptions
from infra.gcp.topics import Letter, Topics
from shared.kernel.errors import TransientError
from shared.kernel.outcome import DeadLetter, Defer, Failure, Outcome, Retry
from shared.kernel.ports import Clock, Delivery, Timer

LEASE_PATIENCE = 0.25
"""Seconds that a lease waits for a first message."""

Settlement = tuple[Delivery, Outcome]


class PubsubChannels:
    """A subscription a service. On the cloud it pushes, and the answer to a push settles it; `lease` is for pulling."""

    def __init__(
        self, topics: Topics, subscriptions: Subscriptions, names: Names, timers: FirestoreTimers, clock: Clock
    ) -> None:
        self._topics = topics
        self._subscriptions = subscriptions
        self._names = names
        self._timers = timers
        self._clock = clock

    def lease(self, service: str, limit: int, seconds: float) -> list[Delivery]:
        """See Channels. Pub/Sub refuses it to a subscription that pushes."""
        found: list[Delivery] = []
        for subscription in self._subscriptions.of(service):
            if len(found) < limit:
                received = self._subscriptions.pull(subscription, limit - len(found), LEASE_PATIENCE)
                self._subscriptions.hide([(subscription, each.ack_id) for each in received], seconds)
                found += [arrived(each, subscription, service) for each in received]
        return found

    def settle(self, service: str, settlements: Sequence[Settlement]) -> None:
        """See Channels."""
        staying = {id(delivery) for delivery in self.carry_out(service, settlements)}
        self._subscriptions.acknowledge(d.receipt.handle for d, _ in settlements if id(d) not in staying)
        for delivery, outcome in settlements:
            if isinstance(outcome, Retry):
                self._subscriptions.hide([delivery.receipt.handle], outcome.after)

    def carry_out(self, service: str, settlements: Sequence[Settlement]) -> list[Delivery]:
        """Publish dead letters and put deferrals aside; return what must stay in the channel.

        Pub/Sub delays nothing, and counts each delivery. So a deferral waits in the index of timers, with the tries
        that it has used, and the tick publishes it to its service again.
        """
        dead = [(d, self._letter(d, o.failure)) for d, o in settlements if isinstance(o, DeadLetter)]
        faults = self._topics.send(self._names.dead(service), [letter for _, letter in dead]) if dead else {}
        retried = [d for d, o in settlements if isinstance(o, Retry)]
        deferred = [(d, o.after) for d, o in settlements if isinstance(o, Defer)]
        return [*retried, *(dead[position][0] for position in faults), *self._put_aside(service, deferred)]

    def _put_aside(self, service: str, deferred: Sequence[tuple[Delivery, float]]) -> list[Delivery]:
        if not deferred:
            return []
        now = self._clock.now()
        try:
            self._timers.set([Timer(now + after, _copy(service, delivery)) for delivery, after in deferred])
        except TransientError:
            return [delivery for delivery, _ in deferred]
        return []

    def _letter(self, delivery: Delivery, failure: Failure) -> Letter:
        receipt: Receipt = delivery.receipt
        ours = of_failure(failure, delivery.attempts, receipt.first, self._clock.now())
        return Letter(delivery.body, with_room(receipt.attributes, ours), receipt.ordering_key)


def _copy(service: str, delivery: Delivery) -> Copy:
    receipt: Receipt = delivery.receipt
    ours = {ATTEMPTS: str(delivery.attempts - 1), FIRST: repr(receipt.first)}
    ours |= {} if delivery.addressed else {FANNED_OUT: "true"}
    return Copy(
        id=f"{service}:{receipt.id}",
        type=receipt.attributes.get("type", ""),
        subject=receipt.attributes.get("subject", ""),
        body=delivery.body,
        to=service,
        attributes=with_room(receipt.attributes, {**ours, "to": service}),
        ordering_key=receipt.ordering_key,
    )
