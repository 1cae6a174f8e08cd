"""The port `Channels`: a message is leased to one worker at a time, until one of them settles it."""

import pytest

from shared.kernel.outcome import DONE, IGNORED, DeadLetter, Defer, Retry
from tests.support.contract_catalog import FAILURE, LEDGER, STOCK, TRIES, ids, message, messages

RETRY_AT_ONCE = Retry(0.0, FAILURE)
DEFER_BRIEFLY = Defer(0.0, FAILURE)
DEAD = DeadLetter(FAILURE)


def name(outcome):
    return type(outcome).__name__


# -- leases


def test_an_empty_channel_has_nothing_to_lease(deployed):
    assert deployed.take() == []


def test_a_leased_message_is_hidden_from_others(deployed):
    deployed.publish(message("m1"))
    deployed.take()

    assert deployed.take() == []


def test_a_lease_hides_a_message_in_its_own_channel_only(deployed):
    deployed.publish(message("m1"))
    deployed.take(service=STOCK)

    assert ids(deployed.take(service=LEDGER)) == ["m1"]


def test_a_lease_takes_no_more_than_it_was_asked_for(deployed):
    deployed.publish(*messages(5))

    first = deployed.system.channels.lease(STOCK, 2, deployed.moment)

    assert len(first) <= 2
    rest = deployed.take(5 - len(first))
    assert sorted(ids([*first, *rest])) == ["m1", "m2", "m3", "m4", "m5"]


def test_a_message_comes_back_when_its_lease_ends(deployed):
    deployed.publish(message("m1"))
    deployed.take()

    deployed.let_leases_end()

    assert ids(deployed.take()) == ["m1"]


@pytest.mark.needs("controls_time")
def test_a_lease_holds_to_its_last_moment(deployed):
    deployed.publish(message("m1"))
    deployed.take(seconds=30.0)

    deployed.wait(29.875)
    during = deployed.take()
    deployed.wait(0.125)

    assert (during, ids(deployed.take())) == ([], ["m1"])


@pytest.mark.needs("controls_time")
def test_each_lease_lasts_as_long_as_it_was_asked_for(deployed):
    deployed.publish(*messages(2))
    (first,) = deployed.take(seconds=10.0)
    (second,) = deployed.take(seconds=60.0)

    deployed.wait(10.0)

    assert ids(deployed.take(2)) == ids([first])
    deployed.wait(50.0)
    assert ids([second])[0] in ids(deployed.take(2))


def test_the_first_delivery_is_the_first_try(deployed):
    deployed.publish(message("m1"))

    (delivery,) = deployed.take()

    assert delivery.attempts == 1


def test_a_delivery_that_was_never_settled_used_a_try(deployed):
    deployed.publish(message("m1"))

    attempts = []
    for _ in range(3):
        attempts += [delivery.attempts for delivery in deployed.take()]
        deployed.let_leases_end()

    assert attempts == [1, 2, 3]


# -- done


@pytest.mark.parametrize("outcome", [DONE, IGNORED], ids=name)
def test_what_is_done_or_ignored_never_comes_again(deployed, outcome):
    deployed.publish(message("m1"))
    (delivery,) = deployed.take()

    deployed.settle(delivery, outcome)
    deployed.let_leases_end()

    assert deployed.take() == []
    assert deployed.letters() == []


def test_settling_nothing_is_fine(deployed):
    deployed.publish(message("m1"))

    deployed.system.channels.settle(STOCK, [])

    assert ids(deployed.take()) == ["m1"]


# -- retry and defer


def test_a_retry_comes_when_it_is_due_and_not_before(deployed):
    deployed.publish(message("m1"))
    (delivery,) = deployed.take(seconds=3 * deployed.moment)

    deployed.settle(delivery, Retry(deployed.moment, FAILURE))
    before = deployed.take()
    deployed.wait_out(deployed.moment)

    assert (before, ids(deployed.take())) == ([], ["m1"])


def test_a_deferral_comes_when_it_is_due_and_not_before(deployed):
    deployed.publish(message("m1"))
    (delivery,) = deployed.take(seconds=3 * deployed.moment)

    deployed.settle(delivery, Defer(deployed.moment, FAILURE))
    before = deployed.take()
    deployed.wait_out(deployed.moment)

    assert (before, ids(deployed.take())) == ([], ["m1"])


@pytest.mark.needs("controls_time")
@pytest.mark.parametrize("back", [Retry, Defer])
@pytest.mark.parametrize("after", [0.0, 0.5, 60.0, 86_400.0])
def test_what_is_to_come_again_is_due_to_the_moment(deployed, back, after):
    deployed.publish(message("m1"))
    (delivery,) = deployed.take()

    deployed.settle(delivery, back(after, FAILURE))
    deployed.wait(max(0.0, after - 0.125))
    early = [] if after == 0.0 else deployed.take()
    deployed.wait(0.125)

    assert (early, ids(deployed.take())) == ([], ["m1"])


def test_a_retry_uses_a_try(deployed):
    deployed.publish(message("m1"))

    attempts = []
    for _ in range(4):
        (delivery,) = deployed.take()
        attempts.append(delivery.attempts)
        deployed.settle(delivery, RETRY_AT_ONCE)

    assert attempts == [1, 2, 3, 4]


def test_a_deferral_uses_no_try_however_often_it_happens(deployed):
    deployed.publish(message("m1"))

    attempts = []
    for _ in range(TRIES + 12):
        (delivery,) = deployed.take()
        attempts.append(delivery.attempts)
        deployed.settle(delivery, DEFER_BRIEFLY)

    assert attempts == [1] * (TRIES + 12)


def test_a_deferral_keeps_the_tries_used_before_it(deployed):
    deployed.publish(message("m1"))

    attempts = []
    for outcome in (RETRY_AT_ONCE, DEFER_BRIEFLY, DEFER_BRIEFLY, RETRY_AT_ONCE, DEFER_BRIEFLY):
        (delivery,) = deployed.take()
        attempts.append(delivery.attempts)
        deployed.settle(delivery, outcome)

    assert attempts == [1, 2, 2, 2, 3]


def test_a_deferral_after_a_crash_keeps_the_crash_counted(deployed):
    deployed.publish(message("m1"))
    deployed.take()
    deployed.let_leases_end()
    (second,) = deployed.take()

    deployed.settle(second, DEFER_BRIEFLY)

    (third,) = deployed.take()
    assert (second.attempts, third.attempts) == (2, 2)


@pytest.mark.parametrize("outcome", [RETRY_AT_ONCE, DEFER_BRIEFLY], ids=name)
@pytest.mark.parametrize("to", [None, STOCK], ids=["fanned out", "addressed"])
def test_what_comes_again_is_what_came_before(deployed, outcome, to):
    deployed.publish(message("m1", to=to))
    (first,) = deployed.take()

    deployed.settle(first, outcome)

    (again,) = deployed.take()
    assert (again.body, again.addressed, again.attributes) == (first.body, to is not None, first.attributes)


# -- a batch


def test_each_message_of_a_batch_gets_its_own_outcome(deployed):
    deployed.publish(*messages(6))
    leased = deployed.take(6)
    by_id = dict(zip(ids(leased), leased, strict=True))
    outcomes = {"m1": DONE, "m2": RETRY_AT_ONCE, "m3": DEAD, "m4": DEFER_BRIEFLY, "m5": IGNORED}

    deployed.system.channels.settle(STOCK, [(by_id[id_], outcome) for id_, outcome in outcomes.items()])

    at_once = deployed.take(2)
    assert {id_: each.attempts for id_, each in zip(ids(at_once), at_once, strict=True)} == {"m2": 2, "m4": 1}
    assert ids(deployed.letters()) == ["m3"]
    deployed.let_leases_end()
    assert sorted(ids(deployed.take(3))) == ["m2", "m4", "m6"]


def test_messages_leased_at_different_times_may_be_settled_together(deployed):
    deployed.publish(*messages(3))
    leased = []
    for _ in range(3):
        leased += deployed.take()
        deployed.wait(deployed.moment / 8)

    deployed.system.channels.settle(STOCK, [(delivery, DONE) for delivery in reversed(leased)])

    deployed.let_leases_end()
    assert deployed.take() == []


# -- order


@pytest.mark.needs("keeps_order")
def test_messages_are_delivered_in_the_order_in_which_they_were_published(deployed):
    sent = messages(40)
    deployed.publish(*sent[:20])
    for each in sent[20:]:
        deployed.publish(each)

    leased = deployed.take(15) + deployed.take(25)

    assert ids(leased) == [each.id for each in sent]


@pytest.mark.needs("keeps_order", "controls_time")
def test_what_is_due_first_is_delivered_first(deployed):
    deployed.publish(*messages(3))
    first, second, third = deployed.take(3)
    deployed.settle(first, Retry(30.0, FAILURE))
    deployed.settle(second, Retry(20.0, FAILURE))
    deployed.wait(25.0)
    deployed.publish(message("m4"))
    deployed.settle(third, RETRY_AT_ONCE)
    deployed.wait(60.0)

    assert ids(deployed.take(4)) == ["m2", "m3", "m4", "m1"]


@pytest.mark.needs("keeps_order")
def test_messages_whose_leases_ended_come_in_their_old_order_before_later_ones(deployed):
    deployed.publish(*messages(3))
    deployed.take(3)
    deployed.let_leases_end()

    deployed.publish(message("m4"))

    assert ids(deployed.take(4)) == ["m1", "m2", "m3", "m4"]
