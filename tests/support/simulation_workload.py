"""What a simulated run is about: orders, readings and users, and what goes wrong; all of it from a seed."""

import random
from datetime import UTC, datetime
from typing import Literal

from msgspec import Struct

from tests.support.faults import KINDS, Fault

START = datetime(2026, 11, 20, 12, tzinfo=UTC)
DATE = "2026-11-20"
SENSOR = "sf"
USER = "u1"

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
    """The schedule of a seed."""
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


def order_id(index: int) -> str:
    """Count from `o1`."""
    return f"o{index + 1}"
