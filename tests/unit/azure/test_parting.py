"""What is delivered again and again and never settled is parted from what is beside it: it may kill the worker."""

import pytest
from azure.servicebus.exceptions import ServiceBusServerBusyError

from functions.azure.function_app import Function
from shared.catalog import CATALOG
from shared.kernel.errors import PublishFailed
from shared.kernel.receiver import SUSPECT_AFTER
from tests.support.azure_fakes import body_of, handed, order, raising, told
from tests.support.kernel_fakes import FakeClock

QUEUE, DEAD = "trefoil-dev-orders", "trefoil-dev-orders-dead"
LIMITS = CATALOG.service("orders").limits


@pytest.fixture
def function(azure):
    azure.clock = azure.channels._clock = FakeClock()
    return Function("orders", azure)


def often(number, **named):
    return handed(order(number), count=SUSPECT_AFTER, **named)


def test_messages_that_came_together_too_often_are_put_aside_as_copies_and_the_rest_is_handled(fake, function):
    function.handle([*often(1), *handed(order(2), count=SUSPECT_AFTER - 1), *often(3)])

    copies = fake.sent(QUEUE)
    assert fake.handled() == ["m2"]
    assert [body_of(copy) for copy in copies] == [order(1), order(3)]
    assert {told(copy)["trefoil-attempts"] for copy in copies} == {str(SUSPECT_AFTER - 1)}
    assert all(copy.scheduled_enqueue_time_utc is not None for copy in copies)


def test_a_message_that_comes_alone_is_handled_however_often_it_came(fake, function):
    function.handle(often(1))

    assert (fake.handled(), fake.sent(QUEUE)) == (["m1"], [])


def test_a_copy_counts_for_itself(fake, function):
    function.handle(handed(order(1), order(2), properties={"trefoil-attempts": str(SUSPECT_AFTER)}))

    assert (fake.handled(), fake.sent(QUEUE)) == (["m1", "m2"], [])


@pytest.mark.parametrize("short", [0, 1])
def test_what_was_delivered_as_often_as_it_may_be_is_given_up(fake, function, short):
    before = {"trefoil-attempts": str(LIMITS.deliveries - SUSPECT_AFTER - short)}

    function.handle([*often(1, properties=before), *handed(order(2))])

    reasons = [told(letter)["trefoil-reason"] for letter in fake.sent(DEAD)]
    assert (reasons, len(fake.sent(QUEUE))) == ([], 1) if short else (["DeliveriesExhausted"], 0)
    assert fake.handled() == ["m2"]


def test_what_can_not_be_put_aside_stays_with_its_batch(fake, function):
    fake.answers["send"] = raising(ServiceBusServerBusyError(message="busy"))

    with pytest.raises(PublishFailed, match="2 of 2 messages"):
        function.handle([*often(1), *often(2)])

    assert fake.handled() == []
