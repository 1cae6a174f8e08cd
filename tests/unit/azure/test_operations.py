"""What an operator asks: how much waits and what, and pausing a service's queue."""

import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.servicebus.exceptions import MessagingEntityDisabledError

from infra.azure.wiring import azure as opening
from shared.kernel.errors import TrefoilError
from shared.kernel.ports import Depth, Outgoing, Timer
from tests.support.azure_fakes import arriving, raising

QUEUE, DEAD = "trefoil-dev-orders", "trefoil-dev-orders-dead"


@pytest.fixture
def operations(azure):
    return azure.system.operations


@pytest.fixture
def counts(fake):
    """What the queues hold."""
    held = {QUEUE: {"active": 5, "scheduled": 2, "dead_letter": 0}, DEAD: {"active": 3, "scheduled": 0}}
    fake.answers["counts"] = held.__getitem__
    return held


def test_what_waits_is_what_can_be_delivered_and_what_is_scheduled(operations, counts):
    assert operations.depth("orders") == Depth(7, None, 3, paused=False)


def test_counts_that_are_not_told_are_none_waiting(operations, counts):
    counts[QUEUE] = counts[DEAD] = {"active": None, "scheduled": None}

    assert operations.depth("orders") == Depth(0, None, 0, paused=False)


def test_a_pause_has_the_queue_take_messages_and_deliver_none(fake, operations, counts):
    operations.pause("orders")

    assert fake.statuses == {QUEUE: "ReceiveDisabled"}
    assert operations.depth("orders").paused


@pytest.mark.parametrize("times", [1, 2])
def test_pausing_and_resuming_again_changes_nothing(fake, operations, counts, times):
    for _ in range(times):
        operations.pause("orders")
    for _ in range(times):
        operations.resume("orders")

    assert fake.statuses == {QUEUE: "Active"}
    assert not operations.depth("orders").paused


@pytest.mark.parametrize("status", ["Disabled", "SendDisabled"])
def test_what_somebody_else_switched_off_is_not_our_pause(fake, operations, counts, status):
    fake.statuses[QUEUE] = status

    assert not operations.depth("orders").paused


def test_what_waits_is_what_the_queue_shows_and_the_timers_of_the_service(fake, operations, azure):
    fake.offer(QUEUE, arriving(1, b"waiting"))
    fake.held[QUEUE] = [arriving(2, b"locked")]
    ours, theirs = (Outgoing(f"{to}1", "t", "s", to.encode(), to) for to in ("orders", "payments"))
    azure.timers.set([Timer(9e9, ours), Timer(1.0, theirs)])

    assert list(operations.waiting("orders")) == [b"waiting", b"locked", b"orders"]
    assert fake.took("receive") == []


def test_a_paused_queue_shows_nobody_what_waits_and_that_is_said(fake, operations):
    fake.answers["peek"] = raising(MessagingEntityDisabledError(message=f"{QUEUE} delivers nothing"))

    with pytest.raises(TrefoilError, match=r"^orders is paused; .*trefoil-dev-orders delivers nothing"):
        list(operations.waiting("orders"))


def test_timers_are_counted_due_or_not(operations, azure):
    azure.timers.set([Timer(due, Outgoing(f"m{due}", "t", "s", b"{}", "orders")) for due in (1.0, 9e9)])

    assert operations.timers() == 2


def test_a_queue_that_is_not_there_is_one_sentence_for_a_person(fake):
    fake.answers["counts"] = raising(ResourceNotFoundError("trefoil-dev-orders is not there"))

    with pytest.raises(TrefoilError, match=r"^Azure: trefoil-dev-orders is not there"), opening() as opened:
        opened.system.operations.depth("orders")
