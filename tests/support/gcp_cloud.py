"""Google Cloud, as the fault tests know it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from flask import Request
from msgspec import structs
from werkzeug.test import EnvironBuilder

from functions.gcp import main
from functions.gcp.main import Function
from infra.gcp import wiring
from infra.gcp.dead_letters import PubsubDeadLetters
from infra.gcp.topics import Letter
from infra.gcp.wiring import Gcp
from shared.kernel.catalog import Catalog
from shared.kernel.ports import Parked
from tests.support.cloud import Cloud, Staged, subject_of
from tests.support.gcp import at_google, clients_for, names_for, provision, subscribe
from tests.support.gcp_pump import Looking, Pushes
from tests.support.gcp_weather import GcpWeather

WITNESS = "witness"

PATIENCE = 0.3
"""Seconds that a listing of dead letters waits for more: the emulator is near."""


class Desk(PubsubDeadLetters):
    """Shows what it listed as soon as it did, for others list it as well."""

    def parked(self, service: str) -> Iterator[Parked]:
        yield from super().parked(service)
        self.release()


class GcpDeployment(Staged, Gcp):
    """See Deployment."""

    function = Function

    def __init__(self, place: Path, catalog: Catalog, providers: Mapping[str, Any]) -> None:
        names = names_for(place)
        super().__init__(names, clients_for(names))
        desk = Desk(self.topics, self.subscriptions, names, PATIENCE)
        self.system = structs.replace(self.system, dead_letters=desk)
        self.catalog = catalog
        self.providers = providers

    def line(self) -> Pushes:
        """See Deployment."""
        return Pushes(self)

    def provision(self, _: int) -> None:
        """See Deployment. The witness is a subscription without a filter."""
        provision(self, self.catalog)
        subscribe(self, self.names.topic, self._witness)

    def witnessed(self) -> Iterator[bytes]:
        """See Deployment."""
        subscription = self.subscriptions.path(self._witness)
        looking = Looking(self.clients, self.names)
        while found := looking.look(subscription):
            looking.acknowledge((subscription, each.ack_id) for each in found)
            yield from (each.message.data for each in found)

    @property
    def _witness(self) -> str:
        return f"{self.names.prefix}-{WITNESS}"

    def ring(self) -> None:
        """See Deployment."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(main, "_gcp", lambda: self)
            main.tick(Request(EnvironBuilder(method="POST").get_environ()))

    def put(self, service: str, *bodies: bytes) -> None:
        """See Deployment."""
        letters = [Letter(body, {"to": service}) for body in bodies]
        assert self.topics.send(self.names.topic, letters) == {}

    def move_back(self, service: str, subject: str) -> None:
        """See Deployment. As whoever subscribes to the dead letters publishes them: with all that they came with."""
        dead = self.subscriptions.path(self.names.dead(service))
        found = self.subscriptions.pull(dead, 100, PATIENCE)
        ours = [each for each in found if subject_of(each.message.data) == subject]
        letters = [Letter(each.message.data, dict(each.message.attributes)) for each in ours]
        assert self.topics.send(self.names.topic, letters) == {}
        self.subscriptions.acknowledge((dead, each.ack_id) for each in ours)
        self.subscriptions.hide([(dead, each.ack_id) for each in found if each not in ours], 0)

    def limit_deliveries(self, service: str, count: int) -> None:
        """See Deployment."""
        dead = self.topics.path(self.names.dead(service))
        for subscription in self.subscriptions.of(service):
            policy = {"dead_letter_topic": dead, "max_delivery_attempts": count}
            request = {
                "subscription": {"name": subscription, "dead_letter_policy": policy},
                "update_mask": {"paths": ["dead_letter_policy"]},
            }
            self.clients.subscriber.update_subscription(request=request)


@contextmanager
def command_line(place: Path) -> Iterator[None]:
    """See Cloud."""
    names = names_for(place)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TREFOIL_NAME", names.name)
        patch.setenv("TREFOIL_STAGE", names.stage)
        patch.setattr(wiring, "PubsubDeadLetters", partial(PubsubDeadLetters, patience=PATIENCE))
        yield


CLOUD = Cloud("gcp", ("pubsub", "firestore"), at_google, GcpDeployment, command_line, GcpWeather)
