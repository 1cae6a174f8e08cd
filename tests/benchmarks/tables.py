"""Trefoil's tables on SQLite as plain statements: what any loop with the same writes has to say to the database."""

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_PRAGMAS = "pragma journal_mode=wal; pragma synchronous=full; pragma cache_size=-65536;"
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
"""

_LEASE_SECONDS = 60.0

Waiting = tuple[float, int, bytes]
"""due, number, body"""


class Tables:
    """One connection; a transaction begins with the first write after `commit`."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, cached_statements=256)
        self._connection.executescript(f"{_PRAGMAS} begin; {_SCHEMA} commit;")

    def close(self) -> None:
        self._connection.close()

    def commit(self) -> None:
        """Wait until everything written is on the disk."""
        if self._connection.in_transaction:
            self._connection.execute("commit")

    def _write(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
        if not self._connection.in_transaction:
            self._connection.execute("begin immediate")
        self._connection.executemany(statement, rows)

    def waiting(self, service: str, now: float, limit: int) -> list[Waiting]:
        """The oldest messages in a channel."""
        query = "select due, number, body from messages where service = ? and due <= ? order by due, number limit ?"
        return self._connection.execute(query, (service, now, limit)).fetchall()

    def lease(self, rows: list[Waiting], now: float) -> None:
        """Note that these are being handled."""
        leases = [(number, now + _LEASE_SECONDS, 1, 1) for _, number, _ in rows]
        self._write("insert into leases values (?, ?, ?, ?)", leases)

    def version(self, stream: str) -> int:
        """Read a stream, as whoever needs its state does; return how long it is."""
        query = "select version, body from commits where stream = ? order by version desc"
        rows = self._connection.execute(query, (stream,)).fetchall()
        return rows[0][0] if rows else 0

    def append(self, stream: str, version: int, body: bytes) -> None:
        """Write a commit."""
        self._write("insert into commits values (?, ?, ?)", [(stream, version, body)])

    def publish(self, copies: list[tuple[str, bytes]], now: float) -> None:
        """Put bodies into the channels of services."""
        if not copies:
            return
        self._write("update numbers set next = next + ?", [(len(copies),)])
        ((after,),) = self._connection.execute("select next from numbers").fetchall()
        first = after - len(copies)
        rows = [(service, now, first + index, now, body) for index, (service, body) in enumerate(copies)]
        self._write("insert into messages values (?, ?, ?, 0, 0, ?, ?, null)", rows)

    def set_timers(self, timers: list[tuple[str, float, str, str, str, bytes]]) -> None:
        """Remember messages for later: id, due, service, type, subject, body."""
        if timers:
            self._write("insert into timers values (?, ?, ?, ?, ?, ?)", timers)

    def remove(self, service: str, rows: list[Waiting]) -> None:
        """Settle what was leased."""
        keys = [(service, due, number) for due, number, _ in rows]
        self._write("delete from messages where service = ? and due = ? and number = ?", keys)
        self._write("delete from leases where number = ?", [(number,) for _, number, _ in rows])
