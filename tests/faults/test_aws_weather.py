"""AWS on a bad day: throttled, broken, unreachable; answers lost, garbled or partial. The books balance."""

import pytest

from shared.kernel.catalog import Catalog
from shared.messages.users import RegisterUser
from tests.support.aws import at
from tests.support.aws_shop import Shop, busy_day, impatient
from tests.support.aws_weather import (
    ANSWER_LOST,
    Weather,
    answered,
    impatience,
)
from tests.support.faults import APPEND_UNKNOWN
from tests.support.kernel_fakes import body
from tests.support.simulation_workload import Schedule

ORDERS = 8


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
    shop.ring(stormy)
    shop.close()


def test_in_any_weather_nothing_is_lost_and_nothing_happens_twice(shop):
    weather = Weather(4, 0.12, 50)

    work_in(shop, weather)

    assert shop.wrong() == []
    assert {operation for operation, _ in weather.struck} >= {
        "PutItem",
        "Query",
        "PublishBatch",
        "PublishBatch entries",
    }
    assert weather.struck.total() > 50


NOTHING = b"{}"


@pytest.fixture
def users(ministack, tmp_path):
    """One service, which is enough for one message."""
    with at(ministack), impatience():
        yield Shop(tmp_path, Schedule(), Catalog([impatient().service("users")]))


def pumped(users, operation, answer):
    """A pump whose function meets this answer to each call of an operation, which has no effect."""
    stormy = users.deployment()
    stormy.clients.sqs.meta.events.register(f"before-send.sqs.{operation}", answer)
    return users.pump(stormy, ["users"])


def put(users, *texts):
    for text in texts:
        url = users.calm.queues.url(users.calm.names.queue("users"))
        users.calm.clients.sqs.send_message(QueueUrl=url, MessageBody=text)


def test_a_dead_letter_that_no_answer_confirms_is_not_given_out_of_hand(users):
    put(users, "not a message")
    pump = pumped(users, "SendMessageBatch", lambda request, **_: answered(request, 200, NOTHING))
    pump.seconds = 1

    pump.once("users")

    assert (users.letters(), pump.waiting("users"), pump.errors) == ([], 1, [])
    users.pump(services=["users"]).drain(users.chance)
    assert [letter.failure.reason for letter in users.letters()] == ["MalformedMessage"]


def test_a_dead_letter_queue_that_is_not_found_for_a_while_holds_up_only_its_letters(users):
    put(users, "not a message", body(RegisterUser("Ann", "ann@example.com"), subject="ann").decode())
    pump = pumped(users, "GetQueueUrl", lambda request, **_: answered(request, 503, NOTHING))

    pump.once("users")

    assert pump.errors == []
    assert pump.waiting("users") == 1
    assert list(users.store.streams("users")) == ["users/ann"]


def test_an_append_whose_answers_are_all_lost_is_one_commit_and_one_publication(users):
    put(users, body(RegisterUser("Ann", "ann@example.com"), subject="ann").decode())
    weather = Weather(0, 1.0, 4)
    weather.forecast = lambda operation: [ANSWER_LOST] if operation == "PutItem" else []
    stormy = users.deployment()
    weather.over(stormy.clients)

    users.pump(stormy, ["users"]).drain(users.chance)

    assert weather.struck == {("PutItem", ANSWER_LOST): 4}
    assert [commit.version for commit in users.store.read("users/ann")] == [1]
    assert users.wrong() == []
