"""The payments service: one payment an order, captured once, refunded once."""

from collections.abc import Iterable

from shared.kernel.errors import RuleViolation
from shared.kernel.message import Emission, Message
from shared.kernel.service import Limits, Service
from shared.messages.payments import CapturePayment, PaymentCaptured, PaymentDeclined, PaymentRefunded, RefundPayment
from shared.messages.values import as_text
from shared.payments.model import Decline, Payment, PaymentGateway


def capture_payment(payment: Payment, message: Message[CapturePayment], gateway: PaymentGateway) -> Iterable[Emission]:
    """Take the money; the key names the effect, so that two commands for one order take it once."""
    if payment.status != "none":
        return []
    order, asked = message.subject, message.data
    answer = gateway.capture(f"capture:{order}", order, asked.money)
    if isinstance(answer, Decline):
        return [PaymentDeclined(as_text(answer.reason))]
    return [PaymentCaptured(asked.money, asked.date, as_text(answer.reference))]


def refund_payment(payment: Payment, message: Message[RefundPayment], gateway: PaymentGateway) -> Iterable[Emission]:
    """Give the money back."""
    if payment.status == "refunded":
        return []
    if payment.status != "captured" or payment.money is None:
        raise RuleViolation(f"order '{message.subject}' has no captured payment to refund; it is '{payment.status}'")
    order = message.subject
    receipt = gateway.refund(f"refund:{order}", order, payment.money)
    return [PaymentRefunded(payment.money, payment.date, as_text(receipt.reference))]


SERVICE = Service(
    name="payments",
    state=Payment,
    handles={CapturePayment: capture_payment, RefundPayment: refund_payment},
    emits={
        PaymentCaptured: Payment.captured,
        PaymentDeclined: Payment.declined,
        PaymentRefunded: Payment.refunded,
    },
    provider=PaymentGateway,
    limits=Limits(handler_seconds=15),
)
