"""A data folder for each test, and providers that never fail unless a test asks for it."""

import os
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.local.driver import Shop

MEMORY_DISK = Path("/dev/shm")  # noqa: S108 - the folders made in it have names that nobody can guess
"""Every command waits until its writes have reached the disk; where this one is there, that takes no time."""

RATES = (
    "TREFOIL_PAYMENT_DECLINE_RATE",
    "TREFOIL_PAYMENT_TRANSIENT_RATE",
    "TREFOIL_CARRIER_FAILURE_RATE",
    "TREFOIL_CARRIER_UNDELIVERABLE_RATE",
    "TREFOIL_CARRIER_TRANSIENT_RATE",
)


@pytest.fixture(autouse=True, scope="session")
def settings() -> Iterator[None]:
    """What the developer's own environment says does not count here."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith("TREFOIL_"):
                patch.delenv(name)
        for rate in RATES:
            patch.setenv(rate, "0")
        patch.setenv("COLUMNS", "200")
        patch.delenv("FORCE_COLOR", raising=False)
        yield


@pytest.fixture(scope="session")
def new_folder() -> Iterator[Callable[[], Path]]:
    """Makes a folder each time it is called."""
    place = MEMORY_DISK if os.access(MEMORY_DISK, os.W_OK) else None
    with TemporaryDirectory(prefix="trefoil-tests-", dir=place, ignore_cleanup_errors=True) as root:
        numbers = count(1)

        def make() -> Path:
            folder = Path(root) / str(next(numbers))
            folder.mkdir()
            return folder

        yield make


@pytest.fixture
def tmp_path(new_folder: Callable[[], Path]) -> Path:
    """Pytest's own fixture, on the faster disk."""
    return new_folder()


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """A data folder that does not exist yet."""
    return Shop(tmp_path / "data")
