"""The notifications service: one mail a message, never two."""

from collections.abc import Iterable

from msgspec import Struct

from shared.kernel.message import Emission, Message, Payload
from shared.kernel.service import Limits, Service
from shared.messages.notifications import MailSent
from shared.messages.orders import OrderCancelled, OrderFulfilled, OrderPlaced
from shared.messages.sensors import AlertRaised
from shared.messages.users import UserRegistered
from shared.notifications.model import Mail, Mailer

OPERATOR = "operator@example.com"
"""Who reads alerts."""


class Nothing(Struct, frozen=True):
    """Which mails were sent is remembered by the messages' ids alone."""


def confirm_order(_: Nothing, message: Message[OrderPlaced], mailer: Mailer) -> Iterable[Emission]:
    """Tell the customer that the order was accepted."""
    order = message.data
    text = f"Thank you! We have your order {message.subject} of {order.quantity} CDs for {order.total}."
    return _send(mailer, message, "order-placed", Mail(order.email, f"Your order {message.subject}", text))


def announce_shipment(_: Nothing, message: Message[OrderFulfilled], mailer: Mailer) -> Iterable[Emission]:
    """Tell the customer that the parcel is on its way."""
    order = message.data
    text = f"Your order {message.subject} is on its way with {order.carrier}, parcel {order.tracking_number}."
    return _send(mailer, message, "order-fulfilled", Mail(order.email, f"Order {message.subject} shipped", text))


def explain_cancellation(_: Nothing, message: Message[OrderCancelled], mailer: Mailer) -> Iterable[Emission]:
    """Tell the customer that nothing will come, and why."""
    order = message.data
    text = f"We had to cancel your order {message.subject}: {order.reason}. You have not been charged."
    return _send(mailer, message, "order-cancelled", Mail(order.email, f"Order {message.subject} cancelled", text))


def welcome_user(_: Nothing, message: Message[UserRegistered], mailer: Mailer) -> Iterable[Emission]:
    """Say hello."""
    user = message.data
    return _send(mailer, message, "welcome", Mail(user.email, f"Welcome, {user.name}", "It is good to have you here."))


def alert_operator(_: Nothing, message: Message[AlertRaised], mailer: Mailer) -> Iterable[Emission]:
    """Tell whoever watches the sensors."""
    alert = message.data
    text = f"{message.subject} measured {alert.temperature / 100:.1f} °C at {alert.at.isoformat(' ')}."
    return _send(mailer, message, "alert", Mail(OPERATOR, f"Alert from {message.subject}", text))


def _send(mailer: Mailer, message: Message[Payload], kind: str, mail: Mail) -> list[Emission]:
    mailer.send(f"{kind}:{message.id}", mail)
    return [MailSent(kind, mail.to)]


SERVICE = Service(
    name="notifications",
    state=Nothing,
    handles={
        OrderPlaced: confirm_order,
        OrderFulfilled: announce_shipment,
        OrderCancelled: explain_cancellation,
        UserRegistered: welcome_user,
        AlertRaised: alert_operator,
    },
    emits={MailSent: None},
    provider=Mailer,
    at_most_once=True,
    limits=Limits(handler_seconds=20),
)
