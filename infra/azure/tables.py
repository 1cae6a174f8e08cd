"""The store and the timers on Azure Tables: one insert a message, one query to load."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any
from urllib.parse import quote
from zlib import crc32

from azure.core.exceptions import DecodeError, HttpResponseError, ResourceExistsError

from infra.azure.clients import FAULTS, Clients
from shared.kernel.commit import Commit, decode_commit, encode_commit
from shared.kernel.errors import ConcurrencyConflict, StoreUnavailable
from shared.kernel.ports import Outgoing, Timer

PAGE = 64
"""Commits a query reads at once: enough to reach a snapshot, which about every 50th carries."""

PART = 16_000
"""Characters of a body that one property holds: 64 KiB are 32,768 units of UTF-16, and a character has two at most."""

SHARDS = 8
"""Tables write about 2,000 entities a second under one partition key; the tick reads this many."""

_NEWEST = 10**10 - 1
"""Keys sort ascending, and the newest commit is to come first."""

Run = Callable[[Callable[[Timer], None], Iterable[Timer]], None]


@contextmanager
def _asking(table: str) -> Iterator[None]:
    try:
        yield
    except FAULTS as error:
        raise StoreUnavailable(f"Tables, table '{table}': {error}") from error


@contextmanager
def _unless(code: str) -> Iterator[None]:
    """Pass over one of the service's error codes, as a call or a whole transaction is told it."""
    try:
        yield
    except HttpResponseError as error:
        if getattr(error, "error_code", None) != code:
            raise


@contextmanager
def _readable() -> Iterator[None]:
    """A transaction's answer that can't be read; the SDK looks for a method of its parts, which are none."""
    try:
        yield
    except AttributeError as error:
        raise DecodeError("an answer that can't be read", error=error) from error


class TableStore:
    """Commits in a table with the key (stream, inverted version); the key's absence is the insert's condition."""

    def __init__(self, clients: Clients, table: str) -> None:
        self._clients = clients
        self._table = table

    def append(self, commit: Commit) -> None:
        """See Store.

        After an error that came when all was done, the SDK asks again and meets its own entity: a conflict that the
        reload explains. When no answer comes at all it gives up, since inserts are not to be repeated for all it knows.
        """
        entity = {**_key(commit.stream, commit.version), **_parts(encode_commit(commit).decode())}
        with _asking(self._table):
            try:
                self._clients.table(self._table).create_entity(entity)
            except ResourceExistsError as error:
                raise ConcurrencyConflict(f"version {commit.version} of '{commit.stream}' is taken") from error

    def read(self, stream: str, before: int | None = None) -> Iterator[Commit]:
        """See Store."""
        below = "" if before is None else " and RowKey gt @row"
        keys = _key(stream, before or 0)
        with _asking(self._table):
            for entity in self._clients.table(self._table).query_entities(
                f"PartitionKey eq @partition{below}",
                parameters={"partition": keys["PartitionKey"], "row": keys["RowKey"]},
                results_per_page=PAGE,
            ):
                yield decode_commit(_body(entity).encode())

    def streams(self, service: str) -> Iterator[str]:
        """See Store. Reads the whole table, which costs as much as it holds: for audits, not for handlers."""
        first = _key("", 1)["RowKey"]
        with _asking(self._table):
            for entity in self._clients.table(self._table).query_entities(
                # ';' is the character after ':', so these bounds hold the service's streams and no others.
                "PartitionKey ge @least and PartitionKey lt @most and RowKey eq @first",
                parameters={"least": f"{service}:", "most": f"{service};", "first": first},
                select=["PartitionKey"],
            ):
                yield entity["PartitionKey"].replace(":", "/", 1)

    def flush(self) -> None:
        """See Store."""


class TableTimers:
    """Timers in a table of their own, spread over shards: a row that sorts by time, and one by which it is found."""

    def __init__(self, clients: Clients, table: str, run: Run) -> None:
        self._clients = clients
        self._table = table
        self._run = run

    def set(self, timers: Sequence[Timer]) -> None:
        """See Timers."""
        self._run(self._set, timers)

    def _set(self, timer: Timer) -> None:
        message = timer.message
        row = {
            **_timer_key(message.id, _when(timer)),
            "id": message.id,
            "due": timer.due,
            "type": message.type,
            "subject": message.subject,
            "to": message.to or "",
            **_parts(message.body.decode()),
        }
        known = {**_timer_key(message.id, _known(message.id)), "row": row["RowKey"]}
        with _asking(self._table), _unless("EntityAlreadyExists"), _readable():
            self._clients.table(self._table).submit_transaction([("create", known), ("create", row)])

    def due(self, now: float, limit: int) -> list[Timer]:
        """See Timers."""
        found = [timer for shard in range(SHARDS) for timer in self._due(str(shard), now, limit)]
        return sorted(found, key=lambda timer: timer.due)[:limit]

    def _due(self, shard: str, now: float, limit: int) -> Iterator[Timer]:
        with _asking(self._table):
            rows = self._clients.table(self._table).query_entities(
                "PartitionKey eq @shard and RowKey ge 'due-' and RowKey lt @end",
                parameters={"shard": shard, "end": _moment(now, 1)},
                results_per_page=limit,
            )
            # Stops before it would ask for a further page; the service may end one early.
            for timer in map(_timer, islice(rows, limit)):
                if timer.due <= now:
                    yield timer

    def remove(self, timers: Sequence[Timer]) -> None:
        """See Timers."""
        self._run(self._remove, timers)

    def _remove(self, timer: Timer) -> None:
        table, id_ = self._clients.table(self._table), timer.message.id
        known = _timer_key(id_, _known(id_))
        with _asking(self._table), _unless("ResourceNotFound"), _readable():
            row = table.get_entity(known["PartitionKey"], known["RowKey"])["row"]
            table.submit_transaction([("delete", known), ("delete", _timer_key(id_, row))])

    def all(self) -> Iterator[Timer]:
        """Every timer that is set, due or not; reads the whole table."""
        with _asking(self._table):
            rows = self._clients.table(self._table).query_entities("RowKey ge 'due-' and RowKey lt 'due.'")
            yield from map(_timer, rows)


def _key(stream: str, version: int) -> dict[str, str]:
    # Keys can't hold a slash; neither services nor keys hold a colon.
    return {"PartitionKey": stream.replace("/", ":", 1), "RowKey": f"{_NEWEST - version:010d}"}


def _parts(body: str) -> dict[str, str]:
    return {f"body{n:02}": body[start : start + PART] for n, start in enumerate(range(0, len(body), PART))}


def _body(entity: Mapping[str, Any]) -> str:
    return "".join(entity[name] for name in sorted(entity) if name.startswith("body"))


def _timer_key(id_: str, row: str) -> dict[str, str]:
    return {"PartitionKey": str(crc32(id_.encode()) % SHARDS), "RowKey": row}


def _known(id_: str) -> str:
    return f"id-{quote(id_, safe=':')}"


def _when(timer: Timer) -> str:
    return f"{_moment(timer.due)}-{quote(timer.message.id, safe=':')}"


def _moment(seconds: float, later: int = 0) -> str:
    """A time as it sorts: milliseconds since 1970."""
    return f"due-{max(0, int(seconds * 1000)) + later:016d}"


def _timer(entity: Mapping[str, Any]) -> Timer:
    to = entity["to"] or None
    message = Outgoing(entity["id"], entity["type"], entity["subject"], _body(entity).encode(), to)
    return Timer(float(entity["due"]), message)
