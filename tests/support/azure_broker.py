"""A Service Bus for one test, which is told its entities at its start, and can be killed and started again."""

import json
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from infra.azure.names import Names
from infra.emulators import process
from infra.emulators.azure import SERVICEBUS, ServiceBus, base
from infra.emulators.emulator import Place
from infra.emulators.supervisor import free_port
from shared.kernel.catalog import Catalog
from shared.kernel.topology import asyncapi

Config = dict[str, Any]


class Broker:
    """The emulator of a place. Whoever knows the place knows where it listens, even before it does."""

    def __init__(self, place: Path) -> None:
        folder = place / "servicebus"
        folder.mkdir(exist_ok=True)
        if not (port := folder / "port").exists():
            port.write_text(str(free_port()))
        self._place = Place(int(port.read_text()), folder)
        self._emulator = ServiceBus(folder / "contract.json")

    @property
    def connection(self) -> str:
        """The connection string of a client."""
        return self._emulator.exports(self._place)[SERVICEBUS]

    @property
    def exports(self) -> Mapping[str, str]:
        """The settings that send Trefoil to it."""
        return self._emulator.exports(self._place)

    def make(self, catalog: Catalog, names: Names, change: Callable[[Config], None]) -> None:
        """Start it with the entities of a catalog, and what is changed about them."""
        self._emulator.contract.write_text(json.dumps(asyncapi(catalog)))
        named = {**os.environ, "TREFOIL_NAME": names.name, "TREFOIL_STAGE": names.stage}
        self._emulator.environment(self._place, named)  # writes the entities
        self._change(change)
        self.start()

    def remake(self, change: Callable[[Config], None]) -> None:
        """Start it again with other settings, and what it holds."""
        self.stop()
        self._change(change)
        self.start()

    def start(self) -> None:
        """Start it, with what it held."""
        here = self._place.folder
        # The emulator's own way to its environment would write the entities anew.
        process.start(here, self._emulator.command(self._place), base(os.environ))
        process.wait(lambda: self._emulator.ready(self._place) or not process.is_alive(here), self._emulator.seconds)
        assert process.is_alive(here), process.last_lines(here)

    def kill(self) -> None:
        """End it as a power cut would."""
        os.killpg(process.pid(self._place.folder), signal.SIGKILL)
        assert process.wait(lambda: not process.is_alive(self._place.folder), self._emulator.seconds)

    def stop(self) -> None:
        """End it, if it runs."""
        process.stop(self._place.folder)

    def _change(self, change: Callable[[Config], None]) -> None:
        file = self._place.folder / "config.json"
        config = json.loads(file.read_text())
        (namespace,) = config["UserConfig"]["Namespaces"]
        change(namespace)
        file.write_text(json.dumps(config))


def properties(namespace: Config, queue: str) -> Config:
    """The settings of a queue."""
    found: Config = next(each["Properties"] for each in namespace["Queues"] if each["Name"] == queue)
    return found
