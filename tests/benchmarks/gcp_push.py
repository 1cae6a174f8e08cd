"""The order flow by push: real functions under functions-framework and gunicorn, behind the stand-in for Cloud Run.

Filters are obeyed by the stand-in, as the emulator does not.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from infra.emulators.wiring import ROOT
from infra.gcp.clients import Clients
from infra.gcp.names import Names
from infra.gcp.wiring import Gcp
from tests.benchmarks.done import Done
from tests.benchmarks.gcp_emulator import MESSAGES
from tests.benchmarks.measure import check
from tests.benchmarks.providers import ALL_GOES_WELL
from tests.benchmarks.samples import purchases
from tests.support.gcp_emulators import CLOUD_RUN, running_cloudrun

TREFOIL = ROOT / "functions" / "gcp" / "main.py"
BARE = Path(__file__).with_name("gcp_bare_main.py")

PATIENCE = 300
"""Seconds for the orders of one turn."""
TICK = 2
"""Seconds between two rings for what was put aside, because it met too many others in its stream."""
POLL = 0.005
"""Seconds between two looks whether all is handled."""


class Pushed:
    """A deployment whose subscriptions push."""

    def __init__(self, gcp: Gcp, logs: Path) -> None:
        self._gcp = gcp
        self._done = Done(logs)
        self._orders = 0

    def run(self, orders: int) -> float:
        """Seconds from sending so many new orders until all of their messages were handled."""
        commands = purchases(self._orders + orders)[self._orders :]
        self._orders += orders
        expected = self._orders * MESSAGES
        started = time.perf_counter()
        check("commands that were not confirmed", len(self._gcp.bus.publish(commands)), 0)
        while self.count() < expected and time.perf_counter() < started + PATIENCE:
            time.sleep(POLL)
        took = time.perf_counter() - started
        check("messages of the order flow", self._done.count, expected)
        return took

    def count(self) -> int:
        """How many messages are handled."""
        return self._done.look()


@contextmanager
def deployed(emulators: Mapping[str, str], folder: Path, source: Path) -> Iterator[Pushed]:
    """A stand-in with these functions, each of which has handled something."""
    cloudrun = replace(CLOUD_RUN, source=source, tick_seconds=TICK)
    with running_cloudrun(emulators, folder, cloudrun, **ALL_GOES_WELL) as functions:
        clients = Clients(functions.project, Names().database, emulators["PUBSUB_EMULATOR_HOST"])
        pushed = Pushed(Gcp(Names(), clients), functions.folder)
        pushed.run(1)
        yield pushed
