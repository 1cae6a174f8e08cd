from collections import defaultdict
from datetime import date

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.kernel.message import Message
from shared.messages.orders import OrderPlaced
from shared.messages.payments import PaymentCaptured, PaymentRefunded
from shared.messages.revenue import AmountBooked
from shared.messages.values import Money
from shared.revenue.handlers import SERVICE, book_captured, book_placed, book_refunded
from shared.revenue.model import SHARDS, Figures, shard_of_day
from tests.support.kernel_fakes import message

DAY, PRICE = date(2026, 11, 20), Money(2933, "USD")

MONEY = st.builds(Money, st.integers(0, 2**53 - 1), st.sampled_from(["USD", "EUR"]))
DAYS = st.sampled_from([DAY, date(2026, 11, 21)])
EVENTS = st.one_of(
    st.builds(OrderPlaced, st.just("Ada"), st.just("a@b"), st.just(1), MONEY, DAYS),
    st.builds(PaymentCaptured, MONEY, DAYS, st.just("r")),
    st.builds(PaymentRefunded, MONEY, DAYS, st.just("r")),
)
MESSAGES = st.lists(
    st.builds(lambda event, order: message(event, subject=order), EVENTS, st.sampled_from("abc")), max_size=12
)


def figures(messages: list[Message]) -> dict[str, Figures]:
    """The figures of each stream."""
    found: dict[str, Figures] = defaultdict(Figures)
    for each in messages:
        stream = SERVICE.stream(each)
        for booked in SERVICE.handles[type(each.data)](found[stream], each):
            found[stream] = SERVICE.emits[type(booked)](found[stream], booked)
    return found


def test_each_event_is_booked_under_its_own_heading():
    placed = message(OrderPlaced("Ada", "a@b", 1, PRICE, DAY))
    captured = message(PaymentCaptured(PRICE, DAY, "r1"))
    refunded = message(PaymentRefunded(PRICE, DAY, "r2"))

    assert book_placed(Figures(), placed) == [AmountBooked("placed", PRICE)]
    assert book_captured(Figures(), captured) == [AmountBooked("captured", PRICE)]
    assert book_refunded(Figures(), refunded) == [AmountBooked("refunded", PRICE)]


def test_amounts_add_up_by_currency_and_orders_are_counted():
    state = Figures()
    for entry, money in [("placed", PRICE), ("placed", PRICE), ("placed", Money(5, "EUR")), ("captured", PRICE)]:
        state = state.booked(AmountBooked(entry, money))

    assert state == Figures(3, {"USD": 5866, "EUR": 5}, {"USD": 2933}, {})


def test_booking_leaves_earlier_figures_as_they_were():
    before = Figures().booked(AmountBooked("placed", PRICE))

    before.booked(AmountBooked("placed", PRICE))

    assert before == Figures(1, {"USD": 2933})


def test_all_that_concerns_one_order_on_one_day_is_in_one_stream():
    events = [
        OrderPlaced("Ada", "a@b", 1, PRICE, DAY),
        PaymentCaptured(PRICE, DAY, "r"),
        PaymentRefunded(PRICE, DAY, "r"),
    ]

    streams = {SERVICE.stream(message(event, subject="o1")) for event in events}

    assert streams == {f"revenue/{shard_of_day(DAY, 'o1')}"}


def test_a_day_is_spread_over_all_its_shards():
    shards = {shard_of_day(DAY, f"order-{number}") for number in range(1000)}

    assert shards == {f"2026-11-20.{shard:02}" for shard in range(SHARDS)}


@pytest.mark.parametrize("day", [date.min, date(987, 6, 5), date.max])
def test_any_day_makes_a_key(day):
    assert SERVICE.stream(message(PaymentCaptured(PRICE, day, "r"))).startswith(f"revenue/{day.isoformat()}.")


def test_the_same_order_is_in_the_same_shard_on_every_machine():
    assert shard_of_day(date(1997, 1, 1), "order-1") == "1997-01-01.07"


@settings(max_examples=30)
@given(MESSAGES.flatmap(lambda messages: st.tuples(st.just(messages), st.permutations(messages))))
def test_the_order_of_events_makes_no_difference(shuffled):
    messages, permuted = shuffled

    assert figures(permuted) == figures(messages)


@settings(max_examples=30)
@given(MESSAGES)
def test_what_was_placed_captured_and_refunded_is_all_there(messages):
    found = figures(messages)

    booked = sum(
        sum(amounts.values()) for each in found.values() for amounts in (each.placed, each.captured, each.refunded)
    )
    sent = sum(m.data.total.amount if isinstance(m.data, OrderPlaced) else m.data.money.amount for m in messages)
    assert booked == sent


def test_a_day_of_greatest_amounts_survives_its_snapshot():
    rich = Figures(2**40, {"USD": 2**40 * (2**53 - 1)})

    assert msgspec.json.decode(msgspec.json.encode(rich), type=Figures) == rich
