import pytest

from infra.azure.wiring import function
from tests.support.azure_fakes import fake_azure


@pytest.fixture
def fake():
    with fake_azure() as fake:
        yield fake


@pytest.fixture
def azure(fake):
    """The deployment that the environment names."""
    return function()
