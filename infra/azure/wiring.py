"""A deployment on Azure, found by its names; made of what the environment says."""

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from infra.azure.bus import ServiceBus
from infra.azure.channels import ServiceBusChannels
from infra.azure.clients import (
    ADMINISTRATION,
    BUS,
    BUS_HOST,
    CONNECTIONS,
    FAULTS,
    TABLES,
    TABLES_HOST,
    Address,
    Clients,
)
from infra.azure.dead_letters import ServiceBusDeadLetters
from infra.azure.names import Names, names
from infra.azure.operations import AzureOperations
from infra.azure.senders import Senders
from infra.azure.tables import TableStore, TableTimers
from infra.clock import SystemClock
from infra.pool import Pool
from shared.kernel.errors import TrefoilError
from shared.kernel.ports import System
from shared.kernel.receiver import Receiver
from shared.kernel.service import Service
from shared.kernel.telemetry import Telemetry


class Azure:
    """The adapters of one deployment; nothing is asked of Azure before it is needed."""

    def __init__(self, names: Names, clients: Clients) -> None:
        self.names = names
        self.clients = clients
        self.clock = SystemClock()
        self.run = Pool(CONNECTIONS).run
        self.senders = Senders(clients)
        self.store = TableStore(clients, names.commits)
        self.timers = TableTimers(clients, names.timers, self.run)
        self.bus = ServiceBus(self.senders, names)
        self.channels = ServiceBusChannels(clients, self.senders, names, self.clock)
        self.dead_letters = ServiceBusDeadLetters(clients, self.senders, names)
        operations = AzureOperations(clients, names, self.timers)
        self.system = System(
            self.store, self.bus, self.channels, self.timers, self.dead_letters, operations, self.clock
        )

    def receiver(self, service: Service, telemetry: Telemetry) -> Receiver:
        """The receiver of one service, with the provider that the environment names."""
        return Receiver(
            service,
            store=self.store,
            bus=self.bus,
            timers=self.timers,
            clock=self.clock,
            random=random.random,
            telemetry=telemetry,
            provider=_provider(service),
            run=self.run,
        )


def _provider(service: Service) -> Any:
    if service.provider is None:
        return None
    from infra.providers.wiring import of_function  # noqa: PLC0415 - most services need none of it

    return of_function(service.name, os.environ)


def function() -> Azure:
    """The deployment that a function belongs to, as its environment says.

    Raises ConfigurationError naming the setting that is wrong.
    """
    told = os.environ.get
    bus = Address(told(BUS, ""), told(BUS_HOST, ""), told(ADMINISTRATION, ""))
    return Azure(names(os.environ), Clients(bus, Address(told(TABLES, ""), told(TABLES_HOST, ""))))


@contextmanager
def azure() -> Iterator[Azure]:
    """The deployment that a command is about; what Azure refuses becomes a TrefoilError.

    Raises ConfigurationError naming the setting that is wrong.
    """
    opened = function()
    try:
        yield opened
        opened.dead_letters.release()
    except FAULTS as error:
        raise TrefoilError(f"Azure: {error}") from error
    finally:
        opened.clients.close()
