"""A deployment on Google Cloud, found by its names; made of what the environment says."""

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from infra.clock import SystemClock
from infra.gcp.bus import PubsubBus
from infra.gcp.channels import PubsubChannels
from infra.gcp.clients import CONNECTIONS, FAULTS, Clients
from infra.gcp.dead_letters import PubsubDeadLetters
from infra.gcp.firestore import FirestoreStore, FirestoreTimers
from infra.gcp.names import Names, names
from infra.gcp.operations import GcpOperations
from infra.gcp.subscriptions import Subscriptions
from infra.gcp.topics import Topics
from infra.pool import Pool
from shared.kernel.errors import TrefoilError
from shared.kernel.ports import System
from shared.kernel.receiver import Receiver
from shared.kernel.service import Service
from shared.kernel.telemetry import Telemetry


class Gcp:
    """The adapters of one deployment; nothing is asked of Google Cloud before it is needed."""

    def __init__(self, names: Names, clients: Clients) -> None:
        self.names = names
        self.clients = clients
        self.clock = SystemClock()
        self.run = Pool(CONNECTIONS).run
        self.topics = Topics(clients)
        self.subscriptions = Subscriptions(clients, names)
        self.store = FirestoreStore(clients)
        self.timers = FirestoreTimers(clients, self.run)
        self.bus = PubsubBus(self.topics, names)
        self.channels = PubsubChannels(self.topics, self.subscriptions, names, self.timers, self.clock)
        self.dead_letters = PubsubDeadLetters(self.topics, self.subscriptions, names)
        operations = GcpOperations(clients, self.subscriptions, self.timers)
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


def function() -> Gcp:
    """The deployment that a function belongs to, as its environment says.

    Raises ConfigurationError naming the setting that is wrong.
    """
    chosen = names(os.environ)
    project = os.environ.get("GOOGLE_CLOUD_PROJECT") or None
    return Gcp(chosen, Clients(project, chosen.database, os.environ.get("PUBSUB_EMULATOR_HOST") or None))


@contextmanager
def gcp() -> Iterator[Gcp]:
    """The deployment that a command is about; what Google Cloud refuses becomes a TrefoilError.

    Raises ConfigurationError naming the setting that is wrong.
    """
    opened = function()
    try:
        yield opened
        opened.dead_letters.release()
    except FAULTS as error:
        raise TrefoilError(f"Google Cloud: {error}") from error
