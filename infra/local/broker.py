"""The broker on SQLite: channels, timers and dead letters in tables of the same file as the store."""

from collections.abc import Iterator, Sequence
from sqlite3 import Connection
from typing import Any

import msgspec

from infra.local.database import Database
from infra.local.memory import CRASH_ALLOWANCE, deliveries_exhausted
from shared.kernel.catalog import Catalog
from shared.kernel.outcome import DeadLetter, Defer, Failure, Outcome, Retry
from shared.kernel.ports import Clock, Delivery, Outgoing, Parked, Timer

_INSERT = "insert into messages (service, due, addressed, first, body, attributes) values (?, ?, ?, ?, ?, ?)"
_LEASE = """
update messages set leased = ?, attempts = attempts + 1 where number in (
    select number from messages where service = ? and due <= ? and leased <= ? order by due, number limit ?)
returning number, attempts, addressed, body, attributes, leased"""
_REMOVE = "delete from messages where number = ? and leased = ?"
_RETURN = "update messages set due = ?, leased = 0, attempts = attempts - ? where number = ? and leased = ?"
_PARK = """
insert into dead (service, reason, error, text, handler, attempts, first, last, body, attributes)
select service, ?, ?, ?, ?, attempts, first, ?, body, attributes from messages where number = ? and leased = ?"""


class SqliteBroker:
    """Channels, timers and dead letters."""

    def __init__(self, database: Database, catalog: Catalog, clock: Clock) -> None:
        self._database = database
        self._catalog = catalog
        self._clock = clock

    def publish(self, messages: Sequence[Outgoing]) -> set[str]:
        """See Bus."""
        now = self._clock.now()
        rows = [
            (service, now, message.to is not None, now, message.body, None)
            for message in messages
            for service in ([message.to] if message.to else self._catalog.subscribers(message.type))
        ]
        with self._database.write() as connection:
            connection.executemany(_INSERT, rows)
        return set()

    def lease(self, service: str, limit: int, seconds: float) -> list[Delivery]:
        """See Channels. Commits what the unit of work holds: lease and everything before it are one transaction."""
        now = self._clock.now()
        with self._database.write() as connection:
            rows = connection.execute(_LEASE, (now + seconds, service, now, now, limit)).fetchall()
            kept = self._without_exhausted(connection, service, rows)
        self._database.flush()
        return [
            Delivery(body, attempts, bool(addressed), _attributes(attributes), (number, leased))
            for number, attempts, addressed, body, attributes, leased in sorted(kept)
        ]

    def _without_exhausted(self, connection: Connection, service: str, rows: list[Any]) -> list[Any]:
        limit = self._catalog.service(service).limits.tries + CRASH_ALLOWANCE
        for number, attempts, *_, leased in rows:
            if attempts > limit:
                self._park(connection, (number, leased), deliveries_exhausted(attempts - 1))
        return [row for row in rows if row[1] <= limit]

    def settle(self, service: str, settlements: Sequence[tuple[Delivery, Outcome]]) -> None:  # noqa: ARG002 - numbers are unique over all services
        """See Channels."""
        now = self._clock.now()
        done, back = [], []
        with self._database.write() as connection:
            for delivery, outcome in settlements:
                if isinstance(outcome, Retry | Defer):
                    back.append((now + outcome.after, isinstance(outcome, Defer), *delivery.receipt))
                elif isinstance(outcome, DeadLetter):
                    self._park(connection, delivery.receipt, outcome.failure)
                else:
                    done.append(delivery.receipt)
            connection.executemany(_REMOVE, done)
            connection.executemany(_RETURN, back)

    def _park(self, connection: Connection, receipt: tuple[int, float], failure: Failure) -> None:
        reasons = (failure.reason, failure.error, failure.text, failure.handler)
        connection.execute(_PARK, (*reasons, self._clock.now(), *receipt))
        connection.execute(_REMOVE, receipt)

    def set(self, timers: Sequence[Timer]) -> None:
        """See Timers."""
        rows = [(t.message.id, t.due, t.message.to, t.message.type, t.message.subject, t.message.body) for t in timers]
        with self._database.write() as connection:
            connection.executemany("insert or ignore into timers values (?, ?, ?, ?, ?, ?)", rows)

    def due(self, now: float, limit: int) -> list[Timer]:
        """See Timers."""
        query = "select due, id, type, subject, body, service from timers where due <= ? order by due limit ?"
        return [Timer(due, Outgoing(*message)) for due, *message in self._database.read(query, (now, limit))]

    def remove(self, timers: Sequence[Timer]) -> None:
        """See Timers."""
        with self._database.write() as connection:
            connection.executemany("delete from timers where id = ?", [(t.message.id,) for t in timers])

    def parked(self, service: str) -> Iterator[Parked]:
        """See DeadLetters."""
        query = """select number, reason, error, text, handler, attempts, first, last, body, attributes
            from dead where service = ? order by number"""
        for number, *failure, attempts, first, last, body, attributes in self._database.read(query, (service,)):
            yield Parked(
                str(number), service, Failure(*failure), attempts, first, last, body, _attributes(attributes)
            )

    def replay(self, letter: Parked) -> None:
        """See DeadLetters."""
        now = self._clock.now()
        attributes = msgspec.json.encode(letter.attributes).decode() if letter.attributes else None
        with self._database.write() as connection:
            if connection.execute("delete from dead where number = ?", (int(letter.id),)).rowcount:
                connection.execute(_INSERT, (letter.service, now, True, now, letter.body, attributes))

    def drop(self, letter: Parked) -> None:
        """See DeadLetters."""
        with self._database.write() as connection:
            connection.execute("delete from dead where number = ?", (int(letter.id),))


def _attributes(text: str | None) -> dict[str, str]:
    return msgspec.json.decode(text, type=dict[str, str]) if text else {}


