"""A deployment for one test, as Terraform would make it, but that its subscriptions are pulled from, not pushed by.

Two things that the emulators lack are made up for here: filters, which the Pub/Sub emulator stores and does not obey,
and the schedule that rings for the tick.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest
from google.api_core.exceptions import AlreadyExists
from msgspec import structs

from infra.emulators.pubsub_filters import compiled
from infra.gcp.bus import PubsubBus
from infra.gcp.channels import PubsubChannels
from infra.gcp.clients import Clients
from infra.gcp.dead_letters import PubsubDeadLetters
from infra.gcp.names import Names
from infra.gcp.operations import GcpOperations
from infra.gcp.subscriptions import Subscriptions
from infra.gcp.wiring import Gcp
from shared.kernel.catalog import Catalog
from shared.kernel.ports import Delivery
from shared.kernel.timers import tick
from shared.kernel.topology import asyncapi
from tests.support.gcp_emulators import GcpEmulator

PROJECT = "trefoil-tests"


def names_for(place: Path) -> Names:
    """Names that one test, and its processes, have to themselves."""
    return Names("t" + blake2b(str(place).encode(), digest_size=6).hexdigest(), "test")


_clients: dict[tuple[str, str], Clients] = {}
"""Pub/Sub's clients are made once for all tests: making them takes longer than most of them."""


def clients_for(names: Names) -> Clients:
    """The clients that this process uses: Pub/Sub's are shared, a database's are not."""
    host = os.environ["PUBSUB_EMULATOR_HOST"]
    made = Clients(PROJECT, names.database, host)
    shared = _clients.setdefault((host, ""), Clients(PROJECT, "", host))
    made._made |= {"publisher": shared.publisher, "subscriber": shared.subscriber}
    return made


@contextmanager
def at_google(pubsub: GcpEmulator, firestore: GcpEmulator) -> Iterator[None]:
    """Clients of this process, and of those it starts, go to the emulators."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**pubsub.exports, **firestore.exports, "GOOGLE_CLOUD_PROJECT": PROJECT}.items():
            patch.setenv(name, value)
        yield


class Obedient(Subscriptions):
    """Subscriptions that obey their filters, as Pub/Sub's do."""

    def __init__(self, clients: Clients, names: Names) -> None:
        super().__init__(clients, names)
        self._filters: dict[str, Any] = {}

    def pull(self, subscription: str, limit: int, patience: float) -> Sequence[Any]:
        while found := super().pull(subscription, limit, patience):
            wanted = [each for each in found if self._lets_in(subscription, dict(each.message.attributes))]
            self.acknowledge((subscription, each.ack_id) for each in found if each not in wanted)
            if wanted:
                return wanted
        return ()

    def _lets_in(self, subscription: str, attributes: dict[str, str]) -> bool:
        if subscription not in self._filters:
            stored = self._clients.subscriber.get_subscription(subscription=subscription).filter
            self._filters[subscription] = compiled(stored)
        return self._filters[subscription](attributes)


class Ringing(PubsubChannels):
    """Channels in a world whose schedule rings as often as somebody looks."""

    def __init__(self, bus: PubsubBus, *rest: Any) -> None:
        super().__init__(*rest)
        self._bus = bus

    def lease(self, service: str, limit: int, seconds: float) -> list[Delivery]:
        tick(self._timers, self._bus, self._clock)
        return super().lease(service, limit, seconds)


class Pulled(Gcp):
    """A deployment whose subscriptions are pulled from."""

    def __init__(self, names: Names, clients: Clients) -> None:
        super().__init__(names, clients)
        self.subscriptions = Obedient(clients, names)
        self.channels = Ringing(self.bus, self.topics, self.subscriptions, names, self.timers, self.clock)
        self.system = structs.replace(
            self.system,
            channels=self.channels,
            dead_letters=PubsubDeadLetters(self.topics, self.subscriptions, names, patience=0.3),
            operations=GcpOperations(clients, self.subscriptions, self.timers),
        )


def opened(place: Path) -> Pulled:
    """The deployment of the test that has this place."""
    names = names_for(place)
    return Pulled(names, clients_for(names))


def provision(gcp: Gcp, catalog: Catalog, *, push_to: str = "") -> None:
    """Make topics and subscriptions, unless they are there; the emulator makes databases by itself."""
    make_topic(gcp, gcp.names.topic)
    for channel in asyncapi(catalog)["channels"].values():
        ours = channel["x-trefoil"]
        if ours["role"] != "service":
            continue
        service, expression = ours["service"], ours["pubsubFilter"]
        dead = gcp.names.dead(service)
        make_topic(gcp, dead)
        subscribe(gcp, dead, dead)
        policy = {"dead_letter_topic": gcp.topics.path(dead), "max_delivery_attempts": ours["deliveryLimit"]}
        subscribe(
            gcp,
            gcp.names.topic,
            gcp.names.subscription(service, expression),
            filter=expression,
            dead_letter_policy=policy,
            push_config={"push_endpoint": push_to} if push_to else {},
        )


def make_topic(gcp: Gcp, name: str) -> None:
    with suppress(AlreadyExists):
        gcp.clients.publisher.create_topic(name=gcp.topics.path(name))


def subscribe(gcp: Gcp, topic: str, name: str, **settings: Any) -> None:
    request = {"name": gcp.subscriptions.path(name), "topic": gcp.topics.path(topic), **settings}
    with suppress(AlreadyExists):
        gcp.clients.subscriber.create_subscription(request=request)
