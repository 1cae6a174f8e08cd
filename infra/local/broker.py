"""The broker on SQLite: channels, timers and dead letters in tables of the same file as the store."""

from collections.abc import Callable, Iterator, Sequence
from sqlite3 import Connection
from typing import Any

import msgspec
from msgspec import Struct

from infra.local.database import Database
from shared.kernel.catalog import Catalog
from shared.kernel.outcome import DeadLetter, Defer, Failure, Outcome, Retry, deliveries_exhausted
from shared.kernel.ports import Clock, Delivery, Depth, Outgoing, Parked, Timer

_INSERT = "insert into messages values (?, ?, ?, 0, ?, ?, ?, ?)"
_NUMBERS = "update numbers set next = next + ? returning next"
_DELIVERABLE = """
select m.due, m.number, max(m.attempts, coalesce(l.attempts, 0)) + 1, m.addressed, m.body, m.attributes
from messages m left join leases l on l.number = m.number
where m.service = ? and m.due <= ? and coalesce(l.until, 0) <= ?
and not exists (select 1 from paused p where p.service = m.service)
order by m.due, m.number limit ?"""
_LEASE = "insert or replace into leases values (?, ?, ?, ?)"
_HELD = "select number, until from leases where number between ? and ?"
_FREE = "delete from leases where number = ?"
_REMOVE = "delete from messages where service = ? and due = ? and number = ?"
_RETURN = "update messages set due = ?, attempts = ? where service = ? and due = ? and number = ?"
_PARK = """
insert into dead (service, reason, error, text, handler, attempts, first, last, body, attributes)
select service, ?, ?, ?, ?, ?, first, ?, body, attributes from messages where service = ? and due = ? and number = ?"""


_SET = "insert into timers values (?, ?, ?, ?, ?, ?) on conflict (id) do nothing"


class Receipt(Struct, frozen=True, gc=False):
    """Where a leased message stands, and under which lease."""

    due: float
    number: int
    until: float


class SqliteBroker:
    """Channels, timers and dead letters."""

    def __init__(self, database: Database, catalog: Catalog, clock: Clock) -> None:
        self._database = database
        self._catalog = catalog
        self._clock = clock
        self._pid = 0

    def publish(self, messages: Sequence[Outgoing]) -> set[str]:
        """See Bus."""
        now = self._clock.now()
        copies = [
            (service, message.body, message.to is not None)
            for message in messages
            for service in ([message.to] if message.to else self._catalog.subscribers(message.type))
        ]
        with self._database.write() as connection:
            first = self._take_numbers(connection, len(copies))
            connection.executemany(
                _INSERT,
                [(service, now, first + i, to, now, body, None) for i, (service, body, to) in enumerate(copies)],
            )
        return set()

    def _take_numbers(self, connection: Connection, count: int) -> int:
        ((after,),) = connection.execute(_NUMBERS, (count,)).fetchall()
        return int(after) - count

    def lease(self, service: str, limit: int, seconds: float) -> list[Delivery]:
        """See Channels. Commits what the unit of work holds: lease and everything before it are one transaction.

        Where nothing is to be leased, the unit goes on.
        """
        now = self._clock.now()
        question = (service, now, now)
        if not list(self._database.read(_DELIVERABLE, (*question, 1))):
            return []
        with self._database.write() as connection:
            until = self._clock.now() + seconds  # the lock may have been long in coming
            rows = connection.execute(_DELIVERABLE, (*question, limit)).fetchall()
            rows = self._without_exhausted(connection, service, rows)
            connection.executemany(_LEASE, [(row[1], until, row[2], self._pid) for row in rows])
        self._database.flush()
        return [
            Delivery(body, attempts, bool(to), _attributes(attributes), Receipt(due, number, until))
            for due, number, attempts, to, body, attributes in rows
        ]

    def _without_exhausted(self, connection: Connection, service: str, rows: list[Any]) -> list[Any]:
        limit = self._catalog.service(service).limits.deliveries
        for due, number, attempts, *_ in rows:
            if attempts > limit:
                key = (service, due, number)
                self._park(connection, key, attempts - 1, deliveries_exhausted(attempts - 1))
                connection.execute(_REMOVE, key)
                connection.execute(_FREE, (number,))
        return [row for row in rows if row[2] <= limit]

    def settle(self, service: str, settlements: Sequence[tuple[Delivery, Outcome]]) -> None:
        """See Channels."""
        with self._database.write() as connection:
            owned = self._still_owned(connection, settlements)
            gone = []
            for delivery, outcome in owned:
                receipt: Receipt = delivery.receipt
                key = (service, receipt.due, receipt.number)
                if isinstance(outcome, Retry | Defer):
                    attempts = delivery.attempts - isinstance(outcome, Defer)
                    connection.execute(_RETURN, (self._clock.now() + outcome.after, attempts, *key))
                    continue
                if isinstance(outcome, DeadLetter):
                    self._park(connection, key, delivery.attempts, outcome.failure)
                gone.append(key)
            connection.executemany(_REMOVE, gone)
            connection.executemany(_FREE, [(delivery.receipt.number,) for delivery, _ in owned])

    def _still_owned(
        self, connection: Connection, settlements: Sequence[tuple[Delivery, Outcome]]
    ) -> list[tuple[Delivery, Outcome]]:
        numbers = [delivery.receipt.number for delivery, _ in settlements]
        held = set(connection.execute(_HELD, (min(numbers), max(numbers)))) if numbers else set()
        return [each for each in settlements if (each[0].receipt.number, each[0].receipt.until) in held]

    def _park(self, connection: Connection, key: tuple[str, float, int], attempts: int, failure: Failure) -> None:
        reasons = (failure.reason, failure.error, failure.text, failure.handler)
        connection.execute(_PARK, (*reasons, attempts, self._clock.now(), *key))

    def set(self, timers: Sequence[Timer]) -> None:
        """See Timers."""
        rows = [(t.message.id, t.due, t.message.to, t.message.type, t.message.subject, t.message.body) for t in timers]
        with self._database.write() as connection:
            connection.executemany(_SET, rows)

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
            yield Parked(str(number), service, Failure(*failure), attempts, first, last, body, _attributes(attributes))

    def replay(self, letter: Parked) -> None:
        """See DeadLetters."""
        now = self._clock.now()
        attributes = msgspec.json.encode(letter.attributes).decode() if letter.attributes else None
        with self._database.write() as connection:
            if connection.execute("delete from dead where number = ?", (int(letter.id),)).rowcount:
                number = self._take_numbers(connection, 1)
                connection.execute(_INSERT, (letter.service, now, number, True, now, letter.body, attributes))

    def drop(self, letter: Parked) -> None:
        """See DeadLetters."""
        with self._database.write() as connection:
            connection.execute("delete from dead where number = ?", (int(letter.id),))

    def depth(self, service: str) -> Depth:
        """See Operations."""
        now = self._clock.now()
        (waiting, leased), *_ = self._database.read(
            """select count(*), coalesce(sum(coalesce(l.until, 0) > ?), 0)
            from messages m left join leases l on l.number = m.number where service = ?""",
            (now, service),
        )
        (dead,), *_ = self._database.read("select count(*) from dead where service = ?", (service,))
        (paused,), *_ = self._database.read("select count(*) from paused where service = ?", (service,))
        return Depth(waiting - leased, leased, dead, bool(paused))

    def pause(self, service: str) -> None:
        """See Operations."""
        with self._database.write() as connection:
            connection.execute("insert or ignore into paused values (?)", (service,))

    def resume(self, service: str) -> None:
        """See Operations."""
        with self._database.write() as connection:
            connection.execute("delete from paused where service = ?", (service,))

    def waiting(self, service: str) -> Iterator[bytes]:
        """See Operations."""
        query = "select body from messages where service = ? union all select body from timers where service = ?"
        for (body,) in self._database.read(query, (service, service)):
            yield body

    def timers(self) -> int:
        """See Operations."""
        ((count,),) = self._database.read("select count(*) from timers")
        return int(count)

    def idle(self) -> bool:
        """Whether no channel holds anything, but for paused ones; timers that are not due don't count."""
        query = "select 1 from messages where service not in (select service from paused) limit 1"
        return not list(self._database.read(query))

    def enlist(self, pid: int) -> None:
        """Note that this process leases messages, so that they can be freed at once when it dies."""
        self._pid = pid
        with self._database.write() as connection:
            connection.execute("insert or ignore into workers values (?)", (pid,))

    def free_leases_of_the_dead(self, is_alive: Callable[[int], bool]) -> None:
        """Give back what processes that are gone had leased, instead of waiting for the leases to end."""
        for (pid,) in list(self._database.read("select pid from workers")):
            if not is_alive(pid):
                self.retire(pid)

    def give_back(self, pid: int) -> None:
        """Undo a process's leases, as if they had never been: no try is used."""
        with self._database.write() as connection:
            connection.execute("delete from leases where owner = ?", (pid,))

    def retire(self, pid: int) -> None:
        """End a process's leases and forget it; the tries that it used stay used."""
        with self._database.write() as connection:
            connection.execute("update leases set until = 0 where owner = ?", (pid,))
            connection.execute("delete from workers where pid = ?", (pid,))


def _attributes(text: str | None) -> dict[str, str]:
    return msgspec.json.decode(text, type=dict[str, str]) if text else {}
