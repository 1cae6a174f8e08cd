"""The whole order flow with real functions: the local Functions host, and Microsoft's worker on Python 3.13.

Beside them, the bare loop's calls as functions, before a Service Bus and a host of their own.
"""

import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from infra.azure.names import Names
from infra.azure.wiring import Azure
from infra.emulators.azurefunctions.emulator import AzureFunctions
from infra.emulators.wiring import ROOT, azure
from tests.benchmarks.azure_emulator import MESSAGES, connected
from tests.benchmarks.done import Done
from tests.benchmarks.latencies import measured
from tests.benchmarks.measure import MILLISECONDS, Case, Scale, Table, check, interleave
from tests.benchmarks.providers import ALL_GOES_WELL
from tests.benchmarks.samples import purchases
from tests.support.azure_emulators import FUNCTIONS, running, running_functions

BARE, TREFOIL = "bare functions", "Trefoil"
TITLE = "Order flow on Azure's emulators with real functions"
PATIENCE = 300
"""Seconds for the orders of one turn."""
POLL = 0.005
"""Seconds between two looks whether all is handled."""
SHARE, LATENCY_SHARE = 40, 400

NOTES = [
    "Functions are warm; a worker's process runs all of an app's. Batches are as full as they come, at most 10.",
    "Bare functions: the same calls of Azure's clients. No deduplication, state, retries, dead letters or logs.",
    "The local host receives by the SDK for Python, which waits for a batch to become full, 200 ms; Azure's does not.",
]


class Hosted:
    """A deployment whose functions a host calls."""

    def __init__(self, deployment: Azure, logs: Path) -> None:
        self._deployment = deployment
        self._done = Done(logs)
        self._orders = 0

    def run(self, orders: int) -> float:
        """Seconds from sending so many new orders until all of their messages were handled."""
        commands = purchases(self._orders + orders)[self._orders :]
        self._orders += orders
        expected = self._orders * MESSAGES
        started = time.perf_counter()
        check("commands that were not confirmed", len(self._deployment.bus.publish(commands)), 0)
        while self._done.look() < expected and time.perf_counter() < started + PATIENCE:
            time.sleep(POLL)
        took = time.perf_counter() - started
        check("messages of the order flow", self._done.count, expected)
        return took


def measure(scale: Scale, folder: Path) -> list[Table]:
    """Start all and measure."""
    if not FUNCTIONS.python.exists():
        return [
            Table(title=TITLE, unit="messages/s", rows=[], notes=["Nothing was measured: run `make azure-functions`"])
        ]
    with ExitStack() as stack:
        tables = stack.enter_context(running(azure()[1], folder / "azurite", os.environ))
        apps = {BARE: bare_app(folder), TREFOIL: FUNCTIONS}
        return compare(
            scale,
            {
                name: stack.enter_context(hosted(folder / f"app-{number}", tables.exports, apps[name], f"app{number}"))
                for number, name in enumerate(apps)
            },
        )


def bare_app(folder: Path) -> AzureFunctions:
    """The bare loop's functions, with the host's settings that Trefoil's have."""
    app = folder / "bare"
    app.mkdir()
    shutil.copyfile(Path(__file__).with_name("azure_bare_main.py"), app / "function_app.py")
    shutil.copyfile(ROOT / "functions" / "azure" / "host.json", app / "host.json")
    return replace(FUNCTIONS, app=app)


@contextmanager
def hosted(folder: Path, tables: Mapping[str, str], app: AzureFunctions, stage: str) -> Iterator[Hosted]:
    """A Service Bus and a host, whose functions have handled something."""
    names = {"TREFOIL_NAME": "bench", "TREFOIL_STAGE": stage}
    with ExitStack() as stack:
        bus = stack.enter_context(running(azure()[0], folder / "servicebus", {**os.environ, **names}))
        exports = {**bus.exports, **tables}
        host = stack.enter_context(running_functions(exports, folder, app, **names, **ALL_GOES_WELL))
        clients = stack.enter_context(connected(exports))
        found = Hosted(Azure(Names("bench", stage), clients), host.folder)
        found.run(1)
        yield found


def compare(scale: Scale, shops: Mapping[str, Hosted]) -> list[Table]:
    """Many orders at once, then one at a time."""
    orders = max(scale.orders // SHARE, 1)
    speeds = interleave([Case(name, partial(_speed, shop, orders)) for name, shop in shops.items()], scale.rounds)
    few = max(scale.orders // LATENCY_SHARE, 2)
    latencies = measured({name: partial(_latencies, shop, few) for name, shop in shops.items()}, scale.rounds)
    told = {"against": [f"{BARE}, p50"], "digits": 0, "notes": NOTES}
    return [
        Table(title=TITLE, unit="messages/s", rows=speeds, against=[BARE], digits=0),
        Table(title=f"{TITLE}: one at a time, sent to last effect", unit="ms", rows=latencies, **told),
    ]


def _speed(shop: Hosted, orders: int) -> float:
    return orders * MESSAGES / shop.run(orders)


def _latencies(shop: Hosted, orders: int) -> list[float]:
    return [shop.run(1) * MILLISECONDS for _ in range(orders)]
