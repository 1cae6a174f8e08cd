"""What every Carrier keeps to."""

import pytest

from infra.providers.resilience import Resilience, ResilientCarrier
from infra.providers.simulated import Ledger, SimulatedCarrier
from shared.kernel.errors import ProviderUnavailable
from shared.shipping.model import Parcel, Refusal


def resilient(**options) -> ResilientCarrier:
    return ResilientCarrier(SimulatedCarrier(**options), Resilience("carrier", sleep=lambda _: None))


@pytest.fixture(params=[SimulatedCarrier, resilient])
def make(request):
    return request.param


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


def test_one_parcel_leaves_however_often_it_is_asked(make, ledger):
    carrier = make(ledger=ledger)

    parcels = [carrier.dispatch("dispatch:7", "7") for _ in range(3)]

    assert isinstance(parcels[0], Parcel)
    assert parcels[0] == parcels[1] == parcels[2]
    assert ledger.effects == {"dispatch:7": 1}


def test_parcels_have_tracking_numbers_of_their_own(make):
    carrier = make()

    numbers = {carrier.dispatch(f"dispatch:{order}", str(order)).tracking_number for order in range(1000)}

    assert len(numbers) == 1000
    assert all(len(number) == 18 and number.startswith("1Z") for number in numbers)


@pytest.mark.parametrize(
    ("rate", "reason"),
    [("failure_rate", "carrier failed to collect"), ("undeliverable_rate", "address undeliverable")],
)
def test_a_refused_parcel_stays_refused_and_does_not_leave(make, ledger, rate, reason):
    carrier = make(**{rate: 1}, ledger=ledger)

    answers = [carrier.dispatch("dispatch:7", "7") for _ in range(2)]

    assert answers == [Refusal(reason), Refusal(reason)]
    assert ledger.effects == {}


def test_a_carrier_that_is_down_takes_nothing_and_does_later(make, ledger, until_it_answers):
    carrier = make(transient_rate=1, transient_calls=3, ledger=ledger)

    with pytest.raises(ProviderUnavailable):
        carrier.dispatch("dispatch:7", "7")
    taken_while_down = dict(ledger.effects)
    answer = until_it_answers(lambda: carrier.dispatch("dispatch:7", "7"))

    assert taken_while_down == {}
    assert isinstance(answer, Parcel)
    assert ledger.effects == {"dispatch:7": 1}
