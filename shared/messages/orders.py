"""What is said to and by the orders service; the subject is the order's id."""

from typing import Annotated

from msgspec import Meta

from shared.kernel.message import Payload, command, event
from shared.messages.values import Date, Email, Money, Text

MOST_ITEMS = 1_000_000

Quantity = Annotated[int, Meta(ge=1, le=MOST_ITEMS)]


@command("orders.place-order.v1")
class PlaceOrder(Payload, frozen=True):
    """Accept an order; `total` may be zero."""

    customer: Text
    email: Email
    quantity: Quantity
    total: Money
    date: Date


@command("orders.cancel-order.v1")
class CancelOrder(Payload, frozen=True):
    """Cancel an order that is not paid yet."""

    reason: Text


@event("orders.order-placed.v1")
class OrderPlaced(Payload, frozen=True):
    """The order was accepted."""

    customer: Text
    email: Email
    quantity: Quantity
    total: Money
    date: Date


@event("orders.order-paid.v1")
class OrderPaid(Payload, frozen=True):
    """The money is there; an order of zero value is paid when it is placed."""

    total: Money
    date: Date


@event("orders.order-fulfilled.v1")
class OrderFulfilled(Payload, frozen=True):
    """The parcel is on its way: the order is complete."""

    email: Email
    total: Money
    date: Date
    carrier: Text
    tracking_number: Text


@event("orders.order-cancelled.v1")
class OrderCancelled(Payload, frozen=True):
    """The order ended without a shipment, and without keeping any money."""

    email: Email
    total: Money
    date: Date
    reason: Text


@event("orders.cancellation-refused.v1")
class CancellationRefused(Payload, frozen=True):
    """It was too late to cancel."""

    reason: Text


@event("orders.refund-requested.v1", private=True)
class RefundRequested(Payload, frozen=True):
    """The saga's note that compensation is under way, and why."""

    reason: Text


@event("orders.payment-timed-out.v1")
class PaymentTimedOut(Payload, frozen=True):
    """The timer of an order whose payment was never answered."""
