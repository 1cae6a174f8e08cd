import pytest

from infra.gcp.wiring import function
from tests.support.gcp_fakes import fake_google


@pytest.fixture
def fake():
    with fake_google() as fake:
        yield fake


@pytest.fixture
def gcp(fake):
    """The deployment that the environment names."""
    return function()
