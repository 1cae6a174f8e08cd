"""What is said to and by the payments service; the subject is the order's id."""

from shared.kernel.message import Payload, command, event
from shared.messages.values import Date, Money, Text


@command("payments.capture-payment.v1")
class CapturePayment(Payload, frozen=True):
    """Take the money for an order."""

    money: Money
    date: Date


@command("payments.refund-payment.v1")
class RefundPayment(Payload, frozen=True):
    """Give the captured money back."""

    reason: Text


@event("payments.payment-captured.v1")
class PaymentCaptured(Payload, frozen=True):
    """The money was taken."""

    money: Money
    date: Date
    reference: Text


@event("payments.payment-declined.v1")
class PaymentDeclined(Payload, frozen=True):
    """The gateway refused for good; nothing was taken."""

    reason: Text


@event("payments.payment-refunded.v1")
class PaymentRefunded(Payload, frozen=True):
    """The captured money was given back."""

    money: Money
    date: Date
    reference: Text
