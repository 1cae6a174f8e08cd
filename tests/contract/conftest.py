"""Every contract test runs once for each adapter; what an adapter declares it can't do is skipped with its reason."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.kernel.ports import Store
from tests.conftest import DOES_NOT_APPLY
from tests.support.adapters import ADAPTERS, Adapter, Capability, Deployed, deploy


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(*capabilities): run only over adapters that can do all of these.")


@pytest.fixture(params=ADAPTERS, ids=lambda adapter: adapter.name)
def adapter(request: pytest.FixtureRequest) -> Adapter:
    """The adapter under test."""
    adapter = request.param
    for mark in request.node.iter_markers("needs"):
        for capability in map(Capability, mark.args):
            if capability in adapter.cannot:
                pytest.skip(f"{DOES_NOT_APPLY}{adapter.name} declares no '{capability}': {adapter.cannot[capability]}")
    return adapter


@pytest.fixture
def deployed(adapter: Adapter, tmp_path: Path) -> Iterator[Deployed]:
    """The adapter, opened empty; the test owns its clock where that is possible."""
    with deploy(adapter, tmp_path) as deployed:
        yield deployed


@pytest.fixture
def in_real_time(adapter: Adapter, tmp_path: Path) -> Iterator[Deployed]:
    """The adapter, opened empty, on the machine's clock, as other processes see it."""
    with deploy(adapter, tmp_path, real_time=True) as deployed:
        yield deployed


@pytest.fixture
def store(deployed: Deployed) -> Store:
    """The adapter's store."""
    return deployed.system.store
