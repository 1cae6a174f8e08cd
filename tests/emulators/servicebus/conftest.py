"""A Service Bus for the session, and both faces of its SDK."""

from contextlib import nullcontext

import pytest

from tests.support.servicebus import missing, servicebus  # noqa: F401 - a fixture

SDKS = ("sync", "aio")

if not missing():
    from tests.support.servicebus_sdk import Sdk, hasty


@pytest.fixture(scope="module", autouse=True)
def in_haste():
    """Not in the SDK's own time, of which most would be sleep."""
    with nullcontext() if missing() else hasty():
        yield


@pytest.fixture(scope="session", params=SDKS)
def sdk(request, servicebus):  # noqa: F811 - the fixture above
    sdk = Sdk(request.param, servicebus)
    yield sdk
    sdk.close()
