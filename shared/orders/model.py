"""An order and its saga: where it stands, and what has to happen next (Garcia-Molina and Salem, "Sagas", 1987)."""

from datetime import date
from typing import Literal

from msgspec import Struct, structs

from shared.messages.orders import OrderCancelled, OrderFulfilled, OrderPaid, OrderPlaced, RefundRequested
from shared.messages.values import Date, Money, Secret

PAYMENT_TIMEOUT = 30 * 60.0
"""Seconds until an order whose payment was never answered is cancelled."""

Status = Literal["unknown", "placed", "paid", "refunding", "fulfilled", "cancelled"]


class Order(Struct, frozen=True):
    """One order: `unknown -> placed -> paid -> fulfilled`, or `-> (refunding ->) cancelled`."""

    status: Status = "unknown"
    customer: str = ""
    email: Secret = ""
    quantity: int = 0
    total: Money = Money(0, "XXX")
    date: Date = date.min
    refund_reason: str = ""

    def placed(self, event: OrderPlaced) -> "Order":
        return Order("placed", event.customer, event.email, event.quantity, event.total, event.date)

    def paid(self, _: OrderPaid) -> "Order":
        return structs.replace(self, status="paid")

    def refunding(self, event: RefundRequested) -> "Order":
        # An order that was cancelled before the money came stays cancelled.
        status = self.status if self.status == "cancelled" else "refunding"
        return structs.replace(self, status=status, refund_reason=event.reason)

    def fulfilled(self, _: OrderFulfilled) -> "Order":
        return structs.replace(self, status="fulfilled")

    def cancelled(self, _: OrderCancelled) -> "Order":
        return structs.replace(self, status="cancelled")
