from datetime import date

import msgspec
import pytest

from shared.kernel.errors import CircuitOpen, ProviderUnavailable, RuleViolation
from shared.messages.payments import CapturePayment, PaymentCaptured, PaymentDeclined, PaymentRefunded, RefundPayment
from shared.messages.values import Money
from shared.payments.handlers import SERVICE, capture_payment, refund_payment
from shared.payments.model import Decline, Payment, Receipt
from tests.support.kernel_fakes import RecordingGateway, folded, message

PRICE, DAY = Money(2933, "USD"), date(2026, 11, 20)
CAPTURED = PaymentCaptured(PRICE, DAY, "r1")
DECLINED = PaymentDeclined("no funds")
REFUNDED = PaymentRefunded(PRICE, DAY, "r2")
CAPTURE = message(CapturePayment(PRICE, DAY), subject="o1")
REFUND = message(RefundPayment("shipment failed"), subject="o1")


def payment(*events) -> Payment:
    return folded(SERVICE, *events)


def test_a_payment_is_captured_under_a_key_that_names_the_effect():
    gateway = RecordingGateway(Receipt("r1"))

    answer = capture_payment(Payment(), CAPTURE, gateway)

    assert answer == [CAPTURED]
    assert gateway.calls == [("capture:o1", "o1", PRICE)]


def test_another_command_for_the_same_order_has_the_same_key():
    gateway = RecordingGateway()

    for id_ in ("m1", "m2"):
        capture_payment(Payment(), message(CapturePayment(PRICE, DAY), subject="o1", id=id_), gateway)

    assert len(set(gateway.calls)) == 1


def test_a_payment_that_is_refused_is_declined():
    answer = capture_payment(Payment(), CAPTURE, RecordingGateway(Decline("no funds")))

    assert answer == [DECLINED]


@pytest.mark.parametrize(
    "events", [[CAPTURED], [DECLINED], [CAPTURED, REFUNDED]], ids=["captured", "declined", "refunded"]
)
def test_a_payment_that_was_answered_is_not_asked_for_again(events):
    gateway = RecordingGateway()

    answer = capture_payment(payment(*events), CAPTURE, gateway)

    assert answer == []
    assert gateway.calls == []


def test_a_captured_payment_is_refunded_in_full_under_a_key_that_names_the_effect():
    gateway = RecordingGateway(Receipt("r2"))

    answer = refund_payment(payment(CAPTURED), REFUND, gateway)

    assert answer == [REFUNDED]
    assert gateway.calls == [("refund:o1", "o1", PRICE)]


def test_a_refund_that_was_made_is_not_made_again():
    gateway = RecordingGateway()

    answer = refund_payment(payment(CAPTURED, REFUNDED), REFUND, gateway)

    assert answer == []
    assert gateway.calls == []


@pytest.mark.parametrize(("events", "status"), [([], "none"), ([DECLINED], "declined")])
def test_what_was_not_captured_cannot_be_refunded(events, status):
    gateway = RecordingGateway()

    with pytest.raises(RuleViolation, match=f"order 'o1' has no captured payment to refund; it is '{status}'"):
        refund_payment(payment(*events), REFUND, gateway)
    assert gateway.calls == []


@pytest.mark.parametrize("error", [ProviderUnavailable("down"), CircuitOpen("known to be down")])
def test_a_gateway_that_does_not_answer_is_asked_again_later(error):
    gateway = RecordingGateway(error)

    with pytest.raises(type(error)):
        capture_payment(Payment(), CAPTURE, gateway)
    with pytest.raises(type(error)):
        refund_payment(payment(CAPTURED), REFUND, gateway)


@pytest.mark.parametrize("text", ["", "x" * 201, "x" * 5000], ids=len)
@pytest.mark.parametrize("answer", [Decline, Receipt])
def test_whatever_the_gateway_says_what_is_told_of_it_can_be_read(answer, text):
    (told,) = capture_payment(Payment(), CAPTURE, RecordingGateway(answer(text)))

    assert msgspec.json.decode(msgspec.json.encode(told), type=type(told)) == told
