"""One SQLite file for store, channels, timers and dead letters, so that they change in one transaction.

WAL lets readers go on beside the one writer; `synchronous=FULL` makes a commit survive a power cut (sqlite.org/wal).
"""

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from shared.kernel.errors import ConfigurationError, StoreUnavailable

_WAL_ATTEMPTS = 100
_WAL_WAIT = 0.02  # seconds
LAYOUT = 1
"""Kept in `user_version`; a file of another layout is refused rather than guessed at."""

# Messages are clustered by channel, so that a batch's rows share pages. Leases are small rows of their own, so that
# taking a message does not write its body again. Commits are appended, and found by their index.
_SCHEMA = """
create table commits (stream text not null, version integer not null, body blob not null);
create unique index commits_by_version on commits (stream, version);
create table messages (
    service text, due real, number integer, attempts integer not null, addressed integer not null, first real not null,
    body blob not null, attributes text, primary key (service, due, number)) without rowid;
create table leases (
    number integer primary key, until real not null, attempts integer not null, owner integer not null);
create table numbers (next integer not null);
insert into numbers values (1);
create table timers (
    id text primary key, due real not null, service text not null, type text not null, subject text not null,
    body blob not null);
create index timers_by_due on timers (due);
create table dead (
    number integer primary key autoincrement, service text not null, reason text not null, error text not null,
    text text not null, handler text not null, attempts integer not null, first real not null, last real not null,
    body blob not null, attributes text);
create table paused (service text primary key) without rowid;
create table workers (pid integer primary key);
"""


class Database:
    """A connection, and the unit of work that joins writes into one transaction.

    Outside a unit each write commits by itself. Inside one they wait for `flush` or the unit's end; when one of them
    fails, all of them do: the unit refuses everything until `recover`, so that nothing counts that was rolled back.
    """

    def __init__(self, path: Path, busy_seconds: float = 30.0) -> None:
        self.path = path
        self._joined = False
        self._writing = False
        self._failure: StoreUnavailable | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(
                path, timeout=busy_seconds, isolation_level=None, check_same_thread=False, cached_statements=256
            )
        except (sqlite3.Error, OSError) as error:
            raise _unusable(path, error) from error
        try:
            self._prepare()
        except BaseException as error:
            self._connection.close()
            if isinstance(error, sqlite3.Error):
                raise _unusable(path, error) from error
            raise
        if not os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
            raise _unusable(path, PermissionError("it may not be written"))

    def _prepare(self) -> None:
        run = self._connection.execute
        layout = run("pragma user_version").fetchone()[0]
        if layout not in (0, LAYOUT):
            raise ConfigurationError(
                f"'{self.path}' has layout {layout}; this version reads {LAYOUT}: use another --data"
            )
        run("pragma synchronous=full")
        run("pragma cache_size=-65536")  # 64 MiB
        if layout == 0:
            self._create()
        self._switch_to_wal()

    def _switch_to_wal(self) -> None:
        # SQLite doesn't wait for this lock by itself when several processes open a new file at once.
        for _ in range(_WAL_ATTEMPTS):
            with suppress(sqlite3.OperationalError):
                self._connection.execute("pragma journal_mode=wal")
                return
            time.sleep(_WAL_WAIT)
        self._connection.execute("pragma journal_mode=wal")

    def _create(self) -> None:
        run = self._connection.execute
        run("begin immediate")
        # Another process may have been first while this one waited for the lock.
        if run("pragma user_version").fetchone()[0] == 0:
            if run("select count(*) from sqlite_master").fetchone()[0]:
                raise _unusable(self.path, sqlite3.Error("file is not a database"))  # but another program's
            for statement in _SCHEMA.split(";"):
                run(statement)
            run(f"pragma user_version={LAYOUT}")
        run("commit")

    def close(self) -> None:
        """End the connection; what was not committed is rolled back."""
        self._connection.close()

    def read(self, sql: str, parameters: Sequence[Any] = ()) -> Iterator[Any]:
        """Yield the rows of a query, as they are needed.

        Inside a unit of work all reads up to the next write see one moment, which spares a lock a query.
        """
        if self._failure:
            raise self._failure
        try:
            if self._joined and not self._connection.in_transaction:
                self._connection.execute("begin")
            yield from self._connection.execute(sql, parameters)
        except sqlite3.Error as error:
            raise self._fail(error) from error

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A write transaction: joined to the unit of work where there is one, else committed at the end.

        Raises StoreUnavailable; sqlite3.IntegrityError passes, because it takes only its own statement back.
        """
        if self._failure:
            raise self._failure
        try:
            if not self._writing:
                if self._connection.in_transaction:
                    self._connection.execute("commit")  # only reads so far: write on top of what is there now
                self._connection.execute("begin immediate")
                self._writing = True
            yield self._connection
            if not self._joined:
                self.flush()
        except sqlite3.IntegrityError:
            if not self._joined:
                self.recover()
            raise
        except sqlite3.Error as error:
            raise self._fail(error) from error
        except BaseException as error:
            self._fail(error)
            raise

    @contextmanager
    def unit_of_work(self) -> Iterator[None]:
        """Join all writes within, up to each `flush`; roll back what was not flushed when an exception passes."""
        self._joined = True
        try:
            yield
            self.flush()
        finally:
            self._joined = False
            self.recover()

    def flush(self) -> None:
        """Commit what was written so far."""
        if self._failure:
            raise self._failure
        try:
            if self._connection.in_transaction:
                self._connection.execute("commit")
            self._writing = False
        except sqlite3.Error as error:
            raise self._fail(error) from error

    def recover(self) -> None:
        """Take back what was not committed, and start over."""
        self._failure = None
        self._writing = False
        if self._connection.in_transaction:
            self._connection.execute("rollback")

    def _fail(self, error: BaseException) -> StoreUnavailable:
        failure = StoreUnavailable(f"the database '{self.path}' did not take it: {error}{_remedy(error)}")
        if self._joined:
            self._failure = failure
        self._writing = False
        if self._connection.in_transaction:
            self._connection.execute("rollback")
        return failure


def _remedy(error: BaseException) -> str:
    text = str(error)
    if "full" in text:
        return "; free some space and start again, nothing was lost"
    if "locked" in text:
        return "; another process holds it: end that process, or wait"
    return ""


def _unusable(path: Path, error: Exception) -> ConfigurationError:
    if "not a database" in str(error):
        return ConfigurationError(f"'{path}' is not a Trefoil database; name another folder with --data")
    remedy = _remedy(error) or "; name another folder with --data"
    return ConfigurationError(f"'{path}' can't be opened: {error}{remedy}")
