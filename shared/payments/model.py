"""A payment, and the gateway that moves the money."""

from datetime import date
from typing import Literal, Protocol

from msgspec import Struct, structs

from shared.messages.payments import PaymentCaptured, PaymentDeclined, PaymentRefunded
from shared.messages.values import Date, Money


class Receipt(Struct, frozen=True):
    """The gateway moved the money; `reference` is its own name for that."""

    reference: str


class Decline(Struct, frozen=True):
    """The gateway refused, for good."""

    reason: str


class PaymentGateway(Protocol):
    """Moves money. Both calls are idempotent by `key`: the same key moves the money once, however often it is asked.

    Raises ProviderUnavailable when nothing was moved for certain, CircuitOpen when the gateway was not asked.
    """

    def capture(self, key: str, order: str, money: Money) -> Receipt | Decline:
        """Take `money` from the customer of `order`."""
        ...

    def refund(self, key: str, order: str, money: Money) -> Receipt:
        """Give `money` back to the customer of `order`."""
        ...


class Payment(Struct, frozen=True):
    """The one payment of an order."""

    status: Literal["none", "captured", "declined", "refunded"] = "none"
    money: Money | None = None
    date: Date = date.min

    def captured(self, event: PaymentCaptured) -> "Payment":
        return Payment("captured", event.money, event.date)

    def declined(self, _: PaymentDeclined) -> "Payment":
        return Payment("declined")

    def refunded(self, _: PaymentRefunded) -> "Payment":
        return structs.replace(self, status="refunded")
