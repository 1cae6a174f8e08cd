"""AWS on a bad day: throttled, broken, unreachable; answers lost, garbled or partial. The books balance all the same."""

import pytest

from tests.support.aws import at
from tests.support.aws_shop import Shop, busy_day
from tests.support.aws_weather import (
    ANSWER_LOST,
   
   
    INTERNAL,
    REFUSED,
    THROTTLED,
    UNREACHABLE,
    Weather,
    impatience,
)
from tests.support.faults import APPEND_UNKNOWN

ORDERS = 10


@pytest.fixture
def shop(ministack, tmp_path):
    with at(ministack), impatience():
        yield Shop(tmp_path, busy_day(2, ORDERS))


def work_in(shop, weather):
    """A whole day in this weather, the evening in calm."""
    stormy = shop.deployment()
    weather.over(stormy.clients)
    shop.seen.add(APPEND_UNKNOWN)
    pump = shop.pump(stormy)
    pump.seconds = 2
    shop.open()
    pump.drain(shop.chance)
    shop.close()
    return pump


@pytest.mark.parametrize("seed", range(2))
def test_in_any_weather_nothing_is_lost_and_nothing_happens_twice(shop, seed):
    weather = Weather(seed, 0.1, 300)

    work_in(shop, weather)

    assert shop.wrong() == []
    assert {operation for operation, _ in weather.struck} >= {"PutItem", "Query", "PublishBatch", "SendMessageBatch"}
    assert {fault for _, fault in weather.struck} >= {THROTTLED, INTERNAL, UNREACHABLE, ANSWER_LOST, REFUSED}
