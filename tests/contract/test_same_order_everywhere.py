"""One order, one that fails at the carrier, a user and a sensor: what comes out is the same wherever they are handled.

Histories are compared as they were committed: versions, ids, types and payloads. What differs is the time, and what the
brokers call a delivery, which no history holds.
"""

import json
import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from functions.local.sending import Sender
from infra.clock import SystemClock
from infra.local.broker import SqliteBroker
from infra.local.database import Database
from infra.local.store import SqliteStore
from infra.providers.folder import FolderMailer
from infra.providers.simulated import SimulatedCarrier, SimulatedGateway
from shared.catalog import CATALOG
from shared.kernel.codec import read_own
from shared.kernel.ports import System
from shared.kernel.receiver import Receiver
from shared.kernel.telemetry import Counters
from tests.support.aws import at, opened, provision
from tests.support.azure import at_azure
from tests.support.azure import opened as opened_on_azure
from tests.support.azure import provision as provision_on_azure
from tests.support.gcp import at_google
from tests.support.gcp import opened as opened_at_google
from tests.support.gcp import provision as provision_at_google

LEASE = 30.0
QUIET = 3
"""Rounds in which nothing came, after which nothing comes any more."""

TOTAL = {"amount": 2933, "currency": "USD"}
ORDER = {"customer": "ann", "email": "ann@example.com", "quantity": 2, "total": TOTAL, "date": "2026-11-26"}
SENT = [
    {"type": "orders.place-order.v1", "subject": "o1", "data": ORDER},
    {"type": "orders.place-order.v1", "subject": "o2", "data": ORDER},
    {"type": "users.register-user.v1", "subject": "ann", "data": {"name": "Ann", "email": "ann@example.com"}},
    {
        "type": "sensors.record-reading.v1",
        "subject": "attic",
        "data": {"temperature": 5200, "at": "2026-11-26T07:00:00"},
    },
]

Find = Callable[[str], object]


@contextmanager
def _local(_: Find, place: Path) -> Iterator[System]:
    database = Database(place / "trefoil.db")
    try:
        broker = SqliteBroker(database, CATALOG, SystemClock())
        yield System(SqliteStore(database), broker, broker, broker, broker, broker, SystemClock())
    finally:
        database.close()


@contextmanager
def _aws(find: Find, place: Path) -> Iterator[System]:
    with at(find("ministack")):
        aws = opened(place)
        provision(aws, CATALOG)
        yield aws.system


@contextmanager
def _gcp(find: Find, place: Path) -> Iterator[System]:
    with at_google(find("pubsub"), find("firestore")):
        gcp = opened_at_google(place)
        provision_at_google(gcp, CATALOG)
        yield gcp.system


@contextmanager
def _azure(find: Find, place: Path) -> Iterator[System]:
    with at_azure(find("servicebus"), find("azurite")), opened_on_azure(place) as azure:
        provision_on_azure(azure, CATALOG, timedelta(seconds=LEASE))
        yield azure.system


PLACES: dict[str, Callable[[Find, Path], AbstractContextManager[System]]] = {
    "local": _local,
    "aws": _aws,
    "gcp": _gcp,
    "azure": _azure,
}


def lines() -> list[bytes]:
    """The same bytes for everybody: ids and times are given, not made up."""
    said = [each | {"id": f"m{n}", "time": "2026-11-26T08:00:00Z"} for n, each in enumerate(SENT)]
    return [json.dumps(each).encode() for each in said]


def handle_all(system: System, place: Path) -> Counters:
    """Work every channel off, one after the other, until nothing comes."""
    counters = Counters()
    carrier = SimulatedCarrier(seed="everywhere 8", undeliverable_rate=0.5)  # which fails the second
    providers = {
        "payments": SimulatedGateway(seed="everywhere"),
        "shipping": carrier,
        "notifications": FolderMailer(place / "mails"),
    }
    receivers = {
        name: Receiver(
            service,
            store=system.store,
            bus=system.bus,
            timers=system.timers,
            clock=system.clock,
            random=random.Random(1).random,
            telemetry=counters,
            provider=providers.get(name),
        )
        for name, service in CATALOG.services.items()
    }
    quiet = 0
    while quiet < QUIET:
        quiet += 1
        for name, receiver in receivers.items():
            while deliveries := system.channels.lease(name, 1, LEASE):
                receiver.receive(deliveries, lambda settlements, name=name: system.channels.settle(name, settlements))
                quiet = 0
    return counters


def history(system: System) -> dict[str, list]:
    """Every stream's commits, oldest first, less the times."""
    streams = [stream for name in CATALOG.services for stream in system.store.streams(name)]
    return {stream: [_told(commit) for commit in system.store.read(stream)][::-1] for stream in sorted(streams)}


def _told(commit):
    envelopes = [read_own(message.body) for message in commit.messages]
    return {
        "version": commit.version,
        "handled": [(each.source, each.id, each.type) for each in commit.handled],
        "claims": [(each.source, each.id) for each in commit.claims],
        "messages": [
            (each.id, each.type, each.subject, each.correlationid, each.causationid, each.hops, bytes(each.data))
            for each in envelopes
        ],
    }


def told(find: Find, cloud: str, place: Path):
    """What came out at one place: histories, outcomes, timers and dead letters."""
    with PLACES[cloud](find, place) as system:
        sender = Sender(CATALOG, system.bus)
        assert [*sender.send(lines())] == [len(SENT)]
        counters = handle_all(system, place)
        timers = sorted(each.message.id for each in system.timers.due(system.clock.now() + 86_400, 100))
        dead = [letter for name in CATALOG.services for letter in system.dead_letters.parked(name)]
        mails = sorted(path.name for path in (place / "mails").glob("*.eml"))
        done = {key: count for key, count in counters.counts.items() if key[1] in ("Done", "emitted")}
        return {"history": history(system), "done": done, "timers": timers, "dead": dead, "mails": mails}


@pytest.fixture(scope="module")
def here(request, tmp_path_factory):
    """What came out on this machine."""
    return told(request.getfixturevalue, "local", tmp_path_factory.mktemp("local"))


def test_the_orders_differ_in_how_they_end(here):
    ends = {stream: commits[-1]["messages"][0][1] for stream, commits in here["history"].items() if "orders/" in stream}

    assert set(ends.values()) == {"orders.order-fulfilled.v1", "orders.order-cancelled.v1"}
    assert here["dead"] == []
    assert len(here["mails"]) == 6  # two for each order, one for the user, one for the alert


@pytest.mark.parametrize("cloud", ["aws", "gcp", "azure"])
def test_what_comes_out_is_the_same_on_every_cloud(request, tmp_path, here, cloud):
    there = told(request.getfixturevalue, cloud, tmp_path)

    assert there["history"].keys() == here["history"].keys()
    for stream, commits in here["history"].items():
        assert there["history"][stream] == commits, stream
    assert there == here
