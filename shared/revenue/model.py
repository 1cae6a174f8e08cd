"""A business day's figures, by currency, in one of several shards."""

from zlib import crc32

from msgspec import Struct, structs

from shared.messages.revenue import AmountBooked
from shared.messages.values import Date

SHARDS = 8
"""Streams a day: appends to one stream wait for one another."""


class Figures(Struct, frozen=True):
    """Amounts in minor units, by currency, and how many orders were placed."""

    orders: int = 0
    placed: dict[str, int] = {}
    captured: dict[str, int] = {}
    refunded: dict[str, int] = {}

    def booked(self, event: AmountBooked) -> "Figures":
        before: dict[str, int] = getattr(self, event.entry)
        currency = event.money.currency
        amounts = {**before, currency: before.get(currency, 0) + event.money.amount}
        orders = self.orders + (event.entry == "placed")
        return structs.replace(self, orders=orders, **{event.entry: amounts})


def shard_of_day(day: Date, order: str) -> str:
    """The stream key of an order's amounts: `1997-01-01.05`."""
    return f"{day.isoformat()}.{crc32(order.encode()) % SHARDS:02}"
