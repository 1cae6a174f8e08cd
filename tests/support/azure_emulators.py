"""Pytest's way to Azure's emulators: a Service Bus and Azurite a session, on free ports, stopped whatever happened.

`tests/conftest.py` registers it. Service Bus's entities are those of one deployment, so a test that wants its own has
one started: `servicebuses`. The Functions host belongs to one deployment, too: `azurefunctions`.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from infra.emulators.azure import ServiceBus
from infra.emulators.azurefunctions.emulator import AzureFunctions
from infra.emulators.emulator import HOST, Emulator
from infra.emulators.supervisor import Supervisor, free_port
from infra.emulators.wiring import ROOT, azure
from tests.support.gcp_emulators import missing

FUNCTIONS = AzureFunctions(ROOT / "functions" / "azure", ROOT, ROOT / ".venv-azure" / "bin" / "python", schedules=False)
"""The checkout's functions; the tick is rung by the test."""


@dataclass(frozen=True)
class AzureEmulator:
    """Where an emulator answers, and the settings that send Trefoil to it."""

    port: int
    exports: Mapping[str, str]
    folder: Path

    @property
    def connection(self) -> str:
        """Its connection string."""
        return next(iter(self.exports.values()))

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()


@dataclass(frozen=True)
class FunctionsHost:
    """A Functions host that runs."""

    port: int
    folder: Path
    pid: int

    def tick(self) -> int:
        """Ring every timer now; the status."""
        return self.ask("POST", "/tick")[0]

    def functions(self) -> dict[str, dict[str, Any]]:
        """What triggers each function, and how often it was called and has failed."""
        return json.loads(self.ask("GET", "/functions")[1])

    def workers(self) -> list[int]:
        """The processes that functions run in."""
        return [each["process"] for each in json.loads(self.ask("GET", "/workers")[1])]

    @property
    def log(self) -> str:
        """What the host itself has to say."""
        return (self.folder / "log").read_text()

    def ask(self, method: str, path: str) -> tuple[int, bytes]:
        connection = HTTPConnection(HOST, self.port, timeout=180)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


@contextmanager
def running(emulator: Emulator, folder: Path, around: Mapping[str, str]) -> Iterator[AzureEmulator]:
    """An emulator on a free port."""
    its = Supervisor(folder, {emulator.name: emulator}, around)
    try:
        found = its.up(emulator.name, free_port())
        yield AzureEmulator(found.place.port, found.exports, found.place.folder)
    finally:
        its.down()


@pytest.fixture(scope="session")
def servicebus_emulator(tmp_path_factory, requires) -> ServiceBus:
    """The Service Bus emulator of the checkout's channels, which can be started."""
    emulator, _ = azure()
    lack = missing(emulator, tmp_path_factory.getbasetemp())
    requires(not lack, f"the Service Bus emulator: {lack}")
    return emulator


@pytest.fixture(scope="session")
def servicebus(servicebus_emulator, tmp_path_factory) -> Iterator[AzureEmulator]:
    """A Service Bus with the checkout's channels, under the names that are used unless others are given."""
    around = {name: value for name, value in os.environ.items() if not name.startswith("TREFOIL_")}
    with running(servicebus_emulator, tmp_path_factory.mktemp("servicebus"), around) as found:
        yield found


@pytest.fixture(scope="session")
def azurite(tmp_path_factory, requires) -> Iterator[AzureEmulator]:
    """Tables; a test that wants its own makes them under names of its own."""
    _, emulator = azure()
    lack = missing(emulator, tmp_path_factory.getbasetemp())
    requires(not lack, f"Azurite: {lack}")
    with running(emulator, tmp_path_factory.mktemp("azurite"), os.environ) as found:
        yield found


@pytest.fixture
def servicebuses(servicebus_emulator, tmp_path) -> Iterator[Callable[..., AzureEmulator]]:
    """Start a Service Bus for a contract; `settings` are its names, TREFOIL_STAGE and such. It ends with the test."""
    with ExitStack() as started:

        def start(contract: Mapping[str, Any], **settings: str) -> AzureEmulator:
            folder = tmp_path / f"servicebus-{uuid4().hex[:6]}"
            folder.mkdir()
            (folder / "contract.json").write_text(json.dumps(contract))
            own = ServiceBus(folder / "contract.json")
            return started.enter_context(running(own, folder, {**os.environ, **settings}))

        yield start


@contextmanager
def running_functions(
    emulators: Mapping[str, str], folder: Path, emulator: AzureFunctions = FUNCTIONS, **settings: str
) -> Iterator[FunctionsHost]:
    """A host before the emulators of these settings; `settings` reach the functions. Every process is ended."""
    its = Supervisor(folder, {emulator.name: emulator}, {**os.environ, **emulators, **settings})
    try:
        found = its.up(emulator.name, free_port())
        yield FunctionsHost(found.place.port, found.place.folder, found.pid)
    finally:
        its.down()


@pytest.fixture
def azurefunctions(azurite, tmp_path, requires) -> Iterator[Callable[..., FunctionsHost]]:
    """Start a host before a Service Bus, with the arguments of `running_functions`; it ends with the test."""
    lack = missing(FUNCTIONS, tmp_path)
    requires(not lack, f"the Azure Functions worker: {lack}")
    with ExitStack() as started:

        def start(bus: AzureEmulator, *arguments: Any, **settings: Any) -> FunctionsHost:
            folder = tmp_path / f"functions-{uuid4().hex[:6]}"
            emulators = {**bus.exports, **azurite.exports}
            return started.enter_context(running_functions(emulators, folder, *arguments, **settings))

        yield start
