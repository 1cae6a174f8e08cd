"""The broker on SQLite: channels, timers and dead letters in tables of the same file as the store."""

from collections.abc import Callable, Iterator, Sequence
from sqlite3 import Connection
from typing import Any

import msgspec

from infra.local.database import Database
from infra.local.memory import CRASH_ALLOWANCE, deliveries_exhausted
from shared.kernel.catalog import Catalog
from shared.kernel.outcome import DeadLetter, Defer, Failure, Outcome, Retry
from shared.kernel.ports import Clock, Delivery, Depth, Outgoing, Parked, Timer

_INSERT = "insert into messages (service, due, addressed, first, body, attributes) values (?, ?, ?, ?, ?, ?)"
_LEASE = """
update messages set leased = ?, owner = ?, attempts = attempts + 1 where number in (
    select number from messages where service = ? and due <= ? and leased <= ? order by due, number limit ?)
returning number, attempts, addressed, body, attributes, leased"""
_DELIVERABLE = """
select 1 from messages where service = ? and due <= ? and leased <= ?
and not exists (select 1 from paused where service = ?) limit 1"""
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
        self._pid = 0

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
        if not list(self._database.read(_DELIVERABLE, (service, now, now, service))):
            self._database.flush()
            return []
        with self._database.write() as connection:
            rows = connection.execute(_LEASE, (now + seconds, self._pid, service, now, now, limit)).fetchall()
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

    def depth(self, service: str) -> Depth:
        """See Operations."""
        now = self._clock.now()
        (waiting, leased), *_ = self._database.read(
            "select count(*), coalesce(sum(leased > ?), 0) from messages where service = ?", (now, service)
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

    def timers_set(self) -> int:
        """How many timers are set, due or not."""
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

    def retire(self, pid: int) -> None:
        """Free a process's leases and forget it."""
        with self._database.write() as connection:
            connection.execute("update messages set leased = 0 where owner = ?", (pid,))
            connection.execute("delete from workers where pid = ?", (pid,))


def _attributes(text: str | None) -> dict[str, str]:
    return msgspec.json.decode(text, type=dict[str, str]) if text else {}


