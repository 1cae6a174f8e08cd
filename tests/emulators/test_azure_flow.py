"""The checkout's functions on Azure's emulators: orders from the bus to their ends, also when workers are killed."""

import json
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from functions.local.sending import Sender
from infra.azure.wiring import Azure, azure
from infra.emulators import process
from shared.catalog import CATALOG
from shared.kernel.codec import read_own
from shared.kernel.topology import asyncapi
from tests.support.azure_emulators import FunctionsHost

SECONDS = 120
KILLS = 3

Order = Callable[[int], set[str]]


@pytest.fixture
def host(azurefunctions, servicebuses, azurite, monkeypatch) -> FunctionsHost:
    """The checkout's functions, in a deployment of their own; this process is their client."""
    names = {"TREFOIL_NAME": "flow", "TREFOIL_STAGE": f"t{os.getpid()}"}
    bus = servicebuses(asyncapi(CATALOG), **names)
    for setting, value in {**bus.exports, **azurite.exports, **names}.items():
        monkeypatch.setenv(setting, value)
    return azurefunctions(bus)


@pytest.fixture
def deployment(host) -> Iterator[Azure]:
    with azure() as opened:
        yield opened


@pytest.fixture
def place(deployment) -> Order:
    """Place so many orders; their ids."""

    def placed(count: int) -> set[str]:
        ids = {f"order-{number}" for number in range(count)}
        sender = Sender(CATALOG, deployment.bus)
        assert [*sender.send(map(line, sorted(ids)))] == [count]
        return ids

    return placed


def line(subject: str) -> bytes:
    total = {"amount": 1250, "currency": "USD"}
    data = {"customer": "ann", "email": "ann@example.com", "quantity": 1, "total": total, "date": "2026-11-26"}
    return json.dumps({"type": "orders.place-order.v1", "subject": subject, "data": data}).encode()


def told(deployment: Azure, service: str, subject: str) -> Counter[str]:
    """What a service has committed about a subject, by type."""
    commits = deployment.store.read(f"{service}/{subject}")
    return Counter(read_own(message.body).type for commit in commits for message in commit.messages)


def ended(deployment: Azure, orders: set[str]) -> bool:
    """Whether each order was fulfilled, or cancelled."""
    ends = {"orders.order-fulfilled.v1", "orders.order-cancelled.v1"}
    return all(ends & told(deployment, "orders", each).keys() for each in orders)


def test_orders_go_from_the_bus_to_their_ends(host, deployment, place):
    orders = place(5)

    assert process.wait(lambda: ended(deployment, orders), SECONDS), host.log
    assert {name: each["failures"] for name, each in host.functions().items() if each["failures"]} == {}


def test_a_tick_publishes_what_is_due(host, deployment, place):
    orders = place(2)
    assert process.wait(lambda: ended(deployment, orders), SECONDS), host.log

    assert host.tick() == 204
    assert "timers were published" in (host.folder / "tick.log").read_text()


def test_orders_reach_their_ends_once_though_workers_are_killed(host, deployment, place):
    orders = place(20)

    killed: set[int] = set()
    for kills in range(1, KILLS + 1):
        process.wait(lambda calls=kills * 4: sum(each["calls"] for each in host.functions().values()) > calls, SECONDS)
        process.wait(lambda: set(host.workers()) - killed, SECONDS)
        for worker in set(host.workers()) - killed:
            os.kill(worker, signal.SIGKILL)
            killed.add(worker)

    assert process.wait(lambda: ended(deployment, orders), SECONDS), host.log
    captures = [told(deployment, "payments", each)["payments.payment-captured.v1"] for each in orders]
    assert max(captures) == 1
    assert len(killed) == KILLS
