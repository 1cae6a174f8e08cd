"""AWS: what no answer confirmed, and a queue that is not found for a while."""

import pytest

from shared.kernel.catalog import Catalog
from shared.messages.users import RegisterUser
from tests.support.aws_weather import answered
from tests.support.cloud_shop import Shop, impatient
from tests.support.kernel_fakes import body
from tests.support.simulation_workload import Schedule

NOTHING = b"{}"


@pytest.fixture
def users(aws, tmp_path):
    """One service, which is enough for one message."""
    with aws.weather.impatience():
        yield Shop(aws, tmp_path, Schedule(), Catalog([impatient().service("users")]))


def pumped(users, operation, answer):
    """A pump whose function meets this answer to each call of an operation, which has no effect."""
    stormy = users.deployment()
    stormy.clients.sqs.meta.events.register(f"before-send.sqs.{operation}", answer)
    return users.pump(stormy, ["users"])


def test_a_dead_letter_that_no_answer_confirms_is_not_given_out_of_hand(users):
    users.calm.put("users", b"not a message")
    pump = pumped(users, "SendMessageBatch", lambda request, **_: answered(request, 200, NOTHING))
    pump.seconds = 1

    pump.once("users")

    assert (users.letters(), pump.waiting("users"), pump.errors) == ([], 1, [])
    users.pump(services=["users"]).drain(users.chance)
    assert [letter.failure.reason for letter in users.letters()] == ["MalformedMessage"]


def test_a_dead_letter_queue_that_is_not_found_for_a_while_holds_up_only_its_letters(users):
    users.calm.put("users", b"not a message", body(RegisterUser("Ann", "ann@example.com"), subject="ann"))
    pump = pumped(users, "GetQueueUrl", lambda request, **_: answered(request, 503, NOTHING))

    pump.once("users")

    assert pump.errors == []
    assert pump.waiting("users") == 1
    assert list(users.store.streams("users")) == ["users/ann"]
