"""The revenue read model: what was placed, captured and refunded, by business day (Young, "CQRS")."""

from collections.abc import Iterable

from shared.kernel.message import Emission, Message
from shared.kernel.service import Limits, Service
from shared.messages.orders import OrderPlaced
from shared.messages.payments import PaymentCaptured, PaymentRefunded
from shared.messages.revenue import AmountBooked
from shared.revenue.model import Figures, shard_of_day


def book_placed(_: Figures, message: Message[OrderPlaced]) -> Iterable[Emission]:
    """An order came in."""
    return [AmountBooked("placed", message.data.total)]


def book_captured(_: Figures, message: Message[PaymentCaptured]) -> Iterable[Emission]:
    """Money came in."""
    return [AmountBooked("captured", message.data.money)]


def book_refunded(_: Figures, message: Message[PaymentRefunded]) -> Iterable[Emission]:
    """Money went back."""
    return [AmountBooked("refunded", message.data.money)]


def by_day_and_shard(message: Message[OrderPlaced | PaymentCaptured | PaymentRefunded]) -> str:
    """The business date and the order's shard."""
    return shard_of_day(message.data.date, message.subject)


SERVICE = Service(
    name="revenue",
    state=Figures,
    handles={OrderPlaced: book_placed, PaymentCaptured: book_captured, PaymentRefunded: book_refunded},
    emits={AmountBooked: Figures.booked},
    key=by_day_and_shard,
    limits=Limits(handler_seconds=2, batch=100),
)
