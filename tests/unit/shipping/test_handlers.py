import msgspec
import pytest

from shared.kernel.errors import CircuitOpen, ProviderUnavailable
from shared.messages.shipping import DispatchShipment, ShipmentDispatched, ShipmentFailed
from shared.shipping.handlers import SERVICE, dispatch_shipment
from shared.shipping.model import Parcel, Refusal, Shipment
from tests.support.kernel_fakes import RecordingCarrier, folded, message

DISPATCH = message(DispatchShipment(), subject="o1")


def test_a_parcel_is_handed_over_under_a_key_that_names_the_effect():
    carrier = RecordingCarrier(Parcel("Snail", "1Z"))

    answer = dispatch_shipment(Shipment(), DISPATCH, carrier)

    assert answer == [ShipmentDispatched("Snail", "1Z")]
    assert carrier.calls == [("dispatch:o1", "o1")]


def test_a_parcel_that_is_refused_has_failed():
    answer = dispatch_shipment(Shipment(), DISPATCH, RecordingCarrier(Refusal("no such street")))

    assert answer == [ShipmentFailed("no such street")]


@pytest.mark.parametrize(
    "event", [ShipmentDispatched("Snail", "1Z"), ShipmentFailed("no")], ids=["dispatched", "failed"]
)
def test_a_parcel_that_was_answered_for_is_not_handed_over_again(event):
    carrier = RecordingCarrier()

    answer = dispatch_shipment(folded(SERVICE, event), DISPATCH, carrier)

    assert answer == []
    assert carrier.calls == []


@pytest.mark.parametrize("error", [ProviderUnavailable("down"), CircuitOpen("known to be down")])
def test_a_carrier_that_does_not_answer_is_asked_again_later(error):
    with pytest.raises(type(error)):
        dispatch_shipment(Shipment(), DISPATCH, RecordingCarrier(error))


@pytest.mark.parametrize("text", ["", "x" * 201], ids=len)
@pytest.mark.parametrize(
    "answer", [Refusal, lambda text: Parcel(text, "1Z"), lambda text: Parcel("Snail", text)], ids="abc"
)
def test_whatever_the_carrier_says_what_is_told_of_it_can_be_read(answer, text):
    (told,) = dispatch_shipment(Shipment(), DISPATCH, RecordingCarrier(answer(text)))

    assert msgspec.json.decode(msgspec.json.encode(told), type=type(told)) == told
