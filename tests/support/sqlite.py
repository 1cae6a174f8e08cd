"""The SQLite adapter taken apart: what the tests of its file, its locks and its unit of work share."""

import math
import os
import resource
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.clock import SystemClock
from infra.local.broker import SqliteBroker
from infra.local.database import Database
from infra.local.store import SqliteStore
from shared.kernel.commit import Commit
from shared.kernel.errors import ConfigurationError, StoreUnavailable
from shared.kernel.outcome import DONE
from shared.kernel.ports import Clock, Delivery
from tests.support.contract_catalog import CATALOG, LEDGER, STOCK, ids, message
from tests.support.processes import die

FILE = "trefoil.db"
NOBODY = 65534


class Sqlite:
    """One connection with its store and broker."""

    def __init__(self, folder: Path, clock: Clock | None = None, busy_seconds: float = 30.0) -> None:
        self.database = Database(folder / FILE, busy_seconds)
        self.clock = clock or SystemClock()
        self.store = SqliteStore(self.database)
        self.broker = SqliteBroker(self.database, CATALOG, self.clock)

    def append(self, version: int, text: str = "") -> None:
        """Append to the one stream that these tests use."""
        self.store.append(Commit("stock/s1", version, 1.0, released=[("/test", text)]))

    def versions(self) -> list[int]:
        """The stream's versions, oldest first."""
        return [commit.version for commit in self.store.read("stock/s1")][::-1]

    def handle(self, delivery: Delivery) -> Iterator[str]:
        """What a receiver does with a message, in the steps between which it may die."""
        self.append(1)
        yield "append"
        self.broker.publish([message("caused", to=LEDGER)])
        yield "publish"
        self.broker.settle(STOCK, [(delivery, DONE)])
        yield "settle"

    def leave_room_for(self, pages: int) -> None:
        """Let the file grow by so many pages and no more: what a full disk does, without filling one."""
        run = self.database._connection.execute  # its own `read` refuses once a unit has failed
        (size,) = run("pragma page_count").fetchone()
        run(f"pragma max_page_count={size + pages}").fetchone()

    def fill_up(self) -> None:
        """Append until the disk is full."""
        while True:
            self.append(len(self.versions()) + 1, "x" * 3000)

    def run_full(self) -> StoreUnavailable:
        """`fill_up`, and what it ended with."""
        try:
            self.fill_up()
        except StoreUnavailable as error:
            return error
        raise AssertionError


@contextmanager
def opened(folder: Path, clock: Clock | None = None, busy_seconds: float = 30.0) -> Iterator[Sqlite]:
    """A connection that is closed in the end."""
    sqlite = Sqlite(folder, clock, busy_seconds)
    try:
        yield sqlite
    finally:
        sqlite.database.close()


# -- what processes of their own do


def open_each(folders: list[str], beat: float = 0.0) -> list[str]:
    """Open file after file, `beat` seconds apart on the wall clock that all processes share; return what went wrong."""
    troubles = []
    start = math.ceil(time.time() / 0.5) * 0.5 if beat else 0.0
    for number, folder in enumerate(folders):
        while time.time() < start + number * beat:
            pass  # a sleep would end too unevenly for them to meet
        try:
            Sqlite(Path(folder)).database.close()
        except ConfigurationError as error:
            troubles.append(str(error))
    return troubles


def open_as_nobody(folder: str) -> str:
    """Open a file without the rights of a superuser; return what went wrong."""
    if os.geteuid() == 0:
        os.seteuid(NOBODY)
    (trouble,) = open_each([folder]) or [""]
    return trouble


def die_after(folder: str, step: str) -> None:
    """Handle a message in one unit of work, up to a step."""
    sqlite = Sqlite(Path(folder))
    with sqlite.database.unit_of_work():
        (delivery,) = sqlite.broker.lease(STOCK, 1, 0.05)
        for done in sqlite.handle(delivery):
            if done == step:
                die()


def die_after_flush(folder: str) -> None:
    """Append, flush, append, in one unit of work that never ends."""
    sqlite = Sqlite(Path(folder))
    with sqlite.database.unit_of_work():
        sqlite.append(1)
        sqlite.append(2)
        sqlite.store.flush()
        sqlite.append(3)
        die()


def enlist_lease_and_die(folder: str) -> None:
    """Take a message for an hour, as a worker that is known by its process, and never settle it."""
    sqlite = Sqlite(Path(folder))
    sqlite.broker.enlist(os.getpid())
    assert ids(sqlite.broker.lease(STOCK, 1, 3600.0)) == ["m1"]
    die()


def hold_lock(folder: str) -> None:
    """Hold the write lock until told to stop."""
    connection = sqlite3.connect(Path(folder) / FILE, isolation_level=None)
    connection.execute("begin immediate")
    print("locked", flush=True)  # noqa: T201 - tells the parent
    input()
    connection.close()


def append_until_the_file_may_not_grow(folder: str, size: int) -> tuple[int, str]:
    """Append under a limit to the size of files; return how many commits were confirmed, and what ended it."""
    sqlite = Sqlite(Path(folder))
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    confirmed = 0
    try:
        while True:
            sqlite.append(confirmed + 1, "x" * 3000)
            confirmed += 1
    except StoreUnavailable as error:
        return confirmed, str(error)
