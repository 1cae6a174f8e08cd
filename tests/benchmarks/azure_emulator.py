"""Azure's emulators for one measurement, and deployments of the shop on them."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from time import time
from typing import TypeVar

from infra.azure.clients import Address, Clients
from infra.azure.names import Names
from infra.azure.wiring import Azure
from infra.emulators.azure import SERVICEBUS, TABLES, ServiceBus
from infra.emulators.emulator import Place
from infra.emulators.wiring import azure
from shared.catalog import CATALOG
from shared.kernel.ports import Outgoing
from tests.benchmarks.playback import encode, read
from tests.benchmarks.script import Step, note
from tests.support.azure_emulators import running as started

SCRIPT = note(CATALOG)
MESSAGES = len(SCRIPT)
"""Messages that one order leads to: filters let in what a service handles, and nothing else."""
SERVICES = sorted({service for service, _ in SCRIPT})
"""Those that an order goes through."""

UNREAD = "unread"
"""A topic that nobody subscribes to, for services that are measured alone."""

A = TypeVar("A", bound=Azure)

_turns = count()


class Turn(Names, frozen=True):
    """Names of a deployment whose tables are its own; the queues are everybody's, and empty after each turn."""

    number: int = 0
    alone: bool = False
    """Whether nobody is to get what it publishes."""

    @property
    def topic(self) -> str:
        return UNREAD if self.alone else super().topic

    @property
    def commits(self) -> str:
        return f"{super().commits}{self.number}"

    @property
    def timers(self) -> str:
        return f"{super().timers}{self.number}"


@dataclass(frozen=True)
class Bus(ServiceBus):
    """The checkout's channels, and the topic that leads nowhere."""

    def environment(self, place: Place, around: Mapping[str, str]) -> dict[str, str]:
        found = super().environment(place, around)
        file = place.folder / "config.json"
        entities = json.loads(file.read_text())
        entities["UserConfig"]["Namespaces"][0]["Topics"].append({"Name": UNREAD, "Subscriptions": []})
        file.write_text(json.dumps(entities))
        return found


def is_published(step: Step) -> bool:
    """Whether it is sent to all, and now."""
    return step.delay is None and not step.private


@contextmanager
def running(folder: Path) -> Iterator[Clients]:
    """Emulators of their own, and clients of them."""
    with emulators(folder) as exports, connected(exports) as clients:
        yield clients


@contextmanager
def emulators(folder: Path) -> Iterator[dict[str, str]]:
    """Emulators of their own, and the settings that lead to them."""
    bus, tables = azure()
    bus = Bus(bus.contract)
    around = {name: value for name, value in os.environ.items() if not name.startswith("TREFOIL_")}
    with started(bus, folder / "servicebus", around) as one, started(tables, folder / "azurite", around) as other:
        yield {**one.exports, **other.exports}


@contextmanager
def connected(exports: Mapping[str, str]) -> Iterator[Clients]:
    """Clients for all turns: to open a sender or a receiver takes the SDK half a second."""
    clients = Clients(*(Address(exports[name]) for name in (SERVICEBUS, TABLES)))
    try:
        yield clients
    finally:
        clients.close()


def fresh(make: type[A], clients: Clients, *, alone: bool = False) -> A:
    """The shop, with tables that nobody has written to before."""
    names = Turn(number=next(_turns), alone=alone)
    deployment = make(names, clients)
    for table in (names.commits, names.timers):
        clients.tables.create_table(table)
    return deployment


def leading_to(order: Outgoing) -> Iterator[Outgoing]:
    """An order's command, and all that is published when it is handled."""
    yield order
    cause, now = read(order.body), time()
    for version, ((service, _), answer) in enumerate(SCRIPT.items(), 1):
        for index, step in enumerate(answer.steps):
            if is_published(step):
                envelope = step.envelope(cause, f"{service}/{order.subject}", version, index, now)
                yield Outgoing(envelope.id, envelope.type, order.subject, encode(envelope))
