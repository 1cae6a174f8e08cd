"""What is said to and by the shipping service; the subject is the order's id."""

from shared.kernel.message import Payload, command, event
from shared.messages.values import Text


@command("shipping.dispatch-shipment.v1")
class DispatchShipment(Payload, frozen=True):
    """Hand the order's parcel to a carrier."""


@event("shipping.shipment-dispatched.v1")
class ShipmentDispatched(Payload, frozen=True):
    """A carrier took the parcel."""

    carrier: Text
    tracking_number: Text


@event("shipping.shipment-failed.v1")
class ShipmentFailed(Payload, frozen=True):
    """No carrier will deliver the parcel, for good."""

    reason: Text
