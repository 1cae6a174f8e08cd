"""Schedules about one thing, for faults that any schedule would meet too seldom."""

import random
from collections.abc import Sequence
from typing import Any

from msgspec import structs

from tests.support import faults
from tests.support.faults import Fault
from tests.support.simulation_workload import OrderPlan, Schedule, schedule

_NOTHING: dict[str, Any] = {"orders": (), "readings": 0, "users": 0, "id_reused": False, "echoes": False}


def mails(seed: int) -> Schedule:
    """Orders of no value, which are placed and fulfilled at once: two mails each, and workers that die over them."""
    orders = (OrderPlan("free"),) * 2
    return _about(seed, (faults.CRASH, faults.LEASES_EXPIRE), 60, orders=orders, snapshot_every=1 + seed % 2)


def cancellations(seed: int) -> Schedule:
    """Orders that are cancelled while there is time, and no news of it until there is none."""
    orders = (OrderPlan("fulfilled", "before it expires"),) * 3
    kinds = (faults.CRASH, faults.HALF_AN_HOUR, faults.PUBLISH_REFUSED)
    return _about(seed, kinds, 60, orders=orders, pace=1.0)


def reminders(seed: int) -> Schedule:
    """Orders whose timers go off before all else, and workers that die over them."""
    orders = (OrderPlan("fulfilled"),) * 2
    kinds = (faults.CRASH, faults.HALF_AN_HOUR, faults.PUBLISH_REFUSED)
    return _about(seed, kinds, 40, orders=orders)


def quarrels(seed: int) -> Schedule:
    """Two people who want the same name, again and again; one may have it."""
    return _about(seed, (faults.CRASH, faults.APPEND_LOST), 25, users=6, batch=4)


def answers_lost(seed: int) -> Schedule:
    """A bus that takes less than it is given."""
    kinds = (faults.PUBLISH_REFUSED, faults.PUBLISH_PARTLY)
    return _about(seed, kinds, 60, orders=(OrderPlan("undeliverable"),) * 2)


def breakdowns(seed: int) -> Schedule:
    """Providers that don't answer, or break, and workers that die while they ask."""
    kinds = (faults.PROVIDER_DOWN, faults.PROVIDER_OPEN)
    return _about(seed, kinds, 60, orders=(OrderPlan("free"),) * 2, pace=0.01)


def unsure_answers(seed: int) -> Schedule:
    """Providers that did it, and can't tell."""
    kinds = (faults.PROVIDER_UNSURE, faults.CRASH)
    return _about(seed, kinds, 60, orders=(OrderPlan("undeliverable"),) * 2)


def old_copies(seed: int) -> Schedule:
    """A hot stream that remembers little, and copies of what it has forgotten."""
    kinds = (faults.LATE_COPY, faults.PUBLISH_REFUSED)
    return _about(seed, kinds, 100, readings=6, orders=(OrderPlan(),), memory=1 + seed % 2, snapshot_every=2)


def twins(seed: int) -> Schedule:
    """Copies that come together, where each message has a commit of its own that forgets the one before."""
    forgetful = {"memory": 1, "snapshot_every": 1, "group_limit": 1, "batch": 10}
    return _about(seed, (faults.LATE_COPY, faults.PUBLISH_TWICE), 60, readings=6, **forgetful)


def _about(seed: int, kinds: Sequence[str], turns: int, **plan: Any) -> Schedule:
    rng = random.Random(seed)
    struck = tuple(Fault(rng.randrange(turns), rng.choice(kinds)) for _ in range(rng.randint(2, 8)))
    return structs.replace(schedule(seed), **{**_NOTHING, "faults": struck, **plan})
