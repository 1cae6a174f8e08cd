from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.kernel.message import Payload
from shared.messages.orders import OrderCancelled, OrderFulfilled, OrderPaid, OrderPlaced
from shared.messages.values import Money
from shared.order_status.handlers import SERVICE
from shared.order_status.model import Standing
from tests.support.kernel_fakes import message

PRICE, DAY = Money(2933, "USD"), date(2026, 11, 20)
PLACED = OrderPlaced("Ada", "ada@example.com", 2, PRICE, DAY)
PAID = OrderPaid(PRICE, DAY)
FULFILLED = OrderFulfilled("ada@example.com", PRICE, DAY, "Snail", "1Z")
CANCELLED = OrderCancelled("ada@example.com", PRICE, DAY, "payment declined")

LIVES = [
    ([], Standing("unknown")),
    ([PLACED], Standing("placed")),
    ([PLACED, PAID], Standing("paid")),
    ([PLACED, PAID, FULFILLED], Standing("fulfilled", "Snail 1Z")),
    ([PLACED, CANCELLED], Standing("cancelled", "payment declined")),
    ([PLACED, PAID, CANCELLED], Standing("cancelled", "payment declined")),
]


def standing(events: list[Payload]) -> Standing:
    state = Standing()
    for event in events:
        for noted in SERVICE.handles[type(event)](state, message(event)):
            state = SERVICE.emits[type(noted)](state, noted)
    return state


@pytest.mark.parametrize(("events", "expected"), LIVES, ids=str)
def test_the_furthest_event_says_where_an_order_stands(events, expected):
    assert standing(events) == expected


@given(st.sampled_from(LIVES).flatmap(lambda life: st.tuples(st.permutations(life[0]), st.just(life[1]))))
def test_the_order_of_events_makes_no_difference(shuffled):
    events, expected = shuffled

    assert standing(events) == expected


def test_an_event_that_comes_again_makes_no_difference():
    assert standing([PLACED, PAID, FULFILLED, PAID, PLACED]) == Standing("fulfilled", "Snail 1Z")


def test_notes_are_private():
    assert all(payload.message_type.private for payload in SERVICE.emits)
