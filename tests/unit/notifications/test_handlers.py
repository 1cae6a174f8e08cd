from datetime import date, datetime

import pytest

from shared.catalog import CATALOG
from shared.kernel.errors import CircuitOpen, OutcomeUnknown, ProviderUnavailable, RuleViolation
from shared.kernel.outcome import DONE, DeadLetter, Defer, Retry
from shared.messages.notifications import MailSent
from shared.messages.orders import OrderCancelled, OrderFulfilled, OrderPlaced
from shared.messages.sensors import AlertRaised
from shared.messages.users import UserRegistered
from shared.messages.values import Money
from shared.notifications.handlers import OPERATOR, SERVICE, Nothing
from shared.notifications.model import Mail
from tests.support.kernel_fakes import RecordingMailer, World, delivery, message

PRICE, DAY, TO = Money(2933, "USD"), date(2026, 11, 20), "ada@example.com"
PLACED = OrderPlaced("Ada", TO, 2, PRICE, DAY)

MAILS = {
    "order-placed": (
        PLACED,
        Mail(TO, "Your order s1", "Thank you! We have your order s1 of 2 CDs for 29.33 USD."),
    ),
    "order-fulfilled": (
        OrderFulfilled(TO, PRICE, DAY, "Snail", "1Z"),
        Mail(TO, "Order s1 shipped", "Your order s1 is on its way with Snail, parcel 1Z."),
    ),
    "order-cancelled": (
        OrderCancelled(TO, PRICE, DAY, "payment declined"),
        Mail(TO, "Order s1 cancelled", "We had to cancel your order s1: payment declined. You have not been charged."),
    ),
    "welcome": (UserRegistered("Ada", TO), Mail(TO, "Welcome, Ada", "It is good to have you here.")),
    "alert": (
        AlertRaised(2155, datetime(2010, 7, 4, 13, 0), 2150),  # noqa: DTZ001 - the time on the sensor's wall
        Mail(OPERATOR, "Alert from s1", "s1 measured 21.6 °C at 2010-07-04 13:00:00."),
    ),
}


@pytest.mark.parametrize(("kind", "payload", "mail"), [(kind, *rest) for kind, rest in MAILS.items()], ids=MAILS)
def test_each_event_is_worth_a_mail(kind, payload, mail):
    mailer = RecordingMailer()

    answer = SERVICE.handles[type(payload)](Nothing(), message(payload, id="m7"), mailer)

    assert mailer.sent == {f"{kind}:m7": mail}
    assert answer == [MailSent(kind, mail.to)]


def test_every_handler_sends_a_mail_that_is_tested_here():
    assert {type(payload) for payload, _ in MAILS.values()} == SERVICE.handles.keys()


@pytest.mark.parametrize(("temperature", "text"), [(2151, "21.5"), (-5, "-0.1"), (10_000, "100.0")])
def test_a_temperature_is_written_in_degrees_with_one_decimal(temperature, text):
    mailer = RecordingMailer()
    alert = AlertRaised(temperature, datetime(2010, 7, 4, 13), 2150)  # noqa: DTZ001

    SERVICE.handles[AlertRaised](Nothing(), message(alert), mailer)

    assert f"measured {text} °C" in mailer.sent["alert:m1"].text


@pytest.mark.parametrize("error", [ProviderUnavailable("down"), CircuitOpen("down"), RuleViolation("no such mailbox")])
def test_a_mail_that_did_not_leave_is_not_said_to_be_sent(error):
    with pytest.raises(type(error)):
        SERVICE.handles[OrderPlaced](Nothing(), message(PLACED), RecordingMailer(error))


# -- through the receiver


def notifying(mailer: RecordingMailer) -> World:
    return World(SERVICE, catalog=CATALOG, provider=mailer)


def test_a_redelivered_event_is_worth_no_second_mail():
    mailer = RecordingMailer()
    world = notifying(mailer)

    outcomes = world.receive(delivery(PLACED), delivery(PLACED)) + world.receive(delivery(PLACED, 2))

    assert outcomes == [DONE] * 3
    assert len(mailer.sent) == 1


@pytest.mark.parametrize(("error", "then"), [(ProviderUnavailable("down"), Retry), (CircuitOpen("down"), Defer)])
def test_a_mail_that_did_not_leave_is_sent_by_the_next_try(error, then):
    mailer = RecordingMailer(error)
    world = notifying(mailer)

    (first,) = world.receive(delivery(PLACED))
    mailer.error = None
    (second,) = world.receive(delivery(PLACED, 2))

    assert isinstance(first, then)
    assert second == DONE
    assert len(mailer.sent) == 1


def test_a_mail_that_may_have_left_is_left_to_a_person():
    mailer = RecordingMailer(OutcomeUnknown("the line broke after DATA"))
    world = notifying(mailer)

    (outcome,) = world.receive(delivery(PLACED))
    mailer.error = None
    world.clock.time += 3600
    (again,) = world.receive(delivery(PLACED, addressed=True))

    assert isinstance(outcome, DeadLetter)
    assert again.failure.reason == "OutcomeUnknown"
    assert mailer.sent == {}
