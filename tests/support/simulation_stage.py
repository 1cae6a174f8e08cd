"""The real receivers of all services on hostile ports: built once, because decoders are dear; used run after run."""

from functools import cache
from typing import TYPE_CHECKING

from msgspec import structs

from shared.catalog import CATALOG
from shared.kernel.catalog import Catalog
from shared.kernel.receiver import Receiver
from shared.kernel.service import Service
from tests.support.faults_ports import (
    Blind,
    HostileBus,
    HostileChannels,
    HostileClock,
    HostileStore,
    HostileTimers,
    Port,
)
from tests.support.faults_providers import Gateway, Lorry, Postman
from tests.support.simulation_echo import ECHO

if TYPE_CHECKING:
    from tests.support.simulation_world import World


class Stage:
    """All services with one memory limit, and the ports that they share."""

    def __init__(self, memory: int) -> None:
        services = [_remembering(service, memory) for service in (*CATALOG.services.values(), ECHO)]
        self.catalog = Catalog(services)
        self.store = HostileStore()
        self.bus = HostileBus()
        self.timers = HostileTimers()
        self.channels = HostileChannels()
        self.clock = HostileClock()
        self._providers = {"payments": Gateway(), "shipping": Lorry(), "notifications": Postman()}
        self.receivers = {service.name: self._receiver(service) for service in services}

    def _receiver(self, service: Service) -> Receiver:
        return Receiver(
            service,
            store=self.store,
            bus=self.bus,
            timers=self.timers,
            clock=self.clock,
            random=self._jitter,
            telemetry=Blind(),
            provider=self._providers.get(service.name),
        )

    def _jitter(self) -> float:
        return self.store.on.rng.random()

    def enter(self, world: "World") -> None:
        """Put a world behind every port."""
        ports: list[Port] = [self.store, self.bus, self.timers, self.channels, self.clock, *self._providers.values()]
        for port in ports:
            port.on = world


def _remembering(service: Service, memory: int) -> Service:
    return structs.replace(service, limits=structs.replace(service.limits, memory=memory))


@cache
def stage(memory: int) -> Stage:
    """The stage for a memory limit, built at its first use in this process."""
    return Stage(memory)
