"""A queue with sessions of the broker: one receiver a session, everything in order."""

import pytest

from infra.emulators.servicebus.broker.errors import (
    InvalidRequest,
    MessageNotFound,
    NotAllowed,
    SessionCannotBeLocked,
    SessionLockLost,
)
from tests.support.servicebus_broker import SECOND, bodies, message, queue, received, world


@pytest.fixture
def there():
    return world(queue(requires_session=True), queue("plain"))


@pytest.fixture
def orders(there):
    return there.find("orders")


def test_a_session_has_its_own_messages_in_order(orders):
    orders.send([message(f"{session}{number}", session_id=session) for number in (1, 2) for session in "ab"])

    assert received(orders, orders.accept_session("b")) == ["b1", "b2"]
    assert received(orders, orders.accept_session("a")) == ["a1", "a2"]


def test_a_session_belongs_to_one_receiver(orders):
    orders.accept_session("a")

    with pytest.raises(SessionCannotBeLocked):
        orders.accept_session("a")


def test_the_next_session_is_the_one_that_waited_longest_and_is_free(orders):
    orders.send([message(session_id="b"), message(session_id="a"), message(session_id="c")])

    found = [orders.accept_session(), orders.accept_session(), orders.accept_session(), orders.accept_session()]

    assert [lock and lock.session_id for lock in found] == ["b", "a", "c", None]


def test_a_released_session_is_free_and_its_messages_come_again_in_order(orders):
    orders.send([message("a1", session_id="a"), message("a2", session_id="a")])
    lock = orders.accept_session("a")
    orders.receive(lock)
    orders.receive(lock)

    orders.release_session(lock)

    again = orders.accept_session("a")
    assert [entry.failures for entry in orders.peek(0, 2)] == [1, 1]
    assert received(orders, again) == ["a1", "a2"]


def test_a_session_whose_lock_expires_is_lost_with_its_messages(there, orders):
    orders.send([message("a1", session_id="a")])
    lock = orders.accept_session("a")
    token = orders.receive(lock).token

    there.passes(30 * SECOND)

    assert lock.lost
    with pytest.raises(SessionLockLost):
        orders.complete(token)
    with pytest.raises(SessionLockLost):
        orders.receive(lock)
    with pytest.raises(SessionLockLost):
        orders.renew_session("a")
    assert received(orders, orders.accept_session()) == ["a1"]


def test_a_renewed_session_keeps_its_messages(there, orders):
    orders.send([message("a1", session_id="a")])
    lock = orders.accept_session("a")
    entry = orders.receive(lock)
    there.passes(20 * SECOND)

    until = orders.renew_session("a")
    shown = entry.locked_until
    there.passes(20 * SECOND)
    orders.complete(entry.token)

    assert until == shown == lock.locked_until == there.now + 10 * SECOND
    assert not lock.lost


def test_a_renewed_session_is_lost_later(there, orders):
    lock = orders.accept_session("a")
    there.passes(20 * SECOND)
    orders.renew_session("a")

    there.passes(30 * SECOND)

    assert lock.lost


def test_a_message_of_a_session_has_no_lock_of_its_own_to_renew(orders):
    orders.send([message("a1", session_id="a")])
    token = orders.receive(orders.accept_session("a")).token

    with pytest.raises(InvalidRequest):
        orders.renew(token)


def test_a_state_stays_for_the_next_receiver_until_it_is_cleared(orders):
    first = orders.accept_session("a")
    orders.set_session_state("a", b"step 1")
    orders.release_session(first)

    second = orders.accept_session("a")
    found = orders.session_state("a")
    orders.set_session_state("a", None)

    assert found == b"step 1"
    assert orders.session_state("a") is None
    assert orders.list_sessions() == []
    orders.release_session(second)


def test_who_has_no_session_sees_and_sets_no_state(orders):
    with pytest.raises(SessionLockLost):
        orders.session_state("a")
    with pytest.raises(SessionLockLost):
        orders.set_session_state("a", b"x")


def test_sessions_with_messages_or_a_state_are_listed(orders):
    orders.send([message(session_id="b")])
    orders.accept_session("a")
    orders.set_session_state("a", b"x")
    orders.accept_session("c")

    assert orders.list_sessions() == ["a", "b"]


def test_a_deferred_message_belongs_to_its_session(orders):
    orders.send([message("a1", session_id="a")])
    lock = orders.accept_session("a")
    entry = orders.receive(lock)
    orders.defer(entry.token)

    with pytest.raises(MessageNotFound):
        orders.receive_deferred([entry.number], orders.accept_session("b"))

    assert bodies(orders.receive_deferred([entry.number], lock)) == ["a1"]


def test_a_message_without_a_session_is_refused(orders):
    with pytest.raises(NotAllowed):
        orders.send([message("a")])


def test_sessions_and_queues_without_them_dont_mix(there, orders):
    lock = orders.accept_session("a")

    with pytest.raises(NotAllowed):
        orders.receive()
    with pytest.raises(NotAllowed):
        there.find("plain").receive(lock)


def test_dead_letters_of_a_session_are_read_without_one(there, orders):
    orders.send([message("a1", session_id="a")])
    orders.dead_letter(orders.receive(orders.accept_session("a")).token, "Bad")

    assert received(there.dead("orders")) == ["a1"]
