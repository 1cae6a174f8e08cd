"""The whole shop on a cloud's emulators: real functions, impatient limits, and books of what happened outside."""

import random
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from msgspec import structs

from infra.clock import SystemClock
from infra.providers.folder import FolderMailer
from infra.providers.mail import escaped
from infra.providers.simulated import Ledger, SimulatedCarrier, SimulatedGateway
from shared.catalog import CATALOG
from shared.kernel.audit import find_missing
from shared.kernel.backoff import Backoff
from shared.kernel.catalog import Catalog
from shared.kernel.codec import decode
from shared.kernel.history import History
from shared.kernel.ports import Outgoing, Parked
from shared.kernel.service import Limits
from shared.orders.model import PAYMENT_TIMEOUT
from tests.support import simulation_clients
from tests.support.cloud import Cloud, Deployment
from tests.support.cloud_pump import RETRIED, Pump
from tests.support.faults_providers import Books
from tests.support.processes import run_until_killed
from tests.support.simulation_clients import Sent, messages
from tests.support.simulation_invariants import violations
from tests.support.simulation_workload import OrderPlan, Schedule

LIMITS = Limits(handler_seconds=3, tries=20, backoff=Backoff(0.05, 0.2))
"""Claims are in doubt soon, and the broker's limit, 30, lies above what faults use up."""


HIDDEN_FOR = 30
"""Seconds that a channel hides messages, if that is its own to say."""


def impatient(limits: Limits = LIMITS) -> Catalog:
    """The catalog with limits that tests can wait for."""
    return Catalog([structs.replace(service, limits=limits) for service in CATALOG.services.values()])


class FolderLedger(Ledger):
    """Effects as files, which outlive the process that had them; a key has one however often it is asked for."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def done(self, key: str) -> None:
        (self._folder / escaped(key)).touch()


def keys(folder: Path) -> list[str]:
    """What a ledger's folder holds."""
    return [unquote(path.name) for path in folder.glob("[!.]*")]


def outside(place: Path) -> dict[str, Any]:
    """The providers; some cards are declined, and some parcels come back."""
    return {
        "payments": SimulatedGateway(seed="cloud", decline_rate=0.15, ledger=FolderLedger(place / "payments")),
        "shipping": SimulatedCarrier(seed="cloud", failure_rate=0.15, ledger=FolderLedger(place / "parcels")),
        "notifications": FolderMailer(place / "mails"),
    }


class Ahead(SystemClock):
    """So much later than it is."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def now(self) -> float:
        return super().now() + self._seconds


def when_all_is_due() -> Ahead:
    """Later than any timer that is set."""
    return Ahead(PAYMENT_TIMEOUT + 3600)


class Shop:
    """A deployment, what its customers want, and what can be found out afterwards; a `World` to the invariants."""

    def __init__(
        self, cloud: Cloud, place: Path, plan: Schedule, catalog: Catalog | None = None, seconds: int = HIDDEN_FOR
    ) -> None:
        self.cloud = cloud
        self.place = place
        self.plan = plan
        self.catalog = catalog or impatient()
        self.chance = random.Random(plan.seed)
        self.calm = self.deployment()
        """Nothing goes wrong with its clients."""
        self.line = self.calm.line()
        self.store = self.calm.store
        self.seen: set[str] = set()
        self.published: dict[str, bytes] = {}
        self.broken: list[str] = []
        self.sent: list[Sent] = list(_wishes(plan))
        self.calm.provision(seconds)

    def deployment(self, catalog: Catalog | None = None, **providers: Any) -> Deployment:
        """The deployment as another process would open it, with clients of its own."""
        return self.cloud.deployment(self.place, catalog or self.catalog, outside(self.place) | providers)

    def pump(self, deployment: Deployment | None = None, services: Iterable[str] = CATALOG.services) -> Pump:
        """Hands what the cloud has, on calm clients, to the functions of a deployment."""
        return Pump(self.line, deployment or self.calm, services)

    def send(self, *sent: Sent) -> None:
        """Publish what customers say, as `trefoil send` does."""
        self.sent += [each for each in sent if each not in self.sent]
        envelopes = [decode(each.body) for each in sent]
        for each, envelope in zip(sent, envelopes, strict=True):
            assert self.calm.bus.publish([Outgoing(envelope.id, each.type, envelope.subject, each.body)]) == set()

    def open(self) -> None:
        """The customers come."""
        self.send(*self.sent)

    def kill(self, work: Callable[..., Any], *arguments: Any) -> None:
        """Run functions in another process, which ends by being killed."""
        run_until_killed(work, self.cloud.name, str(self.place), *arguments)

    def close(self, deployment: Deployment | None = None) -> None:
        """Work off what is left, ring for every timer, and work off what that brings."""
        pump = self.pump(deployment)
        pump.drain(self.chance)
        self.ring()
        pump.drain(self.chance)

    def ring(self, deployment: Deployment | None = None) -> None:
        """The schedule rings when every timer is due, and again each minute until all are gone, at most an hour."""
        self.note_timers()
        later = deployment or self.deployment()
        later.clock = when_all_is_due()
        for _ in range(60):
            with suppress(*RETRIED):
                later.ring()
            if not list(self.calm.timers.all()):
                break

    def note_timers(self) -> None:
        """Take down what the schedule will publish; where that goes straight to a service, no witness sees it."""
        self._note([timer.message.body for timer in self.calm.timers.all()])

    def letters(self) -> list[Parked]:
        """Every dead letter."""
        return [letter for name in self.catalog.services for letter in self.calm.system.dead_letters.parked(name)]

    @property
    def books(self) -> Books:
        """What happened outside, by the files it left."""
        books = Books()
        amounts = {f"o{number}": order.amount for number, order in enumerate(self.plan.orders, 1)}
        for key in keys(self.place / "payments"):
            effect, _, order = key.partition(":")
            moved = books.captured if effect == "capture" else books.refunded
            moved[key] = (order, amounts[order])
        books.dispatched = {key: key.partition(":")[2] for key in keys(self.place / "parcels")}
        books.mails = Counter(unquote(path.name.split(".")[0]) for path in (self.place / "mails").glob("[!.]*.eml"))
        return books

    def wrong(self) -> list[str]:
        """Every invariant that does not hold (docs/design.md, section 9), and what the audit finds."""
        self._note(self.calm.witnessed())
        missing = list(find_missing(History(self.catalog, self.store), self.calm.system))
        return [*self.broken, *violations(self), *(f"the audit misses {each.id} at {each.service}" for each in missing)]

    def _note(self, published: Iterable[bytes]) -> None:
        ours = {each.body for each in self.sent}
        for body in published:
            if body in ours:
                continue
            id_ = decode(body).id
            if self.published.setdefault(id_, body) != body:
                self.broken.append(f"two contents under the id {id_}")


def _wishes(plan: Schedule) -> list[Sent]:
    """What customers say, now."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulation_clients, "START", datetime.now(UTC))
        return messages(plan)


def busy_day(seed: int, orders: int) -> Schedule:
    """Orders of every kind, a few users, and a sensor."""
    chance = random.Random(seed)
    plans = tuple(
        OrderPlan(
            chance.choice(("fulfilled", "fulfilled", "fulfilled", "free")),
            chance.choice(("never", "never", "sometime")),
            chance.random() < 0.2,
            chance.random() < 0.1,
        )
        for _ in range(orders)
    )
    return Schedule(seed=seed, orders=plans, readings=4, users=2, id_reused=True)
