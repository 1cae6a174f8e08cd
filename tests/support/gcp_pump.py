"""What Pub/Sub does between a subscription and a function: filters, pushes one message a request, obeys the answer.

Its emulator could push by itself, but neither counts deliveries in what it pushes nor obeys filters. It does count what
is pulled, and moves to the dead letters what was delivered too often. So messages are pulled here, and handed over as
pushes are.
"""

import random
from base64 import b64encode
from collections import defaultdict
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any

from flask import Request
from google.pubsub_v1.types import PullRequest
from werkzeug.test import EnvironBuilder

from functions.gcp.main import Function
from infra.gcp.bus import Copy
from infra.gcp.wiring import Gcp
from tests.support.cloud import Handed
from tests.support.gcp import Obedient

LOOK = 50
"""Messages that one look takes; most of them are for others, as long as the emulator obeys no filter."""

QUIET = 0.5
"""Seconds without a message, after which there is none: Pub/Sub tells no counts."""

KEPT = (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS)
"""The answers by which a function asks for a message again."""


class Looking(Obedient):
    """Does not wait for a first message: a pull that is given up may take one with it."""

    def look(self, subscription: str) -> Sequence[Any]:
        """What is there, and is let in."""
        # The client would warn that this is slow on the cloud, where it asks one server of many.
        pull = self._clients.subscriber.transport.pull
        while found := pull(PullRequest(subscription=subscription, max_messages=LOOK, return_immediately=True)):
            if not found.received_messages:
                break
            wanted = [each for each in found.received_messages if self.lets_in(subscription, each)]
            others = [each for each in found.received_messages if each not in wanted]
            self.acknowledge((subscription, each.ack_id) for each in others)
            if wanted:
                return wanted
        return ()

    def lets_in(self, subscription: str, received: Any) -> bool:
        return self._lets_in(subscription, dict(received.message.attributes))


def pushed(received: Any, subscription: str) -> dict[str, Any]:
    """The body of a push (Pub/Sub documentation, "Receive messages with push subscriptions")."""
    message = received.message
    published = message.publish_time.isoformat().replace("+00:00", "Z")
    return {
        "message": {
            "attributes": dict(message.attributes),
            "data": b64encode(message.data).decode(),
            "messageId": message.message_id,
            "message_id": message.message_id,
            "publishTime": published,
            "publish_time": published,
        },
        "subscription": subscription,
        "deliveryAttempt": received.delivery_attempt,
    }


def request(body: dict[str, Any]) -> Request:
    """As Flask gives it to a function."""
    return Request(EnvironBuilder(method="POST", json=body).get_environ())


class Pushes:
    """The push subscriptions of a deployment: its `Line`."""

    most = 1
    rings = True
    """A deferral waits in the index of timers."""

    def __init__(self, gcp: Gcp) -> None:
        self._gcp = gcp
        self._subscriptions = Looking(gcp.clients, gcp.names)
        self._staying: defaultdict[str, set[str]] = defaultdict(set)
        self._chance = random.Random(1)

    def poll(self, service: str, seconds: int) -> list[Handed]:
        """See Line."""
        found = [
            Handed(each.message.message_id, (subscription, each.ack_id), pushed(each, subscription))
            for subscription in self._subscriptions.of(service)
            for each in self._subscriptions.look(subscription)
        ]
        if seconds:
            self._subscriptions.hide([message.handle for message in found], seconds)
        self._chance.shuffle(found)
        return found

    def hand(self, function: Function, handed: Sequence[Handed]) -> set[str]:
        """See Line."""
        answers = {message.id: function.handle(request(message.event)) for message in handed}
        assert set(answers.values()) <= {HTTPStatus.NO_CONTENT, *KEPT}, answers
        return {id_ for id_, answer in answers.items() if answer in KEPT}

    def settle(self, service: str, handed: Sequence[Handed], staying: set[str]) -> None:
        """See Line. What stays comes again at once, for the retry policy's least wait is longer than a test."""
        ids = {message.id for message in handed}
        self._subscriptions.acknowledge(message.handle for message in handed if message.id not in staying)
        self._subscriptions.hide([message.handle for message in handed if message.id in staying], 0)
        self._staying[service] = self._staying[service] - ids | staying

    def died(self, handed: Sequence[Handed]) -> None:
        """See Line. For Pub/Sub, a connection that broke is a refusal."""
        self._subscriptions.hide([message.handle for message in handed], 0)

    def waiting(self, service: str) -> int:
        """See Line."""
        return len(self._staying[service])

    def empty(self, _: Iterable[str], quiet: float) -> bool:
        """See Line."""
        return quiet > QUIET and not any(isinstance(timer.message, Copy) for timer in self._gcp.timers.all())
