"""The unmodified azure-servicebus SDK, sync and aio, on queues. The same suite runs against any Service Bus."""

import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

pytest.importorskip("proton", reason="install python-qpid-proton")
pytest.importorskip("azure.servicebus", reason="install azure-servicebus")

from azure.servicebus import ServiceBusMessage, ServiceBusMessageState, ServiceBusReceiveMode, ServiceBusSubQueue
from azure.servicebus.amqp import AmqpAnnotatedMessage

from tests.support.servicebus_sdk import drain, left, take, take_one

DEAD = {"sub_queue": ServiceBusSubQueue.DEAD_LETTER}


def texts(*bodies: str) -> list[ServiceBusMessage]:
    return [ServiceBusMessage(each) for each in bodies]


def test_a_message_arrives_as_it_was_sent(sdk):
    receiver = sdk.receiver("orders")
    sdk.sender("orders").send_messages(
        ServiceBusMessage(
            b'{"a":1}',
            message_id="m1",
            subject="sub",
            correlation_id="corr",
            content_type="application/json",
            to="to",
            reply_to="back",
            application_properties={"text": "v", "number": 5, "flag": True, "ratio": 2.5, "id": UUID(int=7)},
        )
    )

    message = take_one(receiver)
    token, locked_until = message.lock_token, message.locked_until_utc

    receiver.complete_message(message)
    assert str(message) == '{"a":1}'
    assert (message.message_id, message.subject, message.correlation_id) == ("m1", "sub", "corr")
    assert (message.content_type, message.to, message.reply_to) == ("application/json", "to", "back")
    assert message.application_properties == {
        b"text": b"v",
        b"number": 5,
        b"flag": True,
        b"ratio": 2.5,
        b"id": UUID(int=7),
    }
    assert message.delivery_count == 0
    assert message.sequence_number > 0
    assert isinstance(token, UUID)
    assert message.enqueued_time_utc < locked_until


@pytest.mark.parametrize("size", [0, 200_000])
def test_a_message_of_any_size_arrives_whole(sdk, size):
    receiver = sdk.receiver("orders")
    sdk.sender("orders").send_messages(ServiceBusMessage(b"z" * size))

    message = take_one(receiver)

    receiver.complete_message(message)
    assert b"".join(message.body) == b"z" * size


def test_a_renewed_lock_ends_later(sdk):
    receiver = sdk.receiver("orders")
    sdk.sender("orders").send_messages(ServiceBusMessage("a"))
    message = take_one(receiver)
    before = message.locked_until_utc

    renewed = receiver.renew_message_lock(message)

    receiver.complete_message(message)
    assert renewed > before


def test_an_abandoned_message_comes_again_before_those_after_it(sdk):
    receiver = sdk.receiver("orders")
    sdk.sender("orders").send_messages(texts("a", "b"))
    receiver.abandon_message(take_one(receiver))

    first, second = take_one(receiver), take_one(receiver)

    receiver.complete_message(first)
    receiver.complete_message(second)
    assert [(str(each), each.delivery_count) for each in (first, second)] == [("a", 1), ("b", 0)]


def test_a_completed_message_is_gone(sdk):
    receiver = sdk.receiver("orders")
    sdk.sender("orders").send_messages(ServiceBusMessage("a"))

    drain(receiver, 1)

    assert left(receiver) == []


def test_a_batch_arrives_in_order_and_can_be_peeked_at(sdk):
    receiver, sender = sdk.receiver("orders"), sdk.sender("orders")
    batch = sender.create_message_batch()
    for number in range(5):
        batch.add_message(ServiceBusMessage(f"b{number}", message_id=f"b{number}"))
    sender.send_messages(batch)
    sender.send_messages(texts("l0", "l1"))

    peeked = left(receiver)
    from_third = receiver.peek_messages(2, sequence_number=peeked[2].sequence_number)
    received = drain(receiver, 7)

    assert received == ["b0", "b1", "b2", "b3", "b4", "l0", "l1"]
    assert [str(each) for each in peeked] == received
    assert [str(each) for each in from_third] == ["b2", "b3"]


def test_a_message_with_several_parts_is_no_batch(sdk):
    receiver = sdk.receiver("orders")
    sdk.sender("orders").send_messages(AmqpAnnotatedMessage(data_body=[b"one", b"two"]))

    message = take_one(receiver)

    receiver.complete_message(message)
    assert list(message.body) == [b"one", b"two"]


def test_a_dead_letter_carries_reason_and_description(sdk):
    receiver, dead = sdk.receiver("orders"), sdk.receiver("orders", **DEAD)
    sdk.sender("orders").send_messages(ServiceBusMessage("a", application_properties={"k": "v"}))

    receiver.dead_letter_message(take_one(receiver), reason="BadThing", error_description="because")

    message = take_one(dead)
    dead.complete_message(message)
    assert (message.dead_letter_reason, message.dead_letter_error_description) == ("BadThing", "because")
    assert message.application_properties[b"k"] == b"v"
    assert left(receiver) == []


def test_a_deferred_message_is_received_by_its_number(sdk):
    receiver = sdk.receiver("orders")
    sdk.sender("orders").send_messages(texts("a", "b"))
    first = take_one(receiver)
    receiver.defer_message(first)

    rest = drain(receiver, 1)
    (state,) = [each.state for each in left(receiver)]
    (deferred,) = receiver.receive_deferred_messages([first.sequence_number])
    receiver.complete_message(deferred)

    assert (rest, str(deferred), state) == (["b"], "a", ServiceBusMessageState.DEFERRED)
    assert left(receiver) == []


def test_a_deferred_message_can_be_dead_lettered_and_abandoned(sdk):
    receiver, dead = sdk.receiver("orders"), sdk.receiver("orders", **DEAD)
    sdk.sender("orders").send_messages(ServiceBusMessage("a"))
    first = take_one(receiver)
    receiver.defer_message(first)

    (deferred,) = receiver.receive_deferred_messages(first.sequence_number)
    receiver.abandon_message(deferred)
    (deferred,) = receiver.receive_deferred_messages(first.sequence_number)
    receiver.dead_letter_message(deferred, reason="Late")

    message = take_one(dead)
    dead.complete_message(message)
    assert (str(message), message.dead_letter_reason) == ("a", "Late")


def test_a_message_that_fails_too_often_is_dead_lettered(sdk):
    receiver, dead = sdk.receiver("orders"), sdk.receiver("orders", **DEAD)
    sdk.sender("orders").send_messages(ServiceBusMessage("poison"))

    counts = []
    for _ in range(3):
        message = take_one(receiver)
        counts.append(message.delivery_count)
        receiver.abandon_message(message)

    message = take_one(dead)
    dead.complete_message(message)
    assert counts == [0, 1, 2]
    assert (str(message), message.dead_letter_reason) == ("poison", "MaxDeliveryCountExceeded")
    assert left(receiver) == []


def test_an_expired_message_is_dead_lettered(sdk):
    receiver, dead = sdk.receiver("orders"), sdk.receiver("orders", **DEAD)

    sdk.sender("orders").send_messages(ServiceBusMessage("old", time_to_live=timedelta(seconds=1)))

    message = take_one(dead)
    dead.complete_message(message)
    assert (str(message), message.dead_letter_reason) == ("old", "TTLExpiredException")
    assert left(receiver) == []


def test_a_scheduled_message_comes_later_and_a_cancelled_one_never(sdk):
    receiver, sender = sdk.receiver("orders"), sdk.sender("orders")
    soon, late = (datetime.now(UTC) + timedelta(seconds=each) for each in (2, 600))
    sender.schedule_messages(ServiceBusMessage("soon"), soon)
    cancelled = sender.schedule_messages(texts("never", "never"), late)
    sender.send_messages(ServiceBusMessage("now"))

    states = {str(each): each.state for each in left(receiver)}
    sender.cancel_scheduled_messages(cancelled)
    received = drain(receiver, 2)

    assert states == {
        "soon": ServiceBusMessageState.SCHEDULED,
        "never": ServiceBusMessageState.SCHEDULED,
        "now": ServiceBusMessageState.ACTIVE,
    }
    assert received == ["now", "soon"]
    assert left(receiver) == []


def test_a_message_may_say_itself_when_it_is_due(sdk):
    receiver, sender = sdk.receiver("orders"), sdk.sender("orders")
    soon = datetime.now(UTC) + timedelta(seconds=1)
    sender.send_messages([ServiceBusMessage("later", scheduled_enqueue_time_utc=soon), ServiceBusMessage("now")])

    assert drain(receiver, 2) == ["now", "later"]


def test_the_same_id_is_taken_once(sdk):
    receiver, sender = sdk.receiver("once", receive_mode=ServiceBusReceiveMode.RECEIVE_AND_DELETE), sdk.sender("once")
    run = time.time_ns()
    for body, message_id in (("1", f"{run}-a"), ("2", f"{run}-a"), ("3", f"{run}-b")):
        sender.send_messages(ServiceBusMessage(body, message_id=message_id))

    received = take(receiver, 2)

    assert [str(each) for each in received] == ["1", "3"]
    assert left(receiver) == []


def test_nothing_is_received_when_nothing_comes(sdk):
    receiver = sdk.receiver("orders")
    sdk.sender("orders").send_messages(texts("a", "b"))

    received = drain(receiver, 2)

    assert received == ["a", "b"]
    assert receiver.receive_messages(1, max_wait_time=0.5) == []
