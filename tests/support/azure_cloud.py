"""Azure, as the fault tests know it."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from azure.servicebus._pyamqp._connection import Connection

from functions.azure import function_app
from functions.azure.function_app import Function
from infra.azure.clients import BUS, TABLES, Address, Clients
from infra.azure.dead_letters import looked_into
from infra.azure.records import body_of
from infra.azure.senders import Letter
from infra.azure.wiring import Azure
from infra.emulators.azure import ServiceBus
from shared.kernel.catalog import Catalog
from tests.support.azure import names_for
from tests.support.azure_broker import Broker, Config, properties
from tests.support.azure_emulators import AzureEmulator
from tests.support.azure_pump import PATIENCE, Triggers, open_receivers, together
from tests.support.azure_weather import AzureWeather
from tests.support.cloud import Cloud, Staged, subject_of

WITNESS = "witness"

_opened: list[tuple[Broker, Clients]] = []
"""What this process has to end."""


class AzureDeployment(Staged, Azure):
    """See Deployment."""

    function = Function

    def __init__(self, place: Path, catalog: Catalog, providers: Mapping[str, Any]) -> None:
        self.broker = Broker(place)
        clients = Clients(Address(self.broker.connection), Address(os.environ[TABLES]))
        super().__init__(names_for(place), clients)
        self.catalog = catalog
        self.providers = providers
        self._seen = 0
        _opened.append((self.broker, clients))

    def line(self) -> Triggers:
        """See Deployment."""
        return Triggers(self)

    def provision(self, hidden: int) -> None:
        """See Deployment. The witness is a queue that a subscription without a rule forwards to."""

        def change(namespace: Config) -> None:
            for queue in namespace["Queues"]:
                queue["Properties"]["LockDuration"] = f"PT{hidden}S"
            namespace["Queues"].append({"Name": self._witness})
            (topic,) = namespace["Topics"]
            topic["Subscriptions"].append({"Name": WITNESS, "Properties": {"ForwardTo": self._witness}})

        self.broker.make(self.catalog, self.names, change)
        for table in (self.names.commits, self.names.timers):
            self.clients.tables.create_table(table)

    def witnessed(self) -> Iterator[bytes]:
        """See Deployment."""
        # Who asks for this is going to ask for the dead letters.
        open_receivers(self.clients, [self._witness, *map(self.names.dead, self.catalog.services)])
        for message in looked_into(self.clients, self._witness):
            if message.sequence_number > self._seen:
                self._seen = message.sequence_number
                yield body_of(message)

    @property
    def _witness(self) -> str:
        return self.names.queue(WITNESS)

    def ring(self) -> None:
        """See Deployment."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(function_app, "_azure", lambda: self)
            function_app.tick(None)

    def put(self, service: str, *bodies: bytes) -> None:
        """See Deployment."""
        letters = [Letter(uuid4().hex, body, {"to": service}) for body in bodies]
        assert self.senders.to_queue(self.names.queue(service), letters) == {}

    def move_back(self, service: str, subject: str) -> None:
        """See Deployment. As Service Bus Explorer sends a message again: with all that it came with."""
        dead = self.names.dead(service)
        receiver = self.clients.receiver(dead)
        # If more were asked for, the receiver would have what is abandoned at once again.
        count = len(list(looked_into(self.clients, dead)))
        for message in receiver.receive_messages(count, max_wait_time=PATIENCE):
            if subject_of(body_of(message)) != subject:
                receiver.abandon_message(message)
                continue
            again = Letter(
                message.message_id,
                body_of(message),
                message.application_properties,
                message.content_type,
                message.subject,
                message.correlation_id,
            )
            assert self.senders.to_queue(self.names.queue(service), [again]) == {}
            receiver.complete_message(message)

    def limit_deliveries(self, service: str, count: int) -> None:
        """See Deployment."""
        queue = self.names.queue(service)
        self.clients.close()  # to open all anew takes the SDK less time than to notice one by one
        self.broker.remake(lambda namespace: properties(namespace, queue).update(MaxDeliveryCount=count))


@contextmanager
def command_line(place: Path) -> Iterator[None]:
    """See Cloud."""
    names = names_for(place)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TREFOIL_NAME", names.name)
        patch.setenv("TREFOIL_STAGE", names.stage)
        patch.setenv(BUS, Broker(place).connection)
        yield


@contextmanager
def at_azure(_: ServiceBus, azurite: AzureEmulator) -> Iterator[None]:
    """See Cloud. Every place has a Service Bus of its own, which ends here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(TABLES, azurite.connection)
        _hasten(patch)
        _tidy(patch)
        try:
            yield
        finally:
            together(lambda each: each[1].close(), _opened)
            together(lambda each: each[0].stop(), _opened)
            _opened.clear()


def _hasten(patch: pytest.MonkeyPatch) -> None:
    """Have the SDK look more often whether a connection is there, or can go: it is slow at noticing either."""
    hasty = SimpleNamespace(**{name: getattr(time, name) for name in ("time", "time_ns", "monotonic")})
    hasty.sleep = lambda seconds: time.sleep(seconds / 10)
    for module in ("_servicebus_receiver", "_servicebus_sender", "_pyamqp.client"):
        patch.setattr(f"azure.servicebus.{module}.time", hasty)


def _tidy(patch: pytest.MonkeyPatch) -> None:
    """Have the SDK close the sockets that the other side has closed, which it leaves to the garbage collector."""
    close = Connection.close

    def closing(connection: Connection, *arguments: Any, **named: Any) -> None:
        try:
            close(connection, *arguments, **named)
        finally:
            connection._transport.close()

    patch.setattr(Connection, "close", closing)


CLOUD = Cloud("azure", ("servicebus_emulator", "azurite"), at_azure, AzureDeployment, command_line, AzureWeather)
