"""What the clients of a simulated run send, and in which order."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec
from msgspec import Raw, Struct

from shared.kernel.codec import encode
from shared.kernel.message import Envelope, Payload
from shared.kernel.ports import Outgoing
from shared.messages.orders import CancelOrder, PlaceOrder
from shared.messages.payments import CapturePayment
from shared.messages.sensors import RecordReading
from shared.messages.users import RegisterUser
from shared.messages.values import Money
from tests.support.simulation_echo import Ping
from tests.support.simulation_workload import DATE, SENSOR, START, USER, Schedule, order_id

EXPIRES_AFTER = timedelta(seconds=600)
OFFSETS = (-3600, -1, 0, 0, 1, 3600)
"""Seconds. A client's clock is not ours: a message may seem older than what was forgotten, or newer than all else."""


class Sent(Struct, frozen=True):
    """A client's message."""

    type: str
    body: bytes

    def outgoing(self) -> Outgoing:
        """As it is published to all who handle its type."""
        return Outgoing("", self.type, "", self.body)


class Wish(Struct, frozen=True):
    """What a client wants, and the names that it gives to that."""

    payload: Payload
    subject: str
    source: str
    id: str
    expires: bool = False
    ahead: int | None = 0
    """Seconds; None lets chance decide."""

    def sent(self, rng: random.Random) -> Sent:
        """The message."""
        type_ = str(self.payload.message_type)
        ahead = rng.choice(OFFSETS) if self.ahead is None else self.ahead
        envelope = Envelope(
            specversion="1.0",
            id=self.id,
            source=self.source,
            type=type_,
            subject=self.subject,
            time=START + timedelta(seconds=ahead),
            expirytime=START + EXPIRES_AFTER if self.expires else None,
            data=Raw(msgspec.json.encode(self.payload)),
        )
        return Sent(type_, encode(envelope))


def messages(plan: Schedule) -> list[Sent]:
    """What clients send, in the order in which they send it: any."""
    rng = random.Random(~plan.seed)
    places = [wish.sent(rng) for wish in _places(plan)]
    again = [place for place, order in zip(places, plan.orders, strict=True) if order.placed_twice]
    rest = [wish.sent(rng) for wishes in (_second_thoughts, _readings, _registrations) for wish in wishes(plan)]
    echoes = [Wish(Ping(), "echo", "/web", "ping").sent(rng)] if plan.echoes else []
    sent = places + again + rest + echoes
    rng.shuffle(sent)
    return sent


def _places(plan: Schedule) -> Iterator[Wish]:
    for index, order in enumerate(plan.orders):
        place = PlaceOrder("Ann", "ann@example.com", 1, Money(order.amount, "USD"), DATE)
        yield Wish(place, order_id(index), "/web", str(index), ahead=None)


def _second_thoughts(plan: Schedule) -> Iterator[Wish]:
    for index, order in enumerate(plan.orders):
        subject, id_ = order_id(index), str(index)  # the order's own id: only with its source is an id unique
        if order.cancelled != "never":
            expires = order.cancelled == "before it expires"
            yield Wish(CancelOrder("changed my mind"), subject, "/app", id_, expires=expires, ahead=None)
        if order.captured_again and order.amount:
            yield Wish(CapturePayment(Money(order.amount, "USD"), DATE), subject, "/operator", id_, ahead=None)


def _readings(plan: Schedule) -> Iterator[Wish]:
    # Hot and cool by turns, so that alerts are raised and cleared.
    for index in range(plan.readings):
        reading = RecordReading(2_500 if index % 2 else 1_500, _minute(index))
        yield Wish(reading, SENSOR, "/sensor", str(index), ahead=None if index else 0)
    if plan.id_reused:
        # With one time, as a client has it that counts its messages from the start again.
        yield Wish(RecordReading(1_600, _minute(0)), SENSOR, "/sensor", "0")
        yield Wish(RecordReading(1_700, _minute(0)), SENSOR, "/sensor", "0")


def _minute(index: int) -> datetime:
    return START.replace(tzinfo=None) + timedelta(minutes=index)


def _registrations(plan: Schedule) -> Iterator[Wish]:
    for index in range(plan.users):
        name = ("Ann", "Bob")[index % 2]
        yield Wish(RegisterUser(name, f"{name.lower()}@example.com"), USER, "/web", f"user-{index}", ahead=None)
