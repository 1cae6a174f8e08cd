"""The shipping service: one shipment an order."""

from collections.abc import Iterable

from shared.kernel.message import Emission, Message
from shared.kernel.service import Limits, Service
from shared.messages.shipping import DispatchShipment, ShipmentDispatched, ShipmentFailed
from shared.messages.values import as_text
from shared.shipping.model import Carrier, Refusal, Shipment


def dispatch_shipment(shipment: Shipment, message: Message[DispatchShipment], carrier: Carrier) -> Iterable[Emission]:
    """Hand the parcel over, once an order."""
    if shipment.status != "none":
        return []
    answer = carrier.dispatch(f"dispatch:{message.subject}", message.subject)
    if isinstance(answer, Refusal):
        return [ShipmentFailed(as_text(answer.reason))]
    return [ShipmentDispatched(as_text(answer.carrier), as_text(answer.tracking_number))]


SERVICE = Service(
    name="shipping",
    state=Shipment,
    handles={DispatchShipment: dispatch_shipment},
    emits={ShipmentDispatched: Shipment.dispatched, ShipmentFailed: Shipment.failed},
    provider=Carrier,
    limits=Limits(handler_seconds=15),
)
