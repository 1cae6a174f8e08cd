"""Pausing on Azure, which the port's own suite leaves out: a queue that was told to deliver nothing delivers nothing.

What Service Bus says to a receiver that is there already is its own affair; the emulator lets it wait.
"""

import pytest

from shared.kernel.outcome import DONE, DeadLetter, Retry
from tests.support.adapters import AZURE
from tests.support.contract_catalog import FAILURE, LEDGER, STOCK, ids, message, messages

pytestmark = pytest.mark.parametrize("adapter", [AZURE], indirect=True, ids=["azure"])


@pytest.fixture
def desk(deployed):
    return deployed.system.operations


def depth(desk, service=STOCK):
    found = desk.depth(service)
    return found.waiting, found.dead, found.paused


def test_a_paused_service_is_delivered_nothing_and_loses_nothing_until_it_is_resumed(deployed, desk):
    deployed.publish(message("m1"))
    before = deployed.take()
    deployed.settle(*before, DONE)
    desk.pause(STOCK)
    desk.pause(STOCK)
    deployed.publish(message("m2"), message("m3"))

    assert deployed.take(2) == []
    assert depth(desk) == (2, 0, True)
    assert depth(desk, LEDGER) == (3, 0, False)
    assert len(set(desk.waiting(STOCK))) == 2

    desk.resume(STOCK)
    desk.resume(STOCK)

    assert depth(desk) == (2, 0, False)
    assert ids(deployed.take(2)) == ["m2", "m3"]


def test_what_was_leased_before_a_pause_may_still_be_settled(deployed, desk):
    deployed.publish(*messages(3))
    done, dead, retried = deployed.take(3)
    desk.pause(STOCK)

    deployed.settle(done, DONE)
    deployed.settle(dead, DeadLetter(FAILURE))
    deployed.settle(retried, Retry(0.0, FAILURE))

    assert depth(desk) == (1, 1, True)
    desk.resume(STOCK)
    assert ids(deployed.take(2)) == ids([retried])
