"""The books: where all orders and all money are, by folding every stream (docs/design.md, section 9)."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from shared.catalog import CATALOG
from shared.kernel.codec import read_own
from shared.kernel.ports import Store, System
from shared.kernel.stream import Folder, View
from shared.orders.model import Order
from shared.payments.model import Payment

_OPEN = ("placed", "paid", "refunding")


class Money(Struct):
    """Minor units of one currency."""

    placed: int = 0
    captured: int = 0
    refunded: int = 0
    fulfilled: int = 0

    @property
    def in_flight(self) -> int:
        """Captured, and neither shipped for nor given back yet."""
        return self.captured - self.refunded - self.fulfilled


class Ledger(Struct):
    """Totals of one moment."""

    orders: dict[str, int]
    money: dict[str, Money]
    users: int
    readings: int
    mails: int
    alerts: int
    dead_letters: int | None
    waiting: int | None
    refunded_order: str | None
    """One of them, for a person to look at; the order of streams makes it the same one each time."""

    def as_json(self) -> dict[str, Any]:
        """Counts and minor units as plain integers."""
        return {
            "orders": self.orders,
            "money": {
                currency: {
                    "placed": money.placed,
                    "captured": money.captured,
                    "fulfilled": money.fulfilled,
                    "refunded": money.refunded,
                    "in_flight": money.in_flight,
                }
                for currency, money in sorted(self.money.items())
            },
            "users": self.users,
            "readings": self.readings,
            "mails": self.mails,
            "alerts": self.alerts,
            "dead_letters": self.dead_letters,
            "waiting": self.waiting,
        }


def take_stock(system: System) -> Ledger:
    """Fold all streams of orders and payments, and count what the others emitted."""
    orders: Counter[str] = Counter()
    money: dict[str, Money] = {}
    refunded: list[str] = []
    for _, order in _states(system.store, "orders"):
        _book_order(order, orders, money)
    for key, payment in _states(system.store, "payments"):
        _book_payment(payment, money)
        refunded += [key] * (payment.status == "refunded")
    emitted = {name: _emitted(system.store, name) for name in ("notifications", "users", "sensors")}
    depths = [system.operations.depth(name) for name in CATALOG.services]
    ended = {"fulfilled": orders["fulfilled"], "cancelled": orders["cancelled"], "open": sum(orders[s] for s in _OPEN)}
    return Ledger(
        orders={"placed": sum(ended.values()), **ended},
        money=money,
        users=emitted["users"]["users.user-registered"],
        readings=emitted["sensors"]["sensors.reading-recorded"],
        mails=emitted["notifications"]["notifications.mail-sent"],
        alerts=emitted["sensors"]["sensors.alert-raised"],
        dead_letters=_sum(depth.dead for depth in depths),
        waiting=_sum(n for depth in depths for n in (depth.waiting, depth.leased)),
        refunded_order=min(refunded, default=None),
    )


def _states(store: Store, service: str) -> Iterator[tuple[str, Any]]:
    folder = Folder(CATALOG.service(service))
    for stream in list(store.streams(service)):
        yield stream.partition("/")[2], View.load(folder, store, stream).state


def _book_order(order: Order, orders: Counter[str], money: dict[str, Money]) -> None:
    if order.status == "unknown":
        return
    orders[order.status] += 1
    books = money.setdefault(order.total.currency, Money())
    books.placed += order.total.amount
    if order.status == "fulfilled":
        books.fulfilled += order.total.amount


def _book_payment(payment: Payment, money: dict[str, Money]) -> None:
    if payment.money is None:
        return
    books = money.setdefault(payment.money.currency, Money())
    books.captured += payment.money.amount
    if payment.status == "refunded":
        books.refunded += payment.money.amount


def _emitted(store: Store, service: str) -> Counter[str]:
    names: Counter[str] = Counter()
    for stream in list(store.streams(service)):
        for commit in store.read(stream):
            names.update(read_own(message.body).type.rpartition(".")[0] for message in commit.messages)
    return names


def _sum(numbers: Iterator[int | None]) -> int | None:
    known = list(numbers)
    return None if None in known else sum(n for n in known if n is not None)
