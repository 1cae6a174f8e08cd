"""What is sent: CDNOW purchases for the order flow, and payment commands as the orders service emits them."""

from datetime import UTC, datetime
from importlib import resources
from itertools import islice

import msgspec

from functions.local.importers import import_cdnow
from shared.kernel.codec import encode
from shared.kernel.message import Envelope
from shared.kernel.ports import Outgoing
from shared.messages.orders import PlaceOrder
from shared.messages.payments import CapturePayment
from shared.messages.users import RegisterUser
from shared.messages.values import Money

PLACE_ORDER = str(PlaceOrder.message_type)
CAPTURE_PAYMENT = str(CapturePayment.message_type)
REGISTER_USER = str(RegisterUser.message_type)
WHEN = datetime(2026, 11, 20, 12, tzinfo=UTC)


def purchases(count: int) -> list[Outgoing]:
    """The first purchases of the CDNOW sample that cost something: each of them takes the same way."""
    sample = resources.files("functions.local") / "samples" / "CDNOW_sample.txt"
    with sample.open() as lines:
        orders = (each for each in import_cdnow(lines, _complain) if each.type == PLACE_ORDER and not _is_free(each))
        return [_outgoing(envelope) for envelope in islice(orders, count)]


def _is_free(order: Envelope) -> bool:
    return b'"amount":0,' in bytes(order.data)


def _complain(number: int, fault: str) -> None:
    raise ValueError(f"line {number} of the CDNOW sample: {fault}")


def captures(count: int) -> list[bytes]:
    """Commands to take the money of as many orders, in the form in which they lie in the payments channel."""
    data = msgspec.Raw(msgspec.json.encode(CapturePayment(Money(2933, "USD"), "1997-01-01")))
    return [
        encode(
            Envelope(
                specversion="1.0",
                id=f"orders/{order}:1:1",
                source="/orders",
                type=CAPTURE_PAYMENT,
                subject=order,
                time=WHEN,
                correlationid=order,
                causationid=order,
                hops=1,
                sequence="0000000001.0001",
                data=data,
            )
        )
        for order in (f"{number:05}-19970101-1" for number in range(count))
    ]


def registrations(start: int, count: int) -> list[Outgoing]:
    """Commands to register as many users, numbered from `start`: streams of their own, all of them."""
    return [
        _outgoing(
            Envelope(
                specversion="1.0",
                id=f"customer-{number:07}",
                source="/import/cdnow",
                type=REGISTER_USER,
                subject=f"customer-{number:07}",
                time=WHEN,
                data=msgspec.Raw(b'{"name":"Customer %07d","email":"customer-%07d@example.com"}' % (number, number)),
            )
        )
        for number in range(start, start + count)
    ]


def _outgoing(envelope: Envelope) -> Outgoing:
    return Outgoing(envelope.id, envelope.type, envelope.subject, encode(envelope))
