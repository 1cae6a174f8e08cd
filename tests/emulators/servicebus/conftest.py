"""A Service Bus for the session, and both faces of its SDK."""

import pytest

from tests.support.servicebus import missing, servicebus  # noqa: F401 - a fixture

SDKS = ("sync", "aio")

if not missing():
    from tests.support.servicebus_sdk import Sdk


@pytest.fixture(scope="session", params=SDKS)
def sdk(request, servicebus):  # noqa: F811 - the fixture above
    sdk = Sdk(request.param, servicebus)
    yield sdk
    sdk.close()
