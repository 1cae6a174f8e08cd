"""A shipment, and the carrier that takes it."""

from typing import Literal, Protocol

from msgspec import Struct

from shared.messages.shipping import ShipmentDispatched, ShipmentFailed


class Parcel(Struct, frozen=True):
    """The carrier took the parcel."""

    carrier: str
    tracking_number: str


class Refusal(Struct, frozen=True):
    """The carrier will not deliver it, for good."""

    reason: str


class Carrier(Protocol):
    """Takes parcels. Idempotent by `key`: the same key sends one parcel, however often it is asked.

    Raises ProviderUnavailable when no parcel was taken for certain, CircuitOpen when the carrier was not asked.
    """

    def dispatch(self, key: str, order: str) -> Parcel | Refusal:
        """Hand over the parcel of `order`."""
        ...


class Shipment(Struct, frozen=True):
    """The one shipment of an order."""

    status: Literal["none", "dispatched", "failed"] = "none"

    def dispatched(self, _: ShipmentDispatched) -> "Shipment":
        return Shipment("dispatched")

    def failed(self, _: ShipmentFailed) -> "Shipment":
        return Shipment("failed")
