"""What every PaymentGateway keeps to."""

import pytest

from infra.providers.resilience import Resilience, ResilientGateway
from infra.providers.simulated import Ledger, SimulatedGateway
from shared.kernel.errors import ProviderUnavailable
from shared.messages.values import Money
from shared.payments.model import Decline, Receipt

MONEY = Money(2933, "USD")


def resilient(**options) -> ResilientGateway:
    return ResilientGateway(SimulatedGateway(**options), Resilience("gateway", sleep=lambda _: None))


@pytest.fixture(params=[SimulatedGateway, resilient])
def make(request):
    return request.param


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


def test_a_capture_moves_the_money_once_however_often_it_is_asked(make, ledger):
    gateway = make(ledger=ledger)

    receipts = [gateway.capture("capture:7", "7", MONEY) for _ in range(3)]

    assert isinstance(receipts[0], Receipt)
    assert receipts[0] == receipts[1] == receipts[2]
    assert ledger.effects == {"capture:7": 1}
    assert ledger.calls == {"capture:7": 3}


def test_a_refund_moves_the_money_once_and_has_its_own_reference(make, ledger):
    gateway = make(ledger=ledger)

    captured = gateway.capture("capture:7", "7", MONEY)
    refunded = [gateway.refund("refund:7", "7", MONEY) for _ in range(2)]

    assert refunded[0] == refunded[1] != captured
    assert ledger.effects == {"capture:7": 1, "refund:7": 1}


def test_references_of_orders_differ(make):
    gateway = make()

    references = {gateway.capture(f"capture:{order}", str(order), MONEY).reference for order in range(1000)}

    assert len(references) == 1000


def test_a_declined_order_stays_declined_and_moves_nothing(make, ledger):
    gateway = make(decline_rate=1, ledger=ledger)

    answers = [gateway.capture("capture:7", "7", MONEY) for _ in range(2)]

    assert answers == [Decline("card declined"), Decline("card declined")]
    assert ledger.effects == {}


def test_a_gateway_that_is_down_moves_nothing_and_does_later(make, ledger, until_it_answers):
    gateway = make(transient_rate=1, transient_calls=3, ledger=ledger)

    with pytest.raises(ProviderUnavailable):
        gateway.capture("capture:7", "7", MONEY)
    moved_while_down = dict(ledger.effects)
    answer = until_it_answers(lambda: gateway.capture("capture:7", "7", MONEY))

    assert moved_while_down == {}
    assert isinstance(answer, Receipt)
    assert ledger.effects == {"capture:7": 1}
