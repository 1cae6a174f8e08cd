"""Every contract test runs once for each adapter; what an adapter declares it can't do is skipped with its reason."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from shared.kernel.ports import Store
from tests.conftest import DOES_NOT_APPLY
from tests.support.adapters import ADAPTERS, Adapter, Capability, Deployed, deploy
from tests.support.aws import at
from tests.support.azure import at_azure
from tests.support.gcp import at_google
from tests.support.kernel_fakes import FakeClock
from tests.support.servicebus_sdk import hasty
from tests.support.sqlite import Sqlite, opened

MEMORY_DISK = Path("/dev/shm")  # noqa: S108 - only the folder that holds the folders


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(*capabilities): run only over adapters that can do all of these.")


@pytest.fixture(params=ADAPTERS, ids=lambda adapter: adapter.name)
def adapter(request: pytest.FixtureRequest) -> Iterator[Adapter]:
    """The adapter under test; its emulator runs."""
    adapter = request.param
    for mark in request.node.iter_markers("needs"):
        for capability in map(Capability, mark.args):
            if capability in adapter.cannot:
                pytest.skip(f"{DOES_NOT_APPLY}{adapter.name} declares no '{capability}': {adapter.cannot[capability]}")
    with _at(adapter.emulator, request.getfixturevalue):
        yield adapter


@contextmanager
def _at(emulator: str | None, started: Callable[[str], Any]) -> Iterator[None]:
    """Have an adapter's clients go to the emulators that it takes, which are started when they are first needed."""
    match emulator:
        case None:
            yield
        case "google":
            with at_google(started("pubsub"), started("firestore")):
                yield
        case "azure":
            with at_azure(started("servicebus"), started("azurite")), hasty():
                yield
        case _:
            with at(started(emulator)):
                yield


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A folder; in memory where there is such a disk, because a killed process does not tell the two apart."""
    if not os.access(MEMORY_DISK, os.W_OK):
        yield tmp_path
        return
    with TemporaryDirectory(prefix="trefoil-", dir=MEMORY_DISK) as folder:
        yield Path(folder)


@pytest.fixture
def deployed(adapter: Adapter, place: Path) -> Iterator[Deployed]:
    """The adapter, opened empty; the test owns its clock where that is possible."""
    with deploy(adapter, place) as deployed:
        yield deployed


@pytest.fixture
def in_real_time(adapter: Adapter, place: Path) -> Iterator[Deployed]:
    """The adapter, opened empty, on the machine's clock, as other processes see it."""
    with deploy(adapter, place, real_time=True) as deployed:
        yield deployed


@pytest.fixture
def store(deployed: Deployed) -> Store:
    """The adapter's store."""
    return deployed.system.store


# -- SQLite, taken apart


@pytest.fixture
def sqlite(place: Path) -> Iterator[Sqlite]:
    """One connection."""
    with opened(place, FakeClock(), busy_seconds=0.05) as connected:
        yield connected


@pytest.fixture
def other(sqlite: Sqlite, place: Path) -> Iterator[Sqlite]:
    """A second connection to the same file, as another worker has it: what it sees is what is in the file."""
    with opened(place, sqlite.clock, busy_seconds=0.05) as connected:
        yield connected
