"""The orders service: a saga that takes the money, ships, and gives the money back when it can't ship."""

from collections.abc import Iterable

from shared.kernel.errors import OutOfOrder, RuleViolation
from shared.kernel.message import After, Emission, Message, Payload
from shared.kernel.service import Service
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
from shared.messages.values import as_text
from shared.orders.model import PAYMENT_TIMEOUT, Order


def accept_order(order: Order, message: Message[PlaceOrder]) -> Iterable[Emission]:
    """Take the order in and ask for its money; an order of zero value has nothing to capture and is shipped."""
    placed = message.data
    event = OrderPlaced(placed.customer, placed.email, placed.quantity, placed.total, placed.date)
    if order.status != "unknown":
        if event != _as_placed(order):
            raise RuleViolation(f"order '{message.subject}' was placed before, with another content")
        return []
    if placed.total.amount == 0:
        return [event, OrderPaid(placed.total, placed.date), DispatchShipment()]
    return [event, CapturePayment(placed.total, placed.date), After(PAYMENT_TIMEOUT, PaymentTimedOut())]


def ship_paid_order(order: Order, message: Message[PaymentCaptured]) -> Iterable[Emission]:
    """Ship what is paid for; give back what came after the order was cancelled."""
    _must_be_placed(order, message)
    if order.status == "placed":
        return [OrderPaid(order.total, order.date), DispatchShipment()]
    if order.status == "cancelled" and not order.refund_reason:
        return _refund("the payment came after the order was cancelled")
    return []


def cancel_declined_order(order: Order, message: Message[PaymentDeclined]) -> Iterable[Emission]:
    """No money, no order."""
    _must_be_placed(order, message)
    return [_cancelled(order, f"payment declined: {message.data.reason}")] if order.status == "placed" else []


def cancel_unpaid_order(order: Order, message: Message[PaymentTimedOut]) -> Iterable[Emission]:
    """Stop waiting for a payment that was never answered; should it come yet, it is refunded."""
    _must_be_placed(order, message)
    return [_cancelled(order, "payment timed out")] if order.status == "placed" else []


def fulfil_order(order: Order, message: Message[ShipmentDispatched]) -> Iterable[Emission]:
    """The parcel is on its way."""
    _must_be_placed(order, message)
    if order.status != "paid":
        return []
    sent = message.data
    return [OrderFulfilled(order.email, order.total, order.date, sent.carrier, sent.tracking_number)]


def compensate_failed_shipment(order: Order, message: Message[ShipmentFailed]) -> Iterable[Emission]:
    """Give the money back before the order is cancelled; where there was none, cancel at once."""
    _must_be_placed(order, message)
    if order.status != "paid":
        return []
    reason = as_text(f"shipment failed: {message.data.reason}")
    return _refund(reason) if order.total.amount else [_cancelled(order, reason)]


def cancel_refunded_order(order: Order, message: Message[PaymentRefunded]) -> Iterable[Emission]:
    """The money is back with the customer, so the order can end."""
    _must_be_placed(order, message)
    return [_cancelled(order, order.refund_reason)] if order.status == "refunding" else []


def cancel_order(order: Order, message: Message[CancelOrder]) -> Iterable[Emission]:
    """Cancel what is not paid yet, refuse once it is; before the order is known, wait for it."""
    _must_be_placed(order, message)
    if order.status == "placed":
        return [_cancelled(order, message.data.reason)]
    return [] if order.status == "cancelled" else [CancellationRefused(f"the order is {order.status} already")]


def _must_be_placed(order: Order, message: Message[Payload]) -> None:
    if order.status == "unknown":
        raise OutOfOrder(f"order '{message.subject}' is not known yet")


def _refund(reason: str) -> list[Emission]:
    return [RefundRequested(reason), RefundPayment(reason)]


def _cancelled(order: Order, reason: str) -> OrderCancelled:
    return OrderCancelled(order.email, order.total, order.date, as_text(reason))


def _as_placed(order: Order) -> OrderPlaced:
    return OrderPlaced(order.customer, order.email, order.quantity, order.total, order.date)


SERVICE = Service(
    name="orders",
    state=Order,
    handles={
        PlaceOrder: accept_order,
        PaymentCaptured: ship_paid_order,
        PaymentDeclined: cancel_declined_order,
        PaymentTimedOut: cancel_unpaid_order,
        ShipmentDispatched: fulfil_order,
        ShipmentFailed: compensate_failed_shipment,
        PaymentRefunded: cancel_refunded_order,
        CancelOrder: cancel_order,
    },
    emits={
        OrderPlaced: Order.placed,
        OrderPaid: Order.paid,
        RefundRequested: Order.refunding,
        OrderFulfilled: Order.fulfilled,
        OrderCancelled: Order.cancelled,
        CancellationRefused: None,
        PaymentTimedOut: None,
        CapturePayment: None,
        DispatchShipment: None,
        RefundPayment: None,
    },
)
