"""Keeps a broker in one SQLite file: what was committed is there after the process was killed.

A power cut may take the last moments along (`synchronous=NORMAL`), but tears nothing.
"""

import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from infra.emulators.servicebus.broker.message import Entry, Message, State
from infra.emulators.servicebus.broker.store import Kept
from shared.kernel.errors import ConfigurationError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS entity (path TEXT PRIMARY KEY, last_number INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS entry (
    path TEXT, number INTEGER, state INTEGER NOT NULL, enqueued_at INTEGER NOT NULL, first_number INTEGER NOT NULL,
    failures INTEGER NOT NULL, expires_at INTEGER, dead_letter_source TEXT NOT NULL, message BLOB NOT NULL,
    PRIMARY KEY (path, number)
);
CREATE TABLE IF NOT EXISTS session (
    path TEXT, id TEXT, state BLOB NOT NULL, time INTEGER NOT NULL, PRIMARY KEY (path, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS message_id (
    path TEXT, id TEXT, until INTEGER NOT NULL, PRIMARY KEY (path, id)
) WITHOUT ROWID;
"""


class SqliteStore:
    """The broker's only store; a second one on the same file is refused. `pack` and `unpack` know what a message is."""

    def __init__(self, file: Path, pack: Callable[[Message], bytes], unpack: Callable[[bytes], Message]) -> None:
        self._pack = pack
        self._unpack = unpack
        self._numbers: dict[str, int] = {}
        try:
            self._database = sqlite3.connect(file, timeout=1, isolation_level=None)
            self._database.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=NORMAL")
            self._database.executescript(_SCHEMA)
        except sqlite3.Error as error:
            raise ConfigurationError(f"{file} can't keep the broker's messages: {error}") from error

    def load(self, path: str) -> Kept:
        """What was committed of an entity."""
        last = self._all("SELECT last_number FROM entity WHERE path = ?", path)
        sessions = self._all("SELECT id, state, time FROM session WHERE path = ?", path)
        message_ids = self._all("SELECT id, until FROM message_id WHERE path = ? ORDER BY until", path)
        entries = self._all(
            "SELECT number, message, enqueued_at, first_number, state, failures, expires_at, dead_letter_source"
            " FROM entry WHERE path = ? ORDER BY number",
            path,
        )
        return Kept(
            last_number=last[0][0] if last else 0,
            entries=[
                Entry(number, self._unpack(message), enqueued_at, first_number, State(state), *rest)
                for number, message, enqueued_at, first_number, state, *rest in entries
            ],
            sessions={session: (state, time) for session, state, time in sessions},
            message_ids=dict(message_ids),
        )

    def save(self, path: str, entry: Entry) -> None:
        """Keep an entry, or its new version."""
        self._write(
            "INSERT OR REPLACE INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            path,
            entry.number,
            entry.state.value,
            entry.enqueued_at,
            entry.first_number,
            entry.failures,
            entry.expires_at,
            entry.dead_letter_source,
            self._pack(entry.message),
        )

    def remove(self, path: str, number: int) -> None:
        """Forget an entry."""
        self._write("DELETE FROM entry WHERE path = ? AND number = ?", path, number)

    def save_number(self, path: str, last: int) -> None:
        """Keep the last sequence number that was given."""
        self._numbers[path] = last

    def save_session(self, path: str, session: str, state: bytes | None, time: int) -> None:
        """Keep the state of a session; None forgets it."""
        if state is None:
            self._write("DELETE FROM session WHERE path = ? AND id = ?", path, session)
        else:
            self._write("INSERT OR REPLACE INTO session VALUES (?, ?, ?, ?)", path, session, state, time)

    def save_message_id(self, path: str, message_id: str, until: int) -> None:
        """Keep a message id against duplicates."""
        self._write("INSERT OR REPLACE INTO message_id VALUES (?, ?, ?)", path, message_id, until)

    def forget_message_ids(self, path: str, message_ids: Iterable[str]) -> None:
        """Forget message ids whose time is over."""
        for each in message_ids:
            self._write("DELETE FROM message_id WHERE path = ? AND id = ?", path, each)

    def forget(self, path: str) -> None:
        """Forget an entity, its last number too."""
        self._numbers.pop(path, None)
        for table in ("entity", "entry", "session", "message_id"):
            self._write(f"DELETE FROM {table} WHERE path = ?", path)  # noqa: S608 - one of those four

    def commit(self) -> None:
        """Make everything since the last commit last."""
        for path, last in self._numbers.items():
            self._write("INSERT OR REPLACE INTO entity VALUES (?, ?)", path, last)
        self._numbers.clear()
        if self._database.in_transaction:
            self._database.execute("COMMIT")

    def close(self) -> None:
        """Commit, and let the file go."""
        self.commit()
        self._database.close()

    def _write(self, statement: str, path: str, *values: object) -> None:
        if not self._database.in_transaction:
            self._database.execute("BEGIN")
        self._database.execute(statement, (path.lower(), *values))

    def _all(self, statement: str, path: str) -> list[Any]:
        return self._database.execute(statement, (path.lower(),)).fetchall()
