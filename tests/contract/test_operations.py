"""The port `Operations`: how full a channel is, and holding it."""

import pytest

from shared.kernel.outcome import DONE, DeadLetter, Retry
from shared.kernel.ports import Depth, Timer
from tests.support.contract_catalog import FAILURE, LEDGER, STOCK, Opened, ids, message, messages

pytestmark = pytest.mark.needs("operations")


@pytest.fixture
def desk(deployed):
    return deployed.system.operations


@pytest.mark.needs("tells_depth")
def test_an_empty_channel_has_no_depth(desk):
    assert desk.depth(STOCK) == Depth(waiting=0, leased=0, dead=0)


@pytest.mark.needs("tells_depth")
def test_depth_tells_waiting_leased_and_dead_apart(deployed, desk):
    deployed.publish(*messages(6))
    for delivery, outcome in zip(deployed.take(3), [DONE, DeadLetter(FAILURE), Retry(0.0, FAILURE)], strict=True):
        deployed.settle(delivery, outcome)
    deployed.take(2)

    assert desk.depth(STOCK) == Depth(waiting=2, leased=2, dead=1)
    assert desk.depth(LEDGER) == Depth(waiting=6, leased=0, dead=0)


@pytest.mark.needs("tells_depth")
def test_a_message_whose_lease_ended_is_waiting_again(deployed, desk):
    deployed.publish(*messages(2))
    deployed.take()

    deployed.let_leases_end()

    assert desk.depth(STOCK) == Depth(waiting=2, leased=0, dead=0)


@pytest.mark.needs("tells_retries_from_leases")
def test_a_message_that_is_not_due_yet_is_waiting(deployed, desk):
    deployed.publish(message("m1"))
    (delivery,) = deployed.take()

    deployed.settle(delivery, Retry(deployed.moment, FAILURE))

    assert desk.depth(STOCK) == Depth(waiting=1, leased=0, dead=0)


@pytest.mark.needs("pauses_leases")
def test_a_paused_service_is_delivered_nothing_and_loses_nothing(deployed, desk):
    deployed.publish(message("m1"))
    desk.pause(STOCK)
    deployed.publish(message("m2"))

    assert deployed.take(2, STOCK) == []

    assert desk.depth(STOCK) == Depth(waiting=2, leased=0, dead=0, paused=True)
    assert sorted(ids(deployed.take(2, LEDGER))) == ["m1", "m2"]


@pytest.mark.needs("pauses_leases")
def test_a_resumed_service_is_delivered_what_waited(deployed, desk):
    deployed.publish(message("m1"))
    desk.pause(STOCK)
    desk.pause(STOCK)

    desk.resume(STOCK)

    assert ids(deployed.take()) == ["m1"]
    assert desk.depth(STOCK).paused is False


@pytest.mark.needs("pauses_leases")
def test_resuming_what_was_not_paused_is_fine(deployed, desk):
    deployed.publish(message("m1"))

    desk.resume(STOCK)

    assert ids(deployed.take()) == ["m1"]


@pytest.mark.needs("pauses_leases")
def test_what_was_leased_before_a_pause_may_still_be_settled(deployed, desk):
    deployed.publish(message("m1"))
    (delivery,) = deployed.take()
    desk.pause(STOCK)

    deployed.settle(delivery, DONE)

    desk.resume(STOCK)
    deployed.let_leases_end()
    assert deployed.take() == []


@pytest.mark.needs("shows_what_waits")
def test_what_waits_includes_what_is_leased_and_timers_but_not_what_is_done_or_dead(deployed, desk):
    deployed.publish(*messages(4))
    done, dead, _ = deployed.take(3)
    deployed.settle(done, DONE)
    deployed.settle(dead, DeadLetter(FAILURE))
    timer = Timer(deployed.now + 3600.0, message("t1", Opened(), to=STOCK))
    deployed.system.timers.set([timer])

    still = {each.body for each in messages(4)} - {done.body, dead.body}
    assert set(desk.waiting(STOCK)) == {*still, timer.message.body}
    assert set(desk.waiting(LEDGER)) == {each.body for each in messages(4)}
