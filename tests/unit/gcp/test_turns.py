"""Messages of one stream are handled one after the other by an instance, and those of different streams at once."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, BrokenBarrierError, Event

import pytest

from functions.gcp.turns import Turns
from shared.catalog import CATALOG
from shared.kernel.ports import Delivery
from tests.support.gcp_fakes import order


@pytest.fixture
def turns():
    return Turns(CATALOG.service("orders"))


def delivery(body):
    return Delivery(body, attempts=1, addressed=False, attributes={}, receipt=None)


def meet(turns, *bodies):
    """Whether messages that come at the same time are handled at the same time."""
    together = Barrier(len(bodies))

    def handle(body):
        with turns.turn(delivery(body), 10):
            try:
                together.wait(0.2)
            except BrokenBarrierError:
                return False
            return True

    with ThreadPoolExecutor(len(bodies)) as pool:
        return any(pool.map(handle, bodies))


def test_messages_of_one_stream_wait_for_one_another(turns):
    assert not meet(turns, order(id="a"), order(id="b"))


def test_messages_of_different_streams_do_not_wait(turns):
    assert meet(turns, order(1), order(2))


def test_what_cannot_be_read_waits_for_nothing(turns):
    assert meet(turns, b"nonsense", b"nonsense")


def test_a_turn_ends_when_handling_fails(turns):
    with pytest.raises(ZeroDivisionError), turns.turn(delivery(order()), 10):
        raise ZeroDivisionError

    with turns.turn(delivery(order()), 0):
        assert not turns._lock(delivery(order())).acquire(blocking=False)


def test_nobody_waits_longer_than_allowed_for_one_that_hangs(turns):
    hanging, ended = Event(), Event()

    def hang():
        with turns.turn(delivery(order()), 10):
            hanging.set()
            ended.wait(10)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(hang)
        hanging.wait(10)
        with turns.turn(delivery(order()), 0.05):
            was_first = ended.is_set()
        ended.set()

    assert not was_first
