"""The unmodified azure-servicebus SDK, sync and aio: topics, filters, forwarding, and what is refused."""

from datetime import UTC, datetime, timedelta

import pytest

pytest.importorskip("proton", reason="install python-qpid-proton")
pytest.importorskip("azure.servicebus", reason="install azure-servicebus")

from azure.servicebus import ServiceBusMessage
from azure.servicebus.exceptions import (
    MessageNotFoundError,
    MessageSizeExceededError,
    MessagingEntityNotFoundError,
    ServiceBusError,
)

from tests.support.servicebus_sdk import drain, left, take, take_one


def typed(type_: str, **fields) -> ServiceBusMessage:
    return ServiceBusMessage(type_, application_properties={"type": type_, **fields})


def test_each_subscription_gets_what_its_filter_lets_in(sdk):
    events = sdk.topic_sender("events")
    everything, red = sdk.subscriber("events", "all"), sdk.subscriber("events", "red")

    events.send_messages(
        [
            ServiceBusMessage("big red", subject="red", application_properties={"size": "big"}),
            ServiceBusMessage("small red", subject="red", application_properties={"size": "small"}),
            ServiceBusMessage("big blue", subject="blue", application_properties={"size": "big"}),
        ]
    )

    assert drain(everything, 3) == ["big red", "small red", "big blue"]
    assert drain(red, 1) == ["big red"]
    assert left(red) == []


def test_a_filtered_subscription_forwards_to_its_queue_and_dead_letters_go_on_with_their_reason(sdk):
    routed, dead = sdk.receiver("routed"), sdk.receiver("dead")
    everything = sdk.subscriber("events", "all")
    sdk.topic_sender("events").send_messages(
        [
            typed("orders.a.v1"),
            typed("orders.c.v1"),
            typed("orders.b.v1", to="payments"),
            typed("orders.d.v1", to="orders"),
        ]
    )

    first, second = take(routed, 2)
    routed.dead_letter_message(first, reason="BadThing", error_description="because")
    routed.abandon_message(second)

    letters = take(dead, 2)
    for each in letters:
        dead.complete_message(each)
    drain(everything, 4)
    assert [str(each) for each in letters] == ["orders.a.v1", "orders.d.v1"]
    assert [each.dead_letter_reason for each in letters] == ["BadThing", "MaxDeliveryCountExceeded"]
    assert letters[0].dead_letter_error_description == "because"
    assert {each.dead_letter_source for each in letters} == {sdk.queue("routed")}
    assert left(routed) == []


def test_a_topic_schedules_and_cancels(sdk):
    events, everything = sdk.topic_sender("events"), sdk.subscriber("events", "all")
    now = datetime.now(UTC)
    events.schedule_messages(ServiceBusMessage("soon"), now + timedelta(seconds=1))
    never = events.schedule_messages(ServiceBusMessage("never"), now + timedelta(seconds=600))

    events.cancel_scheduled_messages(never)

    assert drain(everything, 1) == ["soon"]
    with pytest.raises(MessageNotFoundError):
        events.cancel_scheduled_messages(never)


def test_what_is_not_there_is_not_found(sdk):
    with pytest.raises(MessagingEntityNotFoundError):
        sdk.new_sender("nowhere").__enter__()
    with pytest.raises(MessagingEntityNotFoundError):
        sdk.new_receiver("nowhere").__enter__()


def test_what_is_too_large_is_refused_and_the_sender_goes_on(sdk):
    sender, receiver = sdk.sender("orders"), sdk.receiver("orders")

    with pytest.raises(MessageSizeExceededError):
        sender.send_messages(ServiceBusMessage(b"z" * 300_000))
    with pytest.raises(MessageSizeExceededError):
        sender.send_messages([ServiceBusMessage(b"z" * 100_000) for _ in range(3)])
    sender.send_messages(ServiceBusMessage("small"))

    assert drain(receiver, 1) == ["small"]


def test_a_number_that_is_not_deferred_is_not_found(sdk):
    with pytest.raises(MessageNotFoundError):
        sdk.receiver("orders").receive_deferred_messages(999_999)


def test_nobody_receives_from_a_topic(sdk):
    with pytest.raises(ServiceBusError, match="amqp:not-allowed"):
        sdk.new_receiver("events").__enter__()


def test_a_client_that_leaves_leaves_nothing_locked(sdk):
    sdk.sender("orders").send_messages([ServiceBusMessage("a"), ServiceBusMessage("b")])
    with sdk.new_receiver("orders", prefetch_count=10) as receiver:
        receiver.complete_message(take_one(receiver))

    assert drain(sdk.receiver("orders"), 1) == ["b"]
