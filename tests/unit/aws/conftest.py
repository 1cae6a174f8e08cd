import pytest

from tests.support.aws_fakes import FakeAws, deployment


@pytest.fixture
def fake():
    return FakeAws()


@pytest.fixture
def aws(fake):
    return deployment(fake)


@pytest.fixture(autouse=True)
def waits(monkeypatch):
    """How long the sending waited between its tries, without waiting."""
    slept = []
    monkeypatch.setattr("infra.aws.batches.time.sleep", slept.append)
    return slept
