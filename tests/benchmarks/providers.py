"""Providers that answer at once and always agree, so that the time measured is not theirs."""

from typing import Any

from shared.messages.values import Money
from shared.notifications.model import Mail
from shared.payments.model import Receipt
from shared.shipping.model import Parcel


class InstantGateway:
    """Takes any money."""

    def capture(self, key: str, order: str, money: Money) -> Receipt:
        return Receipt(f"ch_{order}")

    def refund(self, key: str, order: str, money: Money) -> Receipt:
        return Receipt(f"re_{order}")


class InstantCarrier:
    """Takes any parcel."""

    def dispatch(self, key: str, order: str) -> Parcel:
        return Parcel("Simulated Parcel Service", f"1Z{order}")


class SilentMailer:
    """Sends nothing."""

    def send(self, key: str, mail: Mail) -> None:
        pass


PROVIDERS: dict[str, Any] = {
    "payments": InstantGateway(),
    "shipping": InstantCarrier(),
    "notifications": SilentMailer(),
}
"""By service."""

ALL_GOES_WELL = {
    "TREFOIL_PAYMENT_DECLINE_RATE": "0",
    "TREFOIL_PAYMENT_TRANSIENT_RATE": "0",
    "TREFOIL_CARRIER_FAILURE_RATE": "0",
    "TREFOIL_CARRIER_UNDELIVERABLE_RATE": "0",
    "TREFOIL_CARRIER_TRANSIENT_RATE": "0",
}
"""Settings of functions in processes of their own, whose simulated providers then always agree."""
