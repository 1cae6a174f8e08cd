"""Pytest's way to the Google emulators: one of each a session, on a free port, stopped at its end whatever happened.

`tests/conftest.py` registers it. A project costs nothing, so a test that wants none of another's messages or documents
takes `fresh_project()`. The stand-in for Cloud Run belongs to one project, so each test starts its own: `cloudrun`.
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

from infra.emulators.cloudrun.emulator import CloudRun
from infra.emulators.emulator import HOST, Emulator, Place
from infra.emulators.supervisor import Supervisor, free_port
from infra.emulators.wiring import ROOT, google, supervisor
from shared.kernel.errors import ConfigurationError

CLOUD_RUN = CloudRun(ROOT / "functions" / "gcp" / "main.py", ROOT, ROOT / "shared" / "asyncapi.json", tick_seconds=0)
"""The checkout's functions; the tick is rung by the test."""


@dataclass(frozen=True)
class GcpEmulator:
    """Where an emulator answers, and the settings that send Google's clients to it."""

    port: int
    exports: Mapping[str, str]

    @property
    def host(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def endpoint(self) -> str:
        return f"http://{self.host}"


@dataclass(frozen=True)
class CloudRunStandIn:
    """A stand-in for Cloud Run that runs, and its project."""

    port: int
    folder: Path
    project: str

    def tick(self) -> int:
        """Ring the tick now; its status."""
        return self._ask("POST", "/tick")[0]

    def push(self, subscription: str, body: bytes) -> int:
        """Push as the Pub/Sub emulator does; the status that it would see."""
        return self._ask("POST", f"/push/{subscription}", body)[0]

    def functions(self) -> dict[str, dict[str, Any]]:
        """Process (0 while none runs) and log of each function: by service, and `tick`."""
        return json.loads(self._ask("GET", "/functions")[1])

    def log(self) -> str:
        """What the stand-in itself has to say."""
        return (self.folder / "log").read_text()

    def _ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        connection = HTTPConnection(HOST, self.port, timeout=180)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


def fresh_project() -> str:
    """A project id that no other test has."""
    return f"trefoil-{uuid4().hex[:12]}"


def missing(emulator: Emulator, folder: Path) -> str:
    """What is to be installed for an emulator, and how; empty when nothing is."""
    try:
        emulator.command(Place(0, folder))
    except ConfigurationError as error:
        return str(error)
    return ""


@contextmanager
def _running(emulator: Emulator, factory: pytest.TempPathFactory) -> Iterator[GcpEmulator]:
    emulators = supervisor(factory.mktemp(f"emulator-{emulator.name}"))
    try:
        running = emulators.up(emulator.name, free_port())
        yield GcpEmulator(running.place.port, running.exports)
    finally:
        emulators.down()


@pytest.fixture(scope="session")
def pubsub(tmp_path_factory, requires) -> Iterator[GcpEmulator]:
    emulator, _ = google()
    lack = missing(emulator, tmp_path_factory.getbasetemp())
    requires(not lack, f"the Pub/Sub emulator: {lack}")
    with _running(emulator, tmp_path_factory) as running:
        yield running


@pytest.fixture(scope="session")
def firestore(tmp_path_factory, requires) -> Iterator[GcpEmulator]:
    _, emulator = google()
    lack = missing(emulator, tmp_path_factory.getbasetemp())
    requires(not lack, f"the Firestore emulator: {lack}")
    with _running(emulator, tmp_path_factory) as running:
        yield running


@contextmanager
def running_cloudrun(
    emulators: Mapping[str, str], folder: Path, emulator: CloudRun = CLOUD_RUN, project: str = "", **settings: str
) -> Iterator[CloudRunStandIn]:
    """A stand-in before the emulators of these settings, in a project of its own unless one is named.

    `settings` reach the functions: TREFOIL_STAGE and such. Every process is ended.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TREFOIL_")}
    around = {**inherited, **emulators, "GOOGLE_CLOUD_PROJECT": project or fresh_project(), **settings}
    its = Supervisor(folder, {emulator.name: emulator}, around)
    try:
        place = its.up(emulator.name, free_port()).place
        yield CloudRunStandIn(place.port, place.folder, around["GOOGLE_CLOUD_PROJECT"])
    finally:
        its.down()


@pytest.fixture
def cloudrun(pubsub, firestore, tmp_path, requires) -> Iterator[Callable[..., CloudRunStandIn]]:
    """Start a stand-in with the arguments of `running_cloudrun`; it ends with the test."""
    lack = missing(CLOUD_RUN, tmp_path)
    requires(not lack, f"functions-framework: {lack}")
    with ExitStack() as running:

        def start(*arguments: Any, **settings: Any) -> CloudRunStandIn:
            folder = tmp_path / f"cloudrun-{uuid4().hex[:6]}"
            emulators = {**pubsub.exports, **firestore.exports}
            return running.enter_context(running_cloudrun(emulators, folder, *arguments, **settings))

        yield start
