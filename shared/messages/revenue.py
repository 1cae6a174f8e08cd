"""What the revenue read model notes; the subject is the order's id, the stream a business day and shard."""

from typing import Literal

from shared.kernel.message import Payload, event
from shared.messages.values import Money

Entry = Literal["placed", "captured", "refunded"]


@event("revenue.amount-booked.v1", private=True)
class AmountBooked(Payload, frozen=True):
    """An amount was added to a day's figures."""

    entry: Entry
    money: Money
