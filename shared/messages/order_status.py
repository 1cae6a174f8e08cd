"""What the order_status read model notes; the subject is the order's id."""

from typing import Literal

from shared.kernel.message import Payload, event

Status = Literal["placed", "paid", "fulfilled", "cancelled"]


@event("order_status.status-noted.v1", private=True)
class StatusNoted(Payload, frozen=True):
    """An order was seen to have come this far."""

    status: Status
    detail: str = ""
