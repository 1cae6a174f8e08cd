"""How far an order has come, as far as its events tell."""

from msgspec import Struct

from shared.messages.order_status import StatusNoted

RANKS = {"unknown": 0, "placed": 1, "paid": 2, "fulfilled": 3, "cancelled": 3}
"""Events may come in any order; the furthest one counts."""


class Standing(Struct, frozen=True):
    """What a customer sees when asking for an order."""

    status: str = "unknown"
    detail: str = ""

    def noted(self, event: StatusNoted) -> "Standing":
        return Standing(event.status, event.detail) if RANKS[event.status] > RANKS[self.status] else self
