"""What a simulated run is about: which orders, readings and users there are, and what goes wrong; all of it from a seed."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Literal

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
from tests.support.faults import KINDS, Fault
from tests.support.simulation_echo import Ping

START = datetime(2026, 11, 20, 12, tzinfo=UTC)
DATE = "2026-11-20"
SENSOR = "sf"
USER = "u1"
EXPIRES_AFTER = 600.0
"""Seconds until an expiring cancellation does."""

Fate = Literal["fulfilled", "declined", "undeliverable", "free", "free and undeliverable"]
Cancelling = Literal["never", "sometime", "before it expires"]

FATES: tuple[Fate, ...] = ("fulfilled", "declined", "undeliverable", "free", "free and undeliverable")
CANCELLINGS: tuple[Cancelling, ...] = ("never", "sometime", "before it expires")
MEMORIES = (1, 2, 3, 256)
LENGTH = 250
"""Turns within which faults strike."""


class OrderPlan(Struct, frozen=True):
    """One order, and what its customer and the world do to it."""

    fate: Fate = "fulfilled"
    cancelled: Cancelling = "never"
    placed_twice: bool = False
    """The client was not sure and sent the same message again."""
    captured_again: bool = False
    """An operator asks for the money by hand, with a message of another id."""

    @property
    def amount(self) -> int:
        """Cents."""
        return 0 if self.fate.startswith("free") else 2_933


class Schedule(Struct, frozen=True, omit_defaults=True):
    """Everything that decides a run; the seed decides what the other fields leave open: who goes on at each step."""

    seed: int = 0
    orders: tuple[OrderPlan, ...] = ()
    readings: int = 0
    users: int = 0
    """How many register under the same id, with two names in turn; who is first wins."""
    id_reused: bool = False
    """A client uses one id for two readings."""
    echoes: bool = False
    """Two handlers answer each other for ever, if nobody stops them."""
    faults: tuple[Fault, ...] = ()
    memory: int = 256
    """How many handled ids a snapshot remembers."""
    snapshot_every: int = 50
    group_limit: int = 100
    """Messages that may share a commit."""
    batch: int = 4
    """Deliveries to a worker, at most."""
    pace: float = 0.01
    """Seconds a step takes."""


def schedule(seed: int) -> Schedule:
    """The schedule of a seed, as `sweep` tries them."""
    rng = random.Random(seed)
    kinds = rng.choice((KINDS, rng.sample(KINDS, 3)))  # few kinds many times find other bugs than many kinds
    return Schedule(
        seed=seed,
        orders=tuple(_order(rng) for _ in range(rng.choice((0, 1, 1, 2, 2, 3)))),
        readings=rng.choice((0, 0, 2, 5)),
        users=rng.choice((0, 0, 0, 1, 4)),
        id_reused=rng.random() < 0.1,
        echoes=rng.random() < 0.04,
        faults=tuple(Fault(rng.randrange(LENGTH), rng.choice(kinds)) for _ in range(rng.choice((0, 1, 2, 3, 5, 8)))),
        memory=rng.choice(MEMORIES),
        snapshot_every=rng.choice((1, 2, 3, 50)),
        group_limit=rng.choice((2, 100)),
        batch=rng.choice((1, 4, 10)),
        pace=rng.choice((0.0, 0.01, 1.0)),
    )


def _order(rng: random.Random) -> OrderPlan:
    fate = rng.choice(("fulfilled", "fulfilled", *FATES))
    return OrderPlan(fate, rng.choice(("never", *CANCELLINGS)), rng.random() < 0.2, rng.random() < 0.1)


class Sent(Struct, frozen=True):
    """A client's message."""

    type: str
    body: bytes

    def outgoing(self) -> Outgoing:
        """As the command line publishes it."""
        return Outgoing("", self.type, "", self.body)


def messages(plan: Schedule) -> list[Sent]:
    """What clients send, in the order in which they send it: any."""
    rng = random.Random(~plan.seed)
    sent = [
        Sent(str(payload.message_type), _encoded(payload, subject, source, id_, rng, expires=expires))
        for payload, subject, source, id_, expires in _payloads(plan)
    ]
    sent += [sent[index] for index, order in _places(plan) if order.placed_twice]
    rng.shuffle(sent)
    return sent


def _places(plan: Schedule) -> Iterator[tuple[int, OrderPlan]]:
    return iter(enumerate(plan.orders))


def order_id(index: int) -> str:
    """`o1`, `o2`, …"""
    return f"o{index + 1}"


_Outline = tuple[Payload, str, str, str, bool]


def _payloads(plan: Schedule) -> Iterator[_Outline]:
    for index, order in enumerate(plan.orders):
        place = PlaceOrder("Ann", "ann@example.com", 1, Money(order.amount, "USD"), DATE)
        yield place, order_id(index), "/web", str(index), False
    for index, order in enumerate(plan.orders):
        if order.cancelled != "never":
            # The same ids as the shop's, from another source: only both together are unique.
            yield CancelOrder("changed my mind"), order_id(index), "/app", str(index), order.cancelled != "sometime"
        if order.captured_again and order.amount:
            yield CapturePayment(Money(order.amount, "USD"), DATE), order_id(index), "/operator", str(index), False
    yield from _other_payloads(plan)


def _other_payloads(plan: Schedule) -> Iterator[_Outline]:
    for index in range(plan.readings):
        yield _reading(index), SENSOR, "/sensor", str(index), False
    if plan.id_reused:
        yield _reading(100), SENSOR, "/sensor", "0", False
        yield _reading(101), SENSOR, "/sensor", "0", False
    for index in range(plan.users):
        name = ("Ann", "Bob")[index % 2]
        yield RegisterUser(name, f"{name.lower()}@example.com"), USER, "/web", f"user-{index}", False
    if plan.echoes:
        yield Ping(), "echo", "/web", "ping", False


def _reading(index: int) -> RecordReading:
    # Hot and cool by turns, so that alerts are raised and cleared.
    return RecordReading(2_500 if index % 2 else 1_500, datetime(2026, 11, 20) + timedelta(minutes=index))  # noqa: DTZ001


def _encoded(payload: Payload, subject: str, source: str, id_: str, rng: random.Random, *, expires: bool) -> bytes:
    # A client's clock is not ours: a message may seem older than what was forgotten, or newer than all else.
    seconds = 0 if id_ == "0" and source == "/sensor" else rng.choice((-3600, -1, 0, 0, 1, 3600))
    return encode(
        Envelope(
            specversion="1.0",
            id=id_,
            source=source,
            type=str(payload.message_type),
            subject=subject,
            time=START + timedelta(seconds=seconds),
            expirytime=START + timedelta(seconds=EXPIRES_AFTER) if expires else None,
            data=Raw(msgspec.json.encode(payload)),
        )
    )
