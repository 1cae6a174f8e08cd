"""A queue of the broker, under a clock that stands still until it is told to go on."""

import ast
from pathlib import Path
from uuid import UUID

import pytest

from infra.emulators.servicebus import broker
from infra.emulators.servicebus.broker.errors import (
    EntityDisabled,
    EntityNotFound,
    MessageLockLost,
    MessageNotFound,
    MessageTooLarge,
    NotAllowed,
    QuotaExceeded,
)
from infra.emulators.servicebus.broker.message import State
from infra.emulators.servicebus.broker.settings import Status
from tests.support.servicebus_broker import SECOND, bodies, message, queue, received, world


@pytest.fixture
def there():
    return world()


@pytest.fixture
def orders(there):
    return there.find("orders")


def test_the_core_knows_no_amqp_and_reads_no_clock():
    modules = [ast.parse(path.read_text()) for path in Path(broker.__path__[0]).glob("*.py")]

    imported = {
        name.split(".")[0]
        for tree in modules
        for node in ast.walk(tree)
        for name in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [each.name for each in node.names]
            if isinstance(node, ast.Import)
            else []
        )
    }

    assert len(modules) > 10
    assert imported.isdisjoint({"proton", "time", "datetime", "random", "socket", "sqlite3"})


def test_messages_come_in_the_order_in_which_they_were_sent(orders):
    orders.send([message("a"), message("b")])
    orders.send([message("c")])

    assert received(orders) == ["a", "b", "c"]


def test_a_locked_message_is_nobody_elses(orders):
    orders.send([message("a")])

    locked = orders.receive()

    assert locked.message.content == "a"
    assert orders.receive() is None


def test_a_completed_message_is_gone(there, orders):
    orders.send([message("a")])

    orders.complete(orders.receive().token)
    there.passes(60 * SECOND)

    assert orders.receive() is None
    assert orders.peek(0, 10) == []


def test_an_abandoned_message_takes_its_old_place_and_has_used_a_try(orders):
    orders.send([message("a"), message("b"), message("c")])
    first, second = orders.receive(), orders.receive()

    orders.abandon(second.token)
    orders.abandon(first.token)

    assert first.failures == 1
    assert received(orders) == ["a", "b", "c"]


def test_a_released_message_has_used_no_try(orders):
    orders.send([message("a")])

    for _ in range(5):
        orders.release(orders.receive().token)

    assert orders.receive().failures == 0


def test_properties_given_on_abandoning_are_there_next_time(orders):
    orders.send([message("a", properties={"one": 1, "two": 2})])

    orders.abandon(orders.receive().token, {"two": 22, "three": 3})

    assert orders.receive().message.properties == {"one": 1, "two": 22, "three": 3}


def test_a_lock_that_expires_frees_the_message_and_has_used_a_try(there, orders):
    orders.send([message("a")])
    before = orders.receive()
    token = before.token

    there.passes(30 * SECOND)

    with pytest.raises(MessageLockLost):
        orders.complete(token)
    assert orders.receive().failures == 1


def test_a_lock_holds_until_the_moment_it_ends(there, orders):
    orders.send([message("a")])
    token = orders.receive().token

    there.passes(30 * SECOND - 1)
    orders.complete(token)

    assert orders.peek(0, 1) == []


def test_a_renewed_lock_holds_from_then_on(there, orders):
    orders.send([message("a")])
    token = orders.receive().token
    there.passes(20 * SECOND)

    until = orders.renew(token)
    there.passes(20 * SECOND)
    orders.complete(token)

    assert until == there.now + 10 * SECOND
    assert orders.peek(0, 1) == []


def test_a_lost_lock_cant_be_renewed(there, orders):
    orders.send([message("a")])
    token = orders.receive().token

    there.passes(30 * SECOND)

    with pytest.raises(MessageLockLost):
        orders.renew(token)


@pytest.mark.parametrize("how", ["complete", "abandon", "release", "defer", "dead_letter", "renew"])
def test_a_token_that_nobody_was_given_settles_nothing(orders, how):
    orders.send([message("a")])
    orders.receive()

    with pytest.raises(MessageLockLost):
        getattr(orders, how)(UUID(int=99))


def test_the_last_failed_try_dead_letters_with_the_reason(there, orders):
    orders.send([message("a")])

    for _ in range(2):
        orders.abandon(orders.receive().token)
    orders.receive()
    there.passes(30 * SECOND)

    (dead,) = there.dead("orders").peek(0, 10)
    assert orders.peek(0, 10) == []
    assert dead.message.properties == {
        "DeadLetterReason": "MaxDeliveryCountExceeded",
        "DeadLetterErrorDescription": "Message could not be consumed after 3 delivery attempts.",
    }
    assert (dead.failures, dead.dead_letter_source) == (3, "orders")


def test_a_dead_letter_carries_reason_description_and_what_was_added(there, orders):
    orders.send([message("a", properties={"k": "v"})])

    orders.dead_letter(orders.receive().token, "Bad", "because", {"more": 1})

    (dead,) = there.dead("orders").peek(0, 10)
    assert dead.message.properties == {
        "k": "v",
        "more": 1,
        "DeadLetterReason": "Bad",
        "DeadLetterErrorDescription": "because",
    }


def test_a_dead_letter_stays_however_often_and_late_it_fails(there):
    orders, dead = there.find("orders"), there.dead("orders")
    orders.send([message("a", time_to_live=SECOND)])
    orders.dead_letter(orders.receive().token)

    for _ in range(20):
        dead.abandon(dead.receive().token)
        there.passes(60 * SECOND)

    assert received(dead) == ["a"]


def test_a_dead_letter_cant_be_dead_lettered_and_stays_locked(there, orders):
    orders.send([message("a")])
    orders.dead_letter(orders.receive().token)
    dead = there.dead("orders")
    token = dead.receive().token

    with pytest.raises(NotAllowed):
        dead.dead_letter(token, "again")

    dead.complete(token)
    assert dead.peek(0, 1) == []


def test_a_deferred_message_is_to_be_had_by_its_number_only(orders):
    orders.send([message("a"), message("b")])
    first = orders.receive()
    orders.defer(first.token)

    (entry,) = orders.receive_deferred([first.number])

    assert bodies([entry]) == ["a"]
    assert received(orders) == ["b"]
    orders.complete(entry.token)
    assert orders.peek(0, 10) == []


def test_a_deferred_message_that_fails_stays_deferred(there, orders):
    orders.send([message("a")])
    number = orders.receive().number
    orders.defer(UUID(int=1))

    orders.receive_deferred([number])
    there.passes(30 * SECOND)

    assert orders.receive() is None
    (again,) = orders.receive_deferred([number])
    assert again.failures == 1


def test_deferred_messages_are_locked_all_or_none(orders):
    orders.send([message("a")])
    number = orders.receive().number
    orders.defer(UUID(int=1))

    with pytest.raises(MessageNotFound):
        orders.receive_deferred([number, 99])

    assert orders.receive_deferred([number])
    with pytest.raises(MessageNotFound):
        orders.receive_deferred([number])


def test_receive_and_delete_takes_it_at_once(orders):
    orders.send([message("a")])

    taken = orders.receive(delete=True)

    assert (taken.message.content, taken.token) == ("a", None)
    assert orders.peek(0, 10) == []


@pytest.mark.parametrize(("buries", "left"), [(True, ["a"]), (False, [])])
def test_a_message_that_is_too_old_is_dead_lettered_or_dropped(buries, left):
    there = world(queue(dead_letters_expired=buries))
    there.find("orders").send([message("a", time_to_live=5 * SECOND), message("b")])

    there.passes(5 * SECOND)

    assert received(there.find("orders")) == ["b"]
    dead = there.dead("orders").peek(0, 10)
    assert bodies(dead) == left
    assert all(each.message.properties["DeadLetterReason"] == "TTLExpiredException" for each in dead)


def test_the_shorter_life_counts(there):
    there = world(queue(time_to_live=2 * SECOND))
    there.find("orders").send([message("a"), message("b", time_to_live=SECOND), message("c", time_to_live=9 * SECOND)])

    there.passes(SECOND)
    after_one = bodies(there.find("orders").peek(0, 10))
    there.passes(SECOND)

    assert after_one == ["a", "c"]
    assert there.find("orders").peek(0, 10) == []


def test_a_locked_message_lives_until_it_is_settled(there, orders):
    orders.send([message("a", time_to_live=SECOND), message("b", time_to_live=SECOND)])
    first, second = orders.receive(), orders.receive()

    there.passes(2 * SECOND)
    orders.complete(first.token)
    orders.abandon(second.token)

    assert orders.peek(0, 10) == []


def test_a_deferred_message_that_is_too_old_goes_when_it_is_asked_for():
    there = world(queue(dead_letters_expired=True))
    orders = there.find("orders")
    orders.send([message("a", time_to_live=SECOND)])
    number = orders.receive().number
    orders.defer(UUID(int=1))

    there.passes(2 * SECOND)

    assert bodies(orders.peek(0, 10)) == ["a"]
    with pytest.raises(MessageNotFound):
        orders.receive_deferred([number])
    assert bodies(there.dead("orders").peek(0, 10)) == ["a"]


def test_a_scheduled_message_comes_when_it_is_due_with_a_new_number(there, orders):
    numbers = orders.send([message("later", scheduled_for=there.now + 5 * SECOND), message("now")])

    there.passes(5 * SECOND - 1)
    early = bodies(entry for entry in orders.peek(0, 10) if entry.state is State.ACTIVE)
    there.passes(1)

    assert early == ["now"]
    assert received(orders) == ["now", "later"]
    assert numbers == [1, 2]


def test_a_cancelled_message_never_comes(there, orders):
    (number,) = orders.send([message("later", scheduled_for=there.now + SECOND)])

    orders.cancel([number])
    there.passes(2 * SECOND)

    assert orders.receive() is None
    with pytest.raises(MessageNotFound):
        orders.cancel([number])


def test_the_life_of_a_scheduled_message_begins_when_it_is_due(there, orders):
    orders.send([message("later", scheduled_for=there.now + 5 * SECOND, time_to_live=SECOND)])

    there.passes(5 * SECOND)

    assert received(orders) == ["later"]


def test_a_duplicate_is_taken_and_dropped_until_the_window_ends():
    there = world(queue(duplicate_window=10 * SECOND))
    orders = there.find("orders")
    orders.send([message("a", message_id="1"), message("b", message_id="1"), message("c", message_id="2")])

    there.passes(9 * SECOND)
    orders.send([message("d", message_id="1")])
    there.passes(SECOND)
    orders.send([message("e", message_id="1"), message("f"), message("g")])

    assert received(orders) == ["a", "c", "e", "f", "g"]


def test_without_duplicate_detection_the_same_id_comes_twice(orders):
    orders.send([message("a", message_id="1"), message("b", message_id="1")])

    assert received(orders) == ["a", "b"]


def test_peeking_changes_nothing_and_sees_every_state(there, orders):
    orders.send([message("a"), message("b"), message("c"), message("d", scheduled_for=there.now + SECOND)])
    orders.receive()
    orders.defer(orders.receive().token)

    seen = orders.peek(0, 10)

    assert bodies(seen) == ["a", "b", "c", "d"]
    assert [each.state for each in seen] == [State.ACTIVE, State.DEFERRED, State.ACTIVE, State.SCHEDULED]
    assert bodies(orders.peek(2, 2)) == ["b", "c"]
    assert received(orders) == ["c"]


def test_a_batch_is_taken_whole_or_not_at_all():
    there = world(queue(max_message_bytes=3))

    with pytest.raises(MessageTooLarge):
        there.find("orders").send([message("abc"), message("abcd")])

    assert there.find("orders").peek(0, 10) == []


def test_a_full_queue_refuses_until_there_is_room_and_counts_its_dead_letters():
    there = world(queue(max_bytes=4))
    orders = there.find("orders")
    orders.send([message("ab"), message("cd")])
    orders.dead_letter(orders.receive().token)

    with pytest.raises(QuotaExceeded):
        orders.send([message("e")])
    orders.complete(orders.receive().token)
    orders.send([message("e")])

    assert bodies(orders.peek(0, 10)) == ["e"]


def test_time_never_runs_backwards(there, orders):
    there.passes(20 * SECOND)
    latest = there.now
    there.now -= 60 * SECOND

    orders.send([message("a")])
    entry = orders.receive()

    assert (entry.enqueued_at, entry.locked_until) == (latest, latest + 30 * SECOND)


@pytest.mark.parametrize("status", [Status.RECEIVE_DISABLED, Status.DISABLED])
def test_a_queue_that_may_not_deliver_keeps_what_it_has_until_it_may(there, orders, status):
    orders.send([message("deferred"), message("locked"), message("waits")])
    deferred = orders.receive()
    orders.defer(deferred.token)
    locked = orders.receive()

    orders.set_status(status)

    assert orders.receive() is None
    with pytest.raises(EntityDisabled, match=f"'orders' delivers nothing: it is {status}"):
        orders.receive_deferred([deferred.number])
    orders.abandon(locked.token)
    there.passes(30 * SECOND)
    assert bodies(orders.peek(0, 10)) == ["deferred", "locked", "waits"]
    orders.set_status(Status.ACTIVE)
    assert bodies(orders.receive_deferred([deferred.number])) == ["deferred"]
    assert received(orders) == ["locked", "waits"]


@pytest.mark.parametrize("status", [Status.SEND_DISABLED, Status.DISABLED])
def test_a_queue_that_may_not_take_messages_refuses_all_of_a_batch(orders, status):
    orders.set_status(status)

    with pytest.raises(EntityDisabled, match=f"'orders' takes no messages: it is {status}"):
        orders.send([message("a"), message("b")])

    orders.set_status(Status.ACTIVE)
    assert orders.receive() is None


def test_a_queue_that_may_not_take_messages_delivers_what_it_has(there, orders):
    orders.send([message("a"), message("later", scheduled_for=there.now + SECOND)])

    orders.set_status(Status.SEND_DISABLED)
    there.passes(SECOND)

    assert received(orders) == ["a", "later"]


def test_receivers_are_looked_after_when_a_status_changes(there, orders):
    there.namespace.take_stirred()

    orders.set_status(Status.ACTIVE)

    assert there.namespace.take_stirred() == [orders]


def test_messages_are_counted_by_their_state_locked_ones_as_active(there, orders):
    orders.send([message(each) for each in ("locked", "deferred", "done", "dead", "waits")])
    orders.send([message("later", scheduled_for=there.now + SECOND)])
    _, deferred, done, dead = (orders.receive() for _ in range(4))
    orders.defer(deferred.token)
    orders.complete(done.token)
    orders.dead_letter(dead.token)

    assert [orders.held(state) for state in (State.ACTIVE, State.DEFERRED, State.SCHEDULED)] == [2, 1, 1]
    assert (orders.held(*State), there.dead("orders").held(*State)) == (4, 1)


def test_a_queue_that_ended_takes_and_delivers_nothing_and_nothing_becomes_due(there, orders):
    orders.send([message("locked"), message("waits", time_to_live=SECOND)])
    orders.send([message("later", scheduled_for=there.now + SECOND)])
    token = orders.receive().token

    orders.end()

    there.passes(60 * SECOND)
    assert (orders.receive(), orders.peek(0, 10)) == (None, [])
    with pytest.raises(MessageLockLost):
        orders.complete(token)
    with pytest.raises(EntityNotFound, match="'orders' was removed"):
        orders.send([message("a")])
