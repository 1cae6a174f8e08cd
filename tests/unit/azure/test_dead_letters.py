"""Listing dead letters without locking them, sending one again, dropping one."""

import pytest
from azure.servicebus.exceptions import MessageLockLostError, ServiceBusServerBusyError

from infra.azure.records import arrived
from shared.kernel.errors import PublishFailed, TrefoilError
from tests.support.azure_fakes import arriving, body_of, raising, told

SERVICE = "orders"
QUEUE, DEAD = "trefoil-dev-orders", "trefoil-dev-orders-dead"
CRASHED = {
    "DeadLetterReason": "MaxDeliveryCountExceeded",
    "DeadLetterErrorDescription": "Message could not be consumed after 15 delivery attempts.",
}


def letter(number, properties=None, **more):
    return arriving(number, b"%d" % number, {"trefoil-reason": "Expired", **(properties or {})}, **more)


@pytest.fixture
def letters(azure):
    return azure.system.dead_letters


def listed(letters, service=SERVICE):
    return list(letters.parked(service))


# -- looking


def test_a_listing_shows_all_and_locks_nothing(fake, letters):
    fake.offer(DEAD, letter(1), letter(2))
    fake.held[DEAD] = [letter(3)]

    found = listed(letters)

    assert [(each.id, each.body) for each in found] == [("1", b"1"), ("2", b"2"), ("3", b"3")]
    assert {name for name, *_ in fake.log} == {"peek"}


def test_a_listing_goes_on_behind_the_last_that_it_saw_until_it_sees_none(fake, letters, monkeypatch):
    monkeypatch.setattr("infra.azure.dead_letters.PAGE", 2)
    fake.offer(DEAD, *(letter(number) for number in (1, 5, 9)))

    assert [each.id for each in listed(letters)] == ["1", "5", "9"]
    assert fake.took("peek") == [[DEAD, "1"], [DEAD, "6"], [DEAD, "10"]]


def test_a_listing_is_read_as_it_is_wanted(fake, letters, monkeypatch):
    monkeypatch.setattr("infra.azure.dead_letters.PAGE", 2)
    fake.offer(DEAD, *(letter(number) for number in range(1, 6)))

    next(letters.parked(SERVICE))

    assert len(fake.took("peek")) == 1


def test_our_own_letter_reads_as_it_was_written(fake, letters):
    ours = {
        "trefoil-reason": "RuleViolation",
        "trefoil-error": "E",
        "trefoil-text": "the order is 3 days old",
        "trefoil-handler": "place_order",
        "trefoil-attempts": "5",
        "trefoil-first": "900.5",
        "trefoil-last": "1500.25",
    }
    fake.offer(DEAD, letter(1, ours))

    (found,) = listed(letters)

    assert (found.service, found.attempts, found.first, found.last) == ("orders", 5, 900.5, 1500.25)
    assert (found.failure.reason, found.failure.error) == ("RuleViolation", "E")
    assert (found.failure.text, found.failure.handler) == ("the order is 3 days old", "place_order")


def test_a_letter_that_says_nothing_but_its_reason_is_as_old_as_it_lies_there(fake, letters):
    fake.offer(DEAD, letter(1))

    (found,) = listed(letters)

    assert (found.failure.reason, found.attempts, found.first, found.last) == ("Expired", 1, 1000.25, 1000.25)


@pytest.mark.parametrize(("before", "attempts"), [({}, 15), ({"trefoil-attempts": "2", "trefoil-first": "900.5"}, 17)])
def test_what_no_function_survived_says_how_often_it_was_delivered_earlier_copies_included(
    fake, letters, before, attempts
):
    fake.offer(DEAD, arriving(1, b"{}", {**CRASHED, **before}))

    (found,) = listed(letters)

    assert found.failure.reason == "DeliveriesExhausted"
    assert found.failure.text.startswith(f"delivered {attempts} times")
    assert found.attempts == attempts
    assert found.first == (900.5 if before else 1000.25)


@pytest.mark.parametrize("properties", [{}, {"DeadLetterReason": "MaxDeliveryCountExceeded"}])
def test_what_says_nothing_of_its_deliveries_counts_those_of_the_queue(fake, letters, properties):
    fake.offer(DEAD, arriving(1, b"{}", properties, delivery_count=4))

    (found,) = listed(letters)

    assert (found.failure.reason, found.attempts) == ("DeliveriesExhausted", 5)


@pytest.mark.parametrize("said", ["The message expired and was dead lettered.", ""])
def test_another_reason_of_the_broker_s_is_shown(fake, letters, said):
    fake.offer(
        DEAD, arriving(1, b"{}", {"DeadLetterReason": "TTLExpiredException", "DeadLetterErrorDescription": said})
    )

    (found,) = listed(letters)

    assert (found.failure.reason, found.failure.handler) == ("Undeliverable", "broker")
    assert (found.failure.error, found.failure.text) == ("TTLExpiredException", said)


def test_a_reason_that_is_no_text_does_not_hide_the_other_letters(fake, letters):
    fake.offer(DEAD, arriving(1, b"{}", {"DeadLetterReason": bytearray(b"\xff")}), letter(2))

    assert [each.id for each in listed(letters)] == ["1", "2"]


# -- sending again


def test_a_replay_goes_to_the_service_s_queue_alone_and_is_then_dropped(fake, letters):
    fake.offer(DEAD, letter(7, {"type": "orders.place-order.v1"}, content_type="a/b", subject="s", correlation_id="c"))
    (found,) = listed(letters)

    letters.replay(found)

    (sent,) = fake.sent(QUEUE)
    assert body_of(sent) == b"7"
    assert sent.message_id == "trefoil-dev-orders-dead:7"
    assert told(sent) == {"type": "orders.place-order.v1", "to": "orders"}
    assert (sent.content_type, sent.subject, sent.correlation_id) == ("a/b", "s", "c")
    assert sent.scheduled_enqueue_time_utc is None
    assert [name for name, *_ in fake.log if name != "peek"] == ["send", "receive", "complete"]


def test_a_replay_is_for_its_service_and_has_all_its_tries_again(fake, letters):
    fake.offer(DEAD, letter(7, {"trefoil-attempts": "5"}))
    (found,) = listed(letters)

    letters.replay(found)

    again = arrived(fake.sent(QUEUE)[0], SERVICE)
    assert (again.addressed, again.attempts) == (True, 1)


def test_what_the_broker_moved_goes_to_the_service_alone_too(fake, letters):
    fake.offer(DEAD, arriving(7, b"{}", CRASHED))
    (found,) = listed(letters)

    letters.replay(found)

    again = arrived(fake.sent(QUEUE)[0], SERVICE)
    assert (again.addressed, again.attempts) == (True, 1)


def test_a_replay_that_fails_leaves_the_letter(fake, letters):
    fake.offer(DEAD, letter(7))
    (found,) = listed(letters)
    fake.answers["send"] = raising(ServiceBusServerBusyError(message="busy"))

    with pytest.raises(PublishFailed, match=r"dead letter orders/7 was not sent again: .*busy"):
        letters.replay(found)

    assert fake.took("complete") == []
    assert [each.id for each in listed(letters)] == ["7"]


# -- dropping


def test_what_is_locked_on_the_way_to_a_letter_is_kept_for_the_next_and_given_back_at_the_end(fake, letters):
    fake.offer(DEAD, *(letter(number) for number in (1, 2, 3)))
    one, two, three = listed(letters)

    letters.drop(two)
    letters.drop(one)
    letters.release()
    letters.release()

    assert len(fake.took("receive")) == 1
    assert fake.took("complete") == [[DEAD, "2"], [DEAD, "1"]]
    assert fake.took("abandon") == [[DEAD, three.id]]


def test_a_letter_that_lies_deep_is_searched_for_batch_after_batch(fake, letters, monkeypatch):
    monkeypatch.setattr("infra.azure.dead_letters.PAGE", 2)
    fake.offer(DEAD, *(letter(number) for number in range(1, 6)))
    *_, last = listed(letters)

    letters.drop(last)

    assert fake.took("receive") == [[DEAD, "2", "2.0"]] * 3
    assert fake.took("complete") == [[DEAD, "5"]]
    assert [each.id for each in listed(letters)] == ["1", "2", "3", "4"]


def test_what_was_given_back_can_be_locked_again(fake, letters):
    fake.offer(DEAD, letter(1), letter(2))
    one, two = listed(letters)
    letters.drop(one)
    letters.release()

    letters.drop(two)

    assert fake.took("complete") == [[DEAD, "1"], [DEAD, "2"]]


def test_a_letter_that_another_holds_or_has_removed_is_waited_for_a_little_and_is_no_error(fake, letters):
    fake.held[DEAD] = [letter(1)]
    (found,) = listed(letters)

    letters.drop(found)

    assert fake.took("receive") == [[DEAD, "250", "2.0"]]
    assert fake.took("complete") == []


@pytest.mark.parametrize("how", ["complete", "abandon"])
@pytest.mark.parametrize("error", [MessageLockLostError(), ValueError("the connection is gone")])
def test_a_lock_that_was_lost_is_no_error(fake, letters, how, error):
    fake.answers[how] = raising(error)
    fake.offer(DEAD, letter(1), letter(2))
    one, _ = listed(letters)

    letters.drop(one)
    letters.release()

    assert fake.took(how) == [[DEAD, "1" if how == "complete" else "2"]]


def test_services_do_not_disturb_one_another(fake, letters):
    for service in ("orders", "payments"):
        fake.offer(f"trefoil-dev-{service}-dead", letter(1), letter(2))
    ours, theirs = (listed(letters, service)[0] for service in ("orders", "payments"))

    letters.drop(ours)
    letters.drop(theirs)
    letters.release()

    assert fake.took("complete") == [[DEAD, "1"], ["trefoil-dev-payments-dead", "1"]]
    assert fake.took("abandon") == [[DEAD, "2"], ["trefoil-dev-payments-dead", "2"]]


@pytest.mark.parametrize("act", ["replay", "drop"])
def test_a_letter_of_another_listing_is_refused(fake, letters, act):
    fake.offer(DEAD, letter(1))
    (found,) = listed(letters)

    with pytest.raises(TrefoilError, match="dead letter payments/1 was not listed by this process"):
        getattr(letters, act)(type(found)("1", "payments", found.failure, 1, 0, 0, b""))
