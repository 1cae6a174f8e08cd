"""Google's emulators for one measurement, and deployments of the shop on them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from infra.emulators.pubsub_filters import compiled
from infra.emulators.supervisor import free_port
from infra.emulators.wiring import supervisor
from infra.gcp.clients import Clients
from shared.catalog import CATALOG
from shared.kernel.topology import asyncapi
from tests.benchmarks.samples import PLACE_ORDER
from tests.benchmarks.script import Step, note
from tests.support.gcp import PROJECT, Pulled, at_google, names_for, provision
from tests.support.gcp_emulators import GcpEmulator

STANDARD_OUTPUT = 1

SCRIPT = note(CATALOG)
MESSAGES = len(SCRIPT)
"""Messages that one order leads to, each service's own: a plain order sends each to each service once."""
SERVICES = sorted({service for service, _ in SCRIPT})
"""Those that an order goes through."""

_turns = count()


def _delivered() -> int:
    """Filters of 256 bytes let in more types than a service handles."""
    told = [channel["x-trefoil"] for channel in asyncapi(CATALOG)["channels"].values()]
    channels = [each for each in told if each["role"] == "service" and each["service"] in SERVICES]
    filters = [compiled(each["pubsubFilter"]) for each in channels]
    types = [PLACE_ORDER, *(step.type for answer in SCRIPT.values() for step in answer.steps if is_published(step))]
    return sum(lets_in({"type": type_}) for lets_in in filters for type_ in types)


def is_published(step: Step) -> bool:
    """Whether it is sent to all, and now."""
    return step.delay is None and not step.private


DELIVERIES = _delivered()
"""What one order brings to these services: their messages, and some that they ignore."""


@contextmanager
def running(folder: Path) -> Iterator[dict[str, str]]:
    """Emulators of their own, and the settings that lead to them; clients that are made meanwhile go to them."""
    emulators = supervisor(folder / "emulators")
    try:
        pubsub, firestore = (_up(emulators, name) for name in ("pubsub", "firestore"))
        with at_google(pubsub, firestore):
            yield {**pubsub.exports, **firestore.exports}
    finally:
        emulators.down()


def _up(emulators: Any, name: str) -> GcpEmulator:
    found = emulators.up(name, free_port())
    return GcpEmulator(found.place.port, found.exports)


def fresh(deployment: type[Pulled], folder: Path, *, push_to: str = "", deployed: bool = True) -> Any:
    """The shop, deployed under names that nobody has had before; its clients are its own, and made."""
    names = names_for(folder / f"turn-{next(_turns)}")
    gcp = deployment(names, Clients(PROJECT, names.database, os.environ["PUBSUB_EMULATOR_HOST"]))
    if deployed:
        provision(gcp, CATALOG, push_to=push_to)
    assert gcp.clients.firestore  # made now, and while calls are counted
    return gcp


@contextmanager
def output_to(path: Path) -> Iterator[None]:
    """What functions log goes to a file, which is removed in the end: they write to the descriptor itself."""
    kept = os.dup(STANDARD_OUTPUT)
    with path.open("wb") as file:
        os.dup2(file.fileno(), STANDARD_OUTPUT)
        try:
            yield
        finally:
            os.dup2(kept, STANDARD_OUTPUT)
            os.close(kept)
    path.unlink()
