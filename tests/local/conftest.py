"""A data folder for each test, and providers that never fail unless a test asks for it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.local.driver import Shop

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


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """An empty data folder that does not exist yet."""
    return Shop(tmp_path / "data")
