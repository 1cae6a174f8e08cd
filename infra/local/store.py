"""The store on SQLite: the primary key is the condition of the conditional append."""

import sqlite3
from collections.abc import Iterator

from infra.local.database import Database
from shared.kernel.commit import Commit, decode_commit, encode_commit
from shared.kernel.errors import ConcurrencyConflict

_NO_BOUND = 2**62


class SqliteStore:
    """Commits in a table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def append(self, commit: Commit) -> None:
        """See Store."""
        row = (commit.stream, commit.version, encode_commit(commit))
        try:
            with self._database.write() as connection:
                connection.execute("insert into commits values (?, ?, ?)", row)
        except sqlite3.IntegrityError as error:
            raise ConcurrencyConflict(f"version {commit.version} of '{commit.stream}' is taken") from error

    def read(self, stream: str, before: int | None = None) -> Iterator[Commit]:
        """See Store."""
        query = "select body from commits where stream = ? and version < ? order by version desc"
        for (body,) in self._database.read(query, (stream, _NO_BOUND if before is None else before)):
            yield decode_commit(body)

    def streams(self, service: str) -> Iterator[str]:
        """See Store."""
        query = "select stream from commits where stream > ? and stream < ? and version = 1"
        # '0' is the character after '/', so these bounds hold the service's streams and no others.
        for (stream,) in self._database.read(query, (f"{service}/", f"{service}0")):
            yield stream

    def flush(self) -> None:
        """See Store."""
        self._database.flush()
