"""What was written to an SQLite database, read from its write-ahead log (sqlite.org/fileformat2.html, section 4)."""

import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from msgspec import Struct

_HEADER = struct.Struct(">8xI4x8s8x")
_FRAME = struct.Struct(">4xI8s8x")


class Written(Struct, frozen=True):
    """Pages, and the transactions that wrote them; a transaction is one wait for the disk."""

    pages: int
    transactions: int

    def __sub__(self, earlier: "Written") -> "Written":
        return Written(self.pages - earlier.pages, self.transactions - earlier.transactions)


@contextmanager
def kept(database: Path) -> Iterator[None]:
    """Keep the log from being started over, by reading an early moment of the database all the while."""
    with closing(sqlite3.connect(database, isolation_level=None)) as reader:
        reader.execute("begin")
        reader.execute("select count(*) from sqlite_master").fetchall()
        yield


def written(database: Path) -> Written:
    """What the log holds. Every frame of it is from one cycle while the log is `kept`."""
    with database.with_name(f"{database.name}-wal").open("rb") as log:
        page_size, salts = _HEADER.unpack(log.read(_HEADER.size))
        pages = transactions = 0
        while len(head := log.read(_FRAME.size)) == _FRAME.size:
            database_size, frame_salts = _FRAME.unpack(head)
            if frame_salts != salts:
                break
            pages += 1
            transactions += database_size > 0
            log.seek(page_size, 1)
    return Written(pages, transactions)
