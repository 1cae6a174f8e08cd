"""Every fault test of the clouds runs once for each cloud, on its emulators."""

from collections.abc import Iterator

import pytest

from tests.support.cloud import CLOUDS, Cloud, cloud_named


def at(name: str, request: pytest.FixtureRequest) -> Iterator[Cloud]:
    """A cloud; its emulators run, and clients go to them."""
    cloud = cloud_named(name)
    with cloud.at(*map(request.getfixturevalue, cloud.emulators)):
        yield cloud


@pytest.fixture(scope="module", params=CLOUDS)
def cloud(request: pytest.FixtureRequest) -> Iterator[Cloud]:
    """Each cloud in turn."""
    yield from at(request.param, request)


@pytest.fixture(scope="module")
def aws(request: pytest.FixtureRequest) -> Iterator[Cloud]:
    yield from at("aws", request)


@pytest.fixture(scope="module")
def gcp(request: pytest.FixtureRequest) -> Iterator[Cloud]:
    yield from at("gcp", request)


@pytest.fixture(scope="module")
def azure(request: pytest.FixtureRequest) -> Iterator[Cloud]:
    yield from at("azure", request)
