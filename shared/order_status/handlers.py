"""The order_status read model: one line an order (Young, "CQRS")."""

from collections.abc import Iterable

from shared.kernel.message import Emission, Message
from shared.kernel.service import Service
from shared.messages.order_status import StatusNoted
from shared.messages.orders import OrderCancelled, OrderFulfilled, OrderPaid, OrderPlaced
from shared.order_status.model import Standing


def note_placed(_: Standing, __: Message[OrderPlaced]) -> Iterable[Emission]:
    """The order was accepted."""
    return [StatusNoted("placed")]


def note_paid(_: Standing, __: Message[OrderPaid]) -> Iterable[Emission]:
    """The order is paid."""
    return [StatusNoted("paid")]


def note_fulfilled(_: Standing, message: Message[OrderFulfilled]) -> Iterable[Emission]:
    """The order is on its way, in this parcel."""
    return [StatusNoted("fulfilled", f"{message.data.carrier} {message.data.tracking_number}")]


def note_cancelled(_: Standing, message: Message[OrderCancelled]) -> Iterable[Emission]:
    """The order was cancelled, for this reason."""
    return [StatusNoted("cancelled", message.data.reason)]


SERVICE = Service(
    name="order_status",
    state=Standing,
    handles={
        OrderPlaced: note_placed,
        OrderPaid: note_paid,
        OrderFulfilled: note_fulfilled,
        OrderCancelled: note_cancelled,
    },
    emits={StatusNoted: Standing.noted},
)
