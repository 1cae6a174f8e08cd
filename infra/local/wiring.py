"""A laptop as a deployment: one folder, one database file, nothing to start."""

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.clock import SystemClock
from infra.local.broker import SqliteBroker
from infra.local.database import Database
from infra.local.store import SqliteStore
from infra.providers.wiring import providers
from shared.catalog import CATALOG
from shared.kernel.ports import System
from shared.kernel.receiver import Receiver
from shared.kernel.telemetry import Telemetry

DATABASE = "trefoil.db"
MAILS = "mails"


class Local:
    """The folder's database, and what stands on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = SystemClock()
        self.database = Database(folder / DATABASE)
        self.store = SqliteStore(self.database)
        self.broker = SqliteBroker(self.database, CATALOG, self.clock)
        broker = self.broker
        self.system = System(self.store, broker, broker, broker, broker, broker, self.clock)

    def receivers(self, telemetry: Telemetry) -> dict[str, Receiver]:
        """A receiver for every service, with the providers that the environment names."""
        by_service = providers(os.environ, self.folder / MAILS)
        return {
            name: Receiver(
                service,
                store=self.store,
                bus=self.broker,
                timers=self.broker,
                clock=self.clock,
                random=random.random,
                telemetry=telemetry,
                provider=by_service.get(name),
            )
            for name, service in CATALOG.services.items()
        }


def check_settings(folder: Path) -> None:
    """Raises ConfigurationError naming the setting of a provider that is wrong."""
    providers(os.environ, folder / MAILS)


@contextmanager
def local(folder: Path) -> Iterator[Local]:
    """Open a data folder; raises ConfigurationError when it can't be used."""
    opened = Local(folder)
    try:
        yield opened
    finally:
        opened.database.close()


def process_is_alive(pid: int) -> bool:
    """Whether a process of this machine still runs.

    A wrong answer does no harm: a lease that is freed too early is a redelivery, and each message takes effect once.
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
