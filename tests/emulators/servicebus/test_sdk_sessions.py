"""The unmodified azure-servicebus SDK, sync and aio, on queues with sessions."""

import pytest

pytest.importorskip("proton", reason="install python-qpid-proton")
pytest.importorskip("azure.servicebus", reason="install azure-servicebus")

from azure.servicebus import NEXT_AVAILABLE_SESSION, ServiceBusMessage
from azure.servicebus.exceptions import (
    OperationTimeoutError,
    ServiceBusError,
    SessionCannotBeLockedError,
)

from tests.support.servicebus_sdk import drain, take_one


def in_sessions(*pairs: str) -> list[ServiceBusMessage]:
    return [ServiceBusMessage(each, session_id=each[0]) for each in pairs]


def test_a_session_is_received_alone_and_in_order_and_the_next_one_is_found(sdk):
    sdk.sender("sessions").send_messages(in_sessions("b1", "a1", "b2", "a2", "a3"))

    with sdk.new_receiver("sessions", session_id="a") as receiver:
        first = receiver.session.session_id, drain(receiver, 3)
    with sdk.new_receiver("sessions", session_id=NEXT_AVAILABLE_SESSION) as receiver:
        following = receiver.session.session_id, drain(receiver, 2)

    assert first == ("a", ["a1", "a2", "a3"])
    assert following == ("b", ["b1", "b2"])


def test_a_session_keeps_its_state_and_its_lock_is_renewed(sdk):
    with sdk.new_receiver("sessions", session_id="s") as receiver:
        before = receiver.session.locked_until_utc
        receiver.session.set_state(b"step 1")
        renewed = receiver.session.renew_lock()
        found = receiver.session.get_state()

    assert bytes(found) == b"step 1"
    assert renewed > before
    assert sdk.sessions("sessions") == ["s"]
    with sdk.new_receiver("sessions", session_id="s") as receiver:
        assert bytes(receiver.session.get_state()) == b"step 1"
        receiver.session.set_state(None)
        assert receiver.session.get_state() is None


def test_a_receiver_that_leaves_gives_its_messages_back(sdk):
    sdk.sender("sessions").send_messages(in_sessions("a1", "a2"))
    with sdk.new_receiver("sessions", session_id="a") as receiver:
        take_one(receiver)

    with sdk.new_receiver("sessions", session_id="a") as receiver:
        message = take_one(receiver)
        receiver.complete_message(message)
        rest = drain(receiver, 1)

    assert (str(message), message.delivery_count, rest) == ("a1", 1, ["a2"])


def test_a_deferred_message_is_received_in_its_session(sdk):
    sdk.sender("sessions").send_messages(in_sessions("a1"))

    with sdk.new_receiver("sessions", session_id="a") as receiver:
        message = take_one(receiver)
        receiver.defer_message(message)
        (deferred,) = receiver.receive_deferred_messages(message.sequence_number)
        receiver.complete_message(deferred)
        left = receiver.peek_messages(10, sequence_number=1)

    assert (str(deferred), left) == ("a1", [])


def test_a_session_that_somebody_has_cant_be_had(sdk):
    with sdk.new_receiver("sessions", session_id="a"), pytest.raises(SessionCannotBeLockedError):
        sdk.new_receiver("sessions", session_id="a").__enter__()


def test_nobody_waits_for_a_session_for_ever(sdk):
    with pytest.raises(OperationTimeoutError):
        sdk.new_receiver("sessions", session_id=NEXT_AVAILABLE_SESSION, max_wait_time=1).__enter__()


def test_without_a_session_nothing_is_sent_or_received(sdk):
    with pytest.raises(ServiceBusError, match="amqp:not-allowed"):
        sdk.sender("sessions").send_messages(ServiceBusMessage("a"))
    with pytest.raises(ServiceBusError, match="amqp:not-allowed"):
        sdk.new_receiver("sessions").__enter__()
