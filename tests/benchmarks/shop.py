"""The order flow on Trefoil: the shipped services on SQLite, one worker in this process, instant providers."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from functions.local.worker import Worker
from infra.clock import SystemClock
from infra.local.broker import SqliteBroker
from infra.local.wiring import DATABASE, Local
from shared.catalog import CATALOG
from shared.kernel.catalog import Catalog
from shared.kernel.ports import Outgoing
from shared.kernel.receiver import Receiver
from shared.kernel.telemetry import Counters, JsonLines, Several, Telemetry
from tests.benchmarks.providers import PROVIDERS

WITHOUT_MAILS = Catalog([service for name, service in CATALOG.services.items() if name != "notifications"])
"""All services but the one that commits a claim before each effect."""


class Restless(SystemClock):
    """A worker naps before it sees that it is to stop, which is no message's time."""

    def sleep(self, seconds: float) -> None:
        pass


class Folder(Local):
    """A data folder with some of the services and instant providers."""

    def __init__(self, folder: Path, catalog: Catalog) -> None:
        super().__init__(folder)
        self.catalog = catalog
        self.clock = Restless()
        self.broker = SqliteBroker(self.database, catalog, self.clock)

    def receivers(self, telemetry: Telemetry) -> dict[str, Receiver]:
        return {
            name: Receiver(
                service,
                store=self.store,
                bus=self.broker,
                timers=self.broker,
                clock=self.clock,
                random=random.random,
                telemetry=telemetry,
                provider=PROVIDERS.get(name),
            )
            for name, service in self.catalog.services.items()
        }


class Shop:
    """Handles orders until nothing is left to do, with everything on: one log line a record, in a file."""

    def __init__(self, folder: Path, catalog: Catalog, batch: int) -> None:
        self.database = folder / DATABASE
        self._counters = Counters()
        self._opened = Folder(folder, catalog)
        self._log = (folder / "log.jsonl").open("ab")
        self._worker = Worker(self._opened, Several(JsonLines(self._log), self._counters), batch)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._log.close()
        self._opened.database.close()

    def send(self, messages: Sequence[Outgoing]) -> None:
        """Put commands into their channels."""
        self._opened.broker.publish(messages)

    def run(self) -> None:
        """Work until all channels are empty."""
        self._worker.run(until_idle=True, stopped=lambda: False)

    def handle(self, count: int) -> None:
        """Work until so many more messages are done."""
        enough = self.handled + count
        self._worker.run(until_idle=False, stopped=lambda: self.handled >= enough)

    @property
    def handled(self) -> int:
        """Deliveries that ended in `Done`."""
        return sum(count for (_, outcome), count in self._counters.counts.items() if outcome == "Done")


def remove(folder: Path) -> None:
    """Delete what one turn wrote, so that a run does not fill the disk."""
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
