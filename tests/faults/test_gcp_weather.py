"""Google Cloud: dead letters that no topic takes, deferrals that nothing takes, and answers that end too soon."""

import pytest

from shared.kernel.catalog import Catalog
from shared.kernel.errors import CircuitOpen
from shared.messages.payments import CapturePayment
from shared.messages.users import RegisterUser
from shared.messages.values import Money
from tests.support.cloud_shop import Shop, impatient, outside
from tests.support.gcp_weather import CUT_SHORT, UNREACHABLE, GcpWeather
from tests.support.kernel_fakes import body
from tests.support.simulation_workload import Schedule

CAPTURE = body(CapturePayment(Money(2_933, "USD"), "2026-11-20"), subject="o1")


@pytest.fixture
def shop(gcp, tmp_path):
    """Two services, which is enough for one message."""
    services = [impatient().service(name) for name in ("users", "payments")]
    with gcp.weather.impatience():
        yield Shop(gcp, tmp_path, Schedule(), Catalog(services))


def in_weather(shop, operation, *faults, **providers):
    """A deployment whose every call of an operation meets one of these faults."""
    stormy = shop.deployment(**providers)
    weather = GcpWeather(0, 1.0, 1_000)
    weather.only(operation, *faults)
    weather.over(stormy)
    return stormy


def test_a_dead_letter_that_no_topic_takes_is_not_given_out_of_hand(shop):
    shop.calm.put("users", b"not a message")
    pump = shop.pump(in_weather(shop, "Publish", UNREACHABLE), ["users"])

    pump.once("users")

    assert (shop.letters(), pump.waiting("users"), pump.errors) == ([], 1, [])
    shop.pump(services=["users"]).drain(shop.chance)
    assert [letter.failure.reason for letter in shop.letters()] == ["MalformedMessage"]


def test_a_dead_letter_topic_that_is_gone_holds_up_only_its_letters(shop):
    calm = shop.calm
    calm.clients.publisher.delete_topic(topic=calm.topics.path(calm.names.dead("users")))
    calm.put("users", b"not a message", body(RegisterUser("Ann", "ann@example.com"), subject="ann"))
    pump = shop.pump(services=["users"])

    pump.once("users")

    assert (pump.waiting("users"), pump.errors) == (1, [])
    assert list(shop.store.streams("users")) == ["users/ann"]


class Closed:
    """A gateway whose circuit is open for one call."""

    def __init__(self, gateway):
        self._gateway = gateway
        self._calls = 0

    def capture(self, *arguments):
        self._calls += 1
        if self._calls == 1:
            raise CircuitOpen("open", after=0.0)
        return self._gateway.capture(*arguments)


def test_a_deferral_that_nothing_takes_is_handed_over_again(shop):
    shop.calm.put("payments", CAPTURE)
    gateway = Closed(outside(shop.place)["payments"])
    pump = shop.pump(in_weather(shop, "Commit", UNREACHABLE, payments=gateway), ["payments"])

    pump.once("payments")

    assert (pump.waiting("payments"), pump.errors, list(shop.calm.timers.all())) == (1, [], [])
    shop.pump(shop.deployment(payments=gateway), ["payments"]).drain(shop.chance)
    assert list(shop.store.streams("payments")) == ["payments/o1"]


def test_a_stream_whose_answer_ends_too_soon_is_read_again(shop):
    shop.calm.put("users", *(body(RegisterUser("Ann", "ann@example.com"), subject="ann", id=str(n)) for n in range(4)))
    shop.pump(services=["users"]).drain(shop.chance)
    stormy = shop.deployment()
    weather = GcpWeather(0, 1.0, 2)
    weather.only("RunQuery", CUT_SHORT)
    weather.over(stormy)

    read = list(stormy.store.read("users/ann"))

    assert len(read) > 1
    assert read == list(shop.store.read("users/ann"))
    assert weather.struck == {("RunQuery", CUT_SHORT): 2}
