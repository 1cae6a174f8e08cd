"""The least that one commit a message can cost on SQLite: four services, two tables, no leases, no timers.

After the prototype that the design was measured with; it stands for the physical floor, not for something to run.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from time import time
from typing import Any, Self

import msgspec
from msgspec import Raw, Struct

_SCHEMA = """
pragma journal_mode=wal; pragma synchronous=full; pragma cache_size=-65536;
begin;
create table queue (number integer primary key, service text, due real, tries integer default 0, body blob);
create index queue_by_service on queue (service, due);
create table commits (
    stream text, version integer, handled text, messages blob, time real, primary key (stream, version)) without rowid;
commit;
"""


class Message(Struct, omit_defaults=True):
    id: str
    source: str
    type: str
    subject: str
    data: Raw
    correlationid: str = ""
    causationid: str = ""
    hops: int = 0
    sequence: int = 0
    specversion: str = "1.0"


class Order(Struct):
    """PlaceOrder, OrderPlaced."""

    order: str
    total: int
    customer: str


class Amount(Struct):
    """CapturePayment, PaymentCaptured, OrderPaid."""

    order: str
    amount: int


class Name(Struct):
    """DispatchShipment, OrderFulfilled."""

    order: str


class ShipmentDispatched(Struct):
    order: str
    tracking: str


class MailSent(Struct):
    order: str
    kind: str


MESSAGES_AN_ORDER = 7
"""Deliveries that one order causes."""

PLACE, PLACED = "orders.place-order.v1", "orders.order-placed.v1"
CAPTURE, CAPTURED = "payments.capture-payment.v1", "payments.payment-captured.v1"
PAID, FULFILLED = "orders.order-paid.v1", "orders.order-fulfilled.v1"
DISPATCH, DISPATCHED = "shipping.dispatch-shipment.v1", "shipping.shipment-dispatched.v1"
MAILED = "notifications.mail-sent.v1"

Emissions = list[tuple[str, Any]]
Handler = tuple[type[Any], Callable[[list[bytes], Any], Emissions]]

HANDLERS: dict[str, dict[str, Handler]] = {
    "orders": {
        PLACE: (Order, lambda past, m: [] if past else [(PLACED, m), (CAPTURE, Amount(m.order, m.total))]),
        CAPTURED: (Amount, lambda _, m: [(PAID, m), (DISPATCH, Name(m.order))]),
        DISPATCHED: (ShipmentDispatched, lambda _, m: [(FULFILLED, Name(m.order))]),
    },
    "payments": {CAPTURE: (Amount, lambda past, m: [] if past else [(CAPTURED, m)])},
    "shipping": {
        DISPATCH: (Name, lambda past, m: [] if past else [(DISPATCHED, ShipmentDispatched(m.order, f"T{m.order}"))])
    },
    "notifications": {
        PLACED: (Order, lambda _, m: [(MAILED, MailSent(m.order, "placed"))]),
        FULFILLED: (Name, lambda _, m: [(MAILED, MailSent(m.order, "fulfilled"))]),
    },
}
_READERS = {
    (service, type_): msgspec.json.Decoder(shape).decode
    for service, handlers in HANDLERS.items()
    for type_, (shape, _) in handlers.items()
}
_SUBSCRIBERS: dict[str, list[str]] = defaultdict(list)
for _service, _type in _READERS:
    _SUBSCRIBERS[_type].append(_service)

_read = msgspec.json.Decoder(Message).decode
_encode = msgspec.json.Encoder().encode


class MinimalLoop:
    """Select, decode, read the stream, handle, insert, publish, delete; one transaction a batch."""

    def __init__(self, folder: Path, batch: int) -> None:
        self.handled = 0
        self._batch = batch
        self._connection = sqlite3.connect(folder / "minimal.db", isolation_level=None, cached_statements=256)
        self._connection.executescript(_SCHEMA)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def send(self, count: int) -> None:
        """Put so many orders into the channel."""
        self._connection.execute("begin immediate")
        self._publish(_order(number) for number in range(count))
        self._connection.execute("commit")

    def run(self) -> None:
        """Visit all services until nothing is left to do."""
        while sum([self._visit(service) for service in HANDLERS]):
            pass

    def _publish(self, messages: Iterable[tuple[str, bytes]]) -> None:
        rows = [(service, body) for type_, body in messages for service in _SUBSCRIBERS[type_]]
        self._connection.executemany("insert into queue (service, due, body) values (?, 0, ?)", rows)

    def _visit(self, service: str) -> int:
        query = "select number, body from queue where service = ? and due <= 1 order by due, number limit ?"
        rows = self._connection.execute(query, (service, self._batch)).fetchall()
        if not rows:
            return 0
        groups: dict[str, list[Message]] = defaultdict(list)
        for _, body in rows:
            message = _read(body)
            groups[f"{service}/{message.subject}"].append(message)
        self._connection.execute("begin immediate")
        sent: list[tuple[str, bytes]] = []
        commits = [self._commit(service, stream, messages, sent) for stream, messages in groups.items()]
        self._connection.executemany("insert into commits values (?, ?, ?, ?, ?)", commits)
        self._publish(sent)
        self._connection.executemany("delete from queue where number = ?", [(number,) for number, _ in rows])
        self._connection.execute("commit")
        self.handled += len(rows)
        return len(rows)

    def _commit(self, service: str, stream: str, messages: list[Message], sent: list[tuple[str, bytes]]) -> Any:
        query = "select version, handled, messages from commits where stream = ? order by version"
        past = self._connection.execute(query, (stream,)).fetchall()
        version = past[-1][0] + 1 if past else 1
        seen = {id_ for _, handled, _ in past for id_ in handled.split("\n")}
        told = [emitted for _, _, emitted in past if emitted]
        first = len(sent)
        fresh = [message for message in messages if message.id not in seen]
        for message in fresh:
            _, handler = HANDLERS[service][message.type]
            for type_, data in handler(told, _READERS[service, message.type](message.data)):
                emitted = _emitted(message, type_, data, stream, version, len(sent) - first)
                sent.append((type_, emitted))
                told.append(emitted)
        bodies = b"\n".join(body for _, body in sent[first:])
        return stream, version, "\n".join(message.id for message in fresh), bodies, time()


def _emitted(cause: Message, type_: str, data: Any, stream: str, version: int, index: int) -> bytes:  # noqa: PLR0913
    return _encode(
        Message(
            f"{stream}:{version}:{index}",
            f"/{stream.partition('/')[0]}",
            type_,
            cause.subject,
            data,
            cause.correlationid or cause.id,
            cause.id,
            cause.hops + 1,
            version,
        )
    )


def _order(number: int) -> tuple[str, bytes]:
    order = f"o{number}"
    placed = Raw(_encode(Order(order, 1000 + number, f"c{number}")))
    return PLACE, _encode(Message(order, "/cli", PLACE, order, placed))
