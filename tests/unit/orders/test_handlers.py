from datetime import date
from itertools import product
from typing import Any

import msgspec
import pytest

from shared.catalog import CATALOG
from shared.kernel.errors import OutOfOrder, RuleViolation
from shared.kernel.message import After, Emission, Payload
from shared.kernel.outcome import DONE, Retry
from shared.messages.orders import (
    CancellationRefused,
    CancelOrder,
    OrderCancelled,
    OrderFulfilled,
    OrderPaid,
    OrderPlaced,
    PaymentTimedOut,
    PlaceOrder,
    RefundRequested,
)
from shared.messages.payments import CapturePayment, PaymentCaptured, PaymentDeclined, PaymentRefunded, RefundPayment
from shared.messages.shipping import DispatchShipment, ShipmentDispatched, ShipmentFailed
from shared.messages.values import Money
from shared.orders.handlers import SERVICE
from shared.orders.model import PAYMENT_TIMEOUT, Order
from tests.support.kernel_fakes import World, delivery, folded, message

PRICE, NOTHING = Money(2933, "USD"), Money(0, "USD")
DAY = date(2026, 11, 20)
LATE = "the payment came after the order was cancelled"


def place(total: Money = PRICE, **changes: Any) -> PlaceOrder:
    usual = {"customer": "Ada", "email": "ada@example.com", "quantity": 2, "total": total, "date": DAY}
    return PlaceOrder(**{**usual, **changes})


def placed(total: Money = PRICE) -> OrderPlaced:
    return OrderPlaced("Ada", "ada@example.com", 2, total, DAY)


def cancelled(reason: str, total: Money = PRICE) -> OrderCancelled:
    return OrderCancelled("ada@example.com", total, DAY, reason)


FULFILLED = OrderFulfilled("ada@example.com", PRICE, DAY, "Snail", "1Z")
CAPTURED = PaymentCaptured(PRICE, DAY, "r1")
DECLINED = PaymentDeclined("no funds")
REFUNDED = PaymentRefunded(PRICE, DAY, "r2")
DISPATCHED = ShipmentDispatched("Snail", "1Z")
FAILED = ShipmentFailed("no such street")
PAID = OrderPaid(PRICE, DAY)

ORDERS = {
    "unknown": [],
    "placed": [placed()],
    "paid": [placed(), PAID],
    "refunding": [placed(), PAID, RefundRequested("shipment failed: no such street")],
    "fulfilled": [placed(), PAID, FULFILLED],
    "cancelled": [placed(), cancelled("changed my mind")],
    "cancelled and refunding": [placed(), cancelled("payment timed out"), RefundRequested(LATE)],
    "cancelled and refunded": [placed(), PAID, RefundRequested("no"), cancelled("no")],
    "paid for nothing": [placed(NOTHING), OrderPaid(NOTHING, DAY)],
}


def order(name: str) -> Order:
    return folded(SERVICE, *ORDERS[name])


def handle(state: Order, payload: Payload) -> list[Emission]:
    return list(SERVICE.handles[type(payload)](state, message(payload, subject="o1")))


# -- placing


def test_a_placed_order_asks_for_its_money_and_does_not_wait_for_ever():
    answer = handle(Order(), place())

    assert answer == [placed(), CapturePayment(PRICE, DAY), After(PAYMENT_TIMEOUT, PaymentTimedOut())]
    assert PAYMENT_TIMEOUT == 30 * 60


def test_an_order_of_zero_value_is_paid_and_shipped_at_once():
    answer = handle(Order(), place(NOTHING))

    assert answer == [placed(NOTHING), OrderPaid(NOTHING, DAY), DispatchShipment()]


@pytest.mark.parametrize("name", [name for name in ORDERS if name not in {"unknown", "paid for nothing"}])
def test_the_same_order_once_more_is_no_news(name):
    assert handle(order(name), place()) == []


@pytest.mark.parametrize(
    "change",
    [
        {"customer": "Bob"},
        {"email": "bob@example.com"},
        {"quantity": 3},
        {"total": Money(2934, "USD")},
        {"total": Money(2933, "EUR")},
        {"date": date(2026, 11, 21)},
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["placed", "paid", "fulfilled", "cancelled"])
def test_another_order_under_the_same_id_is_refused(name, change):
    with pytest.raises(RuleViolation, match="order 'o1' was placed before, with another content"):
        handle(order(name), place(**change))


# -- every other message, at every stage


MESSAGES = {
    "captured": CAPTURED,
    "declined": DECLINED,
    "timed out": PaymentTimedOut(),
    "dispatched": DISPATCHED,
    "shipment failed": FAILED,
    "refunded": REFUNDED,
    "cancel": CancelOrder("changed my mind"),
}

ANSWERS: dict[tuple[str, str], list[Emission]] = {
    ("placed", "captured"): [PAID, DispatchShipment()],
    ("placed", "declined"): [cancelled("payment declined: no funds")],
    ("placed", "timed out"): [cancelled("payment timed out")],
    ("placed", "cancel"): [cancelled("changed my mind")],
    ("paid", "dispatched"): [FULFILLED],
    ("paid", "shipment failed"): [
        RefundRequested("shipment failed: no such street"),
        RefundPayment("shipment failed: no such street"),
    ],
    ("paid", "cancel"): [CancellationRefused("the order is paid already")],
    ("refunding", "refunded"): [cancelled("shipment failed: no such street")],
    ("refunding", "cancel"): [CancellationRefused("the order is refunding already")],
    ("fulfilled", "cancel"): [CancellationRefused("the order is fulfilled already")],
    ("cancelled", "captured"): [RefundRequested(LATE), RefundPayment(LATE)],
    ("paid for nothing", "dispatched"): [OrderFulfilled("ada@example.com", NOTHING, DAY, "Snail", "1Z")],
    ("paid for nothing", "shipment failed"): [cancelled("shipment failed: no such street", NOTHING)],
    ("paid for nothing", "cancel"): [CancellationRefused("the order is paid already")],
}
"""What is said; at every other stage a message says nothing new."""


@pytest.mark.parametrize(("name", "said"), list(product(sorted(ORDERS.keys() - {"unknown"}), MESSAGES)), ids=str)
def test_each_message_has_its_answer_at_each_stage(name, said):
    assert handle(order(name), MESSAGES[said]) == ANSWERS.get((name, said), [])


@pytest.mark.parametrize("said", MESSAGES)
def test_what_comes_before_the_order_waits_for_it(said):
    with pytest.raises(OutOfOrder, match="order 'o1' is not known yet"):
        handle(order("unknown"), MESSAGES[said])


@pytest.mark.parametrize(("name", "status"), [(name, name.split()[0]) for name in ORDERS])
def test_the_status_says_how_far_an_order_has_come(name, status):
    assert order(name).status == status


# -- the whole way


def told(*payloads: Payload) -> tuple[Order, list[Emission]]:
    """The order after these messages, and all that was said."""
    state, said = Order(), []
    for payload in payloads:
        answer = handle(state, payload)
        said += answer
        for each in answer:
            fold = SERVICE.emits.get(type(each))
            state = fold(state, each) if fold else state
    return state, said


def test_an_order_goes_from_placed_to_fulfilled():
    state, said = told(place(), CAPTURED, DISPATCHED)

    assert state.status == "fulfilled"
    assert [type(each) for each in said[3:]] == [OrderPaid, DispatchShipment, OrderFulfilled]


def test_a_failed_shipment_gives_the_money_back_before_the_order_is_cancelled():
    state, said = told(place(), CAPTURED, FAILED, REFUNDED)

    assert state.status == "cancelled"
    assert [type(each) for each in said[5:]] == [RefundRequested, RefundPayment, OrderCancelled]


@pytest.mark.parametrize(
    "end", [DECLINED, PaymentTimedOut(), CancelOrder("why not")], ids=lambda end: type(end).__name__
)
def test_money_that_comes_after_the_end_is_given_back_once(end):
    state, said = told(place(), end, CAPTURED, CAPTURED, REFUNDED)

    assert state.status == "cancelled"
    assert [type(each) for each in said].count(RefundPayment) == 1
    assert [type(each) for each in said].count(OrderCancelled) == 1


def test_everything_twice_is_everything_once():
    steps = [place(), CAPTURED, FAILED, REFUNDED]

    once, twice = told(*steps), told(*[step for step in steps for _ in range(2)])

    assert twice == once


# -- what is said can be read


LONGEST = "x" * 200
WITH_LONGEST_REASON = [
    pytest.param([place(), PaymentDeclined(LONGEST)], id="declined"),
    pytest.param([place(), CAPTURED, ShipmentFailed(LONGEST), REFUNDED], id="not shipped"),
    pytest.param([place(NOTHING), ShipmentFailed(LONGEST)], id="not shipped, for nothing"),
    pytest.param([place(), CancelOrder(LONGEST)], id="cancelled"),
]


@pytest.mark.parametrize("steps", WITH_LONGEST_REASON)
def test_what_is_said_for_the_longest_reason_can_be_read_by_others(steps):
    _, said = told(*steps)

    payloads = [each for each in said if isinstance(each, Payload)]
    assert [msgspec.json.decode(msgspec.json.encode(each), type=type(each)) for each in payloads] == payloads


@pytest.mark.parametrize("steps", WITH_LONGEST_REASON)
def test_an_order_with_the_longest_reason_can_be_read_back(steps):
    world = World(SERVICE, catalog=CATALOG)

    outcomes = [
        outcome
        for number, step in enumerate([*steps, CancelOrder("once more")])
        for outcome in world.receive(delivery(step, id=f"m{number}"))
    ]

    assert outcomes == [DONE] * len(outcomes)


# -- through the receiver


def test_a_cancellation_that_overtook_its_order_is_tried_again_and_then_obeyed():
    world = World(SERVICE, catalog=CATALOG)
    cancel = delivery(CancelOrder("changed my mind"), id="cancel")

    early = world.receive(cancel)
    world.receive(delivery(place(), id="place"))
    late = world.receive(cancel)

    assert isinstance(early[0], Retry)
    assert early[0].failure.error == "OutOfOrder"
    assert late == [DONE]
    assert world.published()[-1].type == "orders.order-cancelled.v1"


def test_the_saga_s_own_note_is_kept_private():
    world = World(SERVICE, catalog=CATALOG)

    for number, step in enumerate([place(), CAPTURED, FAILED]):
        world.receive(delivery(step, id=f"m{number}"))

    assert "orders.refund-requested.v1" not in [made.type for made in world.published()]
    assert world.published()[-1].type == "payments.refund-payment.v1"
