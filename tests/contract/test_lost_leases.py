"""The port `Channels` when workers hang or die: the lease is lost, the message is not."""

import pytest

from shared.kernel.outcome import DONE, IGNORED, DeadLetter, Defer, Retry
from tests.support.contract_catalog import FAILURE, LEDGER, STOCK, TRIES, ids, message, messages

RETRY_AT_ONCE = Retry(0.0, FAILURE)
DEFER_BRIEFLY = Defer(0.0, FAILURE)
DEAD = DeadLetter(FAILURE)

whatever_the_outcome = pytest.mark.parametrize(
    "outcome", [DONE, IGNORED, DEAD, RETRY_AT_ONCE, DEFER_BRIEFLY], ids=lambda outcome: type(outcome).__name__
)


@pytest.mark.needs("tells_lost_leases")
@whatever_the_outcome
def test_a_settlement_after_a_lost_lease_leaves_the_message_to_its_new_holder(deployed, outcome):
    deployed.publish(message("m1"))
    (lost,) = deployed.take()
    deployed.let_leases_end()
    (held,) = deployed.take()

    deployed.settle(lost, outcome)

    assert (deployed.take(), deployed.letters()) == ([], [])
    deployed.let_leases_end()
    (again,) = deployed.take()
    assert (again.body, again.attempts) == (held.body, 3)


@pytest.mark.needs("tells_lost_leases")
@whatever_the_outcome
def test_a_late_settlement_revives_nothing(deployed, outcome):
    deployed.publish(message("m1"))
    (lost,) = deployed.take()
    deployed.let_leases_end()
    (held,) = deployed.take()
    deployed.settle(held, DONE)

    deployed.settle(lost, outcome)

    deployed.let_leases_end()
    assert (deployed.take(), deployed.letters()) == ([], [])


@pytest.mark.needs("tells_lost_leases")
@whatever_the_outcome
def test_a_late_settlement_does_not_touch_what_waits_for_another_try(deployed, outcome):
    deployed.publish(message("m1"))
    (lost,) = deployed.take()
    deployed.let_leases_end()
    (held,) = deployed.take()
    deployed.settle(held, Retry(deployed.moment, FAILURE))

    deployed.settle(lost, outcome)

    assert (deployed.take(), deployed.letters()) == ([], [])
    deployed.wait(deployed.moment)
    assert [delivery.attempts for delivery in deployed.take()] == [3]


@pytest.mark.needs("tells_lost_leases")
def test_a_lost_lease_in_a_batch_does_not_keep_the_others_from_being_settled(deployed):
    deployed.publish(*messages(3))
    (lost,) = deployed.take(seconds=deployed.moment)
    kept = deployed.take(2, seconds=3 * deployed.moment)
    deployed.let_leases_end()
    (held,) = deployed.take(seconds=3 * deployed.moment)

    deployed.system.channels.settle(STOCK, [(kept[0], DONE), (lost, DONE), (kept[1], DONE)])

    deployed.wait(3 * deployed.moment)
    assert ids(deployed.take(3)) == ids([held])


@pytest.mark.needs("tells_lost_leases")
@whatever_the_outcome
def test_settling_twice_is_settling_once(deployed, outcome):
    deployed.publish(message("m1"))
    (delivery,) = deployed.take()
    deployed.settle(delivery, outcome)

    deployed.settle(delivery, DONE)

    came_back = deployed.take(service=STOCK)
    assert len(came_back) == (outcome in (RETRY_AT_ONCE, DEFER_BRIEFLY))
    assert len(deployed.letters()) == (outcome == DEAD)


# -- when workers die of it


@pytest.mark.needs("controls_time")
def test_a_message_that_no_worker_survives_is_given_up_ten_deliveries_after_its_tries(deployed):
    deployed.publish(message("m1"))
    attempts = []
    while delivered := deployed.take():
        attempts.append(delivered[0].attempts)
        deployed.let_leases_end()

    (letter,) = deployed.letters()

    assert attempts == list(range(1, TRIES + 10 + 1))
    assert (letter.failure.reason, letter.attempts) == ("DeliveriesExhausted", TRIES + 10)
    assert letter.body == message("m1").body
    assert str(TRIES + 10) in letter.failure.text


@pytest.mark.needs("controls_time")
def test_a_message_that_is_given_up_does_not_hold_others_up(deployed):
    deployed.publish(message("m1"))
    for _ in range(TRIES + 10):
        deployed.take()
        deployed.let_leases_end()
    deployed.publish(message("m2"), message("m3"))

    leased = deployed.take(10)

    assert [(id_, delivery.attempts) for id_, delivery in zip(ids(leased), leased, strict=True)] == [
        ("m2", 1),
        ("m3", 1),
    ]
    assert ids(deployed.letters()) == ["m1"]


@pytest.mark.needs("controls_time")
def test_what_a_service_gave_up_stays_with_the_other_subscribers(deployed):
    deployed.publish(message("m1"))
    for _ in range(TRIES + 11):
        deployed.take(service=STOCK)
        deployed.let_leases_end()

    assert ids(deployed.letters(STOCK)) == ["m1"]
    assert (ids(deployed.take(service=LEDGER)), deployed.letters(LEDGER)) == (["m1"], [])
