"""A cloud on a bad day: throttled, broken, unreachable; answers lost, garbled or partial. The books balance."""

import pytest

from shared.kernel.catalog import Catalog
from shared.messages.users import RegisterUser
from tests.support.cloud_shop import Shop, busy_day, impatient
from tests.support.cloud_weather import ANSWER_LOST
from tests.support.faults import APPEND_UNKNOWN
from tests.support.kernel_fakes import body
from tests.support.simulation_clients import Sent
from tests.support.simulation_workload import Schedule

ORDERS = 8


@pytest.fixture
def shop(cloud, tmp_path):
    with cloud.weather.impatience():
        yield Shop(cloud, tmp_path, busy_day(2, ORDERS))


def work_in(shop, weather):
    """A whole day in this weather, the evening in calm."""
    stormy = shop.deployment()
    weather.over(stormy)
    shop.seen.add(APPEND_UNKNOWN)
    pump = shop.pump(stormy)
    pump.seconds = 2
    shop.open()
    pump.drain(shop.chance)
    shop.ring(stormy)
    shop.close()


def test_in_any_weather_nothing_is_lost_and_nothing_happens_twice(shop):
    weather = shop.cloud.weather(4, 0.12, shop.cloud.weather.enough)

    work_in(shop, weather)

    assert shop.wrong() == []
    spoilt = {operation for operation, _ in weather.struck}
    assert spoilt >= {weather.append, weather.query, *weather.publish}
    assert weather.struck.total() > 50


def test_an_append_whose_answers_are_all_lost_is_one_commit_and_one_publication(cloud, tmp_path):
    with cloud.weather.impatience():
        users = Shop(cloud, tmp_path, Schedule(), Catalog([impatient().service("users")]))
        users.send(Sent("users.register-user.v1", body(RegisterUser("Ann", "ann@example.com"), subject="ann")))
        weather = cloud.weather(0, 1.0, 1_000)
        weather.only(weather.append, ANSWER_LOST)
        stormy = users.deployment()
        weather.over(stormy)

        users.pump(stormy, ["users"]).drain(users.chance)

    assert weather.struck.keys() == {(weather.append, ANSWER_LOST)}
    assert weather.struck.total() >= weather.attempts
    assert [commit.version for commit in users.store.read("users/ann")] == [1]
    assert users.wrong() == []
