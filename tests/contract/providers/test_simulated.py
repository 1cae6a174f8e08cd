"""The simulated world is the same on every machine, and as bad as it is told to be."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from infra.providers.simulated import SimulatedCarrier, SimulatedGateway
from shared.kernel.errors import ConfigurationError, ProviderUnavailable
from shared.messages.values import Money
from shared.payments.model import Receipt
from shared.shipping.model import Refusal

MONEY = Money(2933, "USD")
ORDERS = [str(number) for number in range(10_000)]

ONE_HUNDRED_ANSWERS = """
from infra.providers.simulated import SimulatedCarrier, SimulatedGateway
from shared.messages.values import Money

gateway = SimulatedGateway(decline_rate=0.3)
carrier = SimulatedCarrier(failure_rate=0.2, undeliverable_rate=0.2)
for order in map(str, range(100)):
    key = f"k:{order}"
    print(gateway.capture(key, order, Money(1, "USD")), gateway.refund(key, order, Money(1, "USD")))
    print(carrier.dispatch(key, order))
"""


def is_down(call) -> bool:
    try:
        call()
    except ProviderUnavailable:
        return True
    return False


def test_two_processes_get_the_same_answers():
    root = Path(__file__).parents[3]
    command = [sys.executable, "-c", ONE_HUNDRED_ANSWERS]

    outputs = [subprocess.run(command, cwd=root, capture_output=True, check=True).stdout for _ in range(2)]

    assert outputs[0] == outputs[1]
    assert len(outputs[0].splitlines()) == 200
    assert {word in outputs[0] for word in (b"Receipt", b"Decline", b"Parcel", b"Refusal")} == {True}


def test_an_answer_does_not_change_with_what_was_asked_before_or_with_the_key():
    forwards = SimulatedGateway(decline_rate=0.5)
    backwards = SimulatedGateway(decline_rate=0.5)

    first = {order: forwards.capture(f"capture:{order}", order, MONEY) for order in ORDERS[:100]}
    second = {order: backwards.capture(f"again:{order}", order, MONEY) for order in reversed(ORDERS[:100])}

    assert first == second


def test_answers_of_today_are_those_of_tomorrow():
    gateway, carrier = SimulatedGateway(), SimulatedCarrier()

    receipt = gateway.capture("capture:7", "7", MONEY)
    parcel = carrier.dispatch("dispatch:7", "7")

    assert receipt.reference == "ch_78f4ca236bccfbe3b01c7882"
    assert parcel.tracking_number == "1ZED22CB2337AA518C"


def test_another_seed_is_another_world():
    one, other = SimulatedGateway(seed="one", decline_rate=0.5), SimulatedGateway(seed="other", decline_rate=0.5)

    answers = [(one.capture("", order, MONEY), other.capture("", order, MONEY)) for order in ORDERS[:100]]

    assert 30 < sum(type(a) is type(b) for a, b in answers) < 70


def test_declines_keep_to_their_rate():
    gateway = SimulatedGateway(decline_rate=0.03)

    captured = sum(isinstance(gateway.capture(order, order, MONEY), Receipt) for order in ORDERS)

    assert captured == 10_000 - 279


def test_refusals_keep_to_their_rates():
    carrier = SimulatedCarrier(failure_rate=0.05, undeliverable_rate=0.02)

    answers = [carrier.dispatch(order, order) for order in ORDERS]

    reasons = [answer.reason for answer in answers if isinstance(answer, Refusal)]
    assert reasons.count("carrier failed to collect") == 490
    assert reasons.count("address undeliverable") == 192


def test_outages_keep_to_their_rate_and_have_nothing_to_do_with_the_answers():
    gateway = SimulatedGateway(decline_rate=0.5, transient_rate=0.1)

    down = [order for order in ORDERS if is_down(lambda order=order: gateway.capture(order, order, MONEY))]
    declined = [order for order in down if not isinstance(gateway.capture(order, order, MONEY), Receipt)]

    assert len(down) == 1032
    assert len(declined) == 512


def test_an_outage_lasts_as_many_calls_as_it_is_told():
    carrier = SimulatedCarrier(transient_rate=1, transient_calls=3)

    calls = [is_down(lambda: carrier.dispatch("dispatch:7", "7")) for _ in range(5)]

    assert calls == [True, True, True, False, False]


def test_threads_share_an_outage():
    gateway = SimulatedGateway(transient_rate=1, transient_calls=100)

    with ThreadPoolExecutor(8) as pool:
        calls = list(pool.map(lambda _: is_down(lambda: gateway.capture("capture:7", "7", MONEY)), range(400)))

    assert calls.count(True) == 100


def test_outages_of_long_ago_are_forgotten_so_that_memory_is_bounded():
    carrier = SimulatedCarrier(transient_rate=1)

    for number in range(100_001):
        with suppress(ProviderUnavailable):
            carrier.dispatch(f"dispatch:{number}", "7")

    assert not is_down(lambda: carrier.dispatch("dispatch:1", "7"))
    assert is_down(lambda: carrier.dispatch("dispatch:0", "7"))


@pytest.mark.parametrize("rate", [-0.1, 1.1, float("nan")])
@pytest.mark.parametrize(
    ("provider", "name"),
    [
        (SimulatedGateway, "decline_rate"),
        (SimulatedGateway, "transient_rate"),
        (SimulatedCarrier, "failure_rate"),
        (SimulatedCarrier, "undeliverable_rate"),
        (SimulatedCarrier, "transient_rate"),
    ],
)
def test_a_rate_that_is_not_a_share_stops_the_start(provider, name, rate):
    with pytest.raises(ConfigurationError, match=f"{name} is {rate}; set it to a share from 0 to 1"):
        provider(**{name: rate})


def test_rates_that_leave_no_room_for_one_another_stop_the_start():
    with pytest.raises(ConfigurationError, match=r"failure_rate \+ undeliverable_rate is 1.5; lower"):
        SimulatedCarrier(failure_rate=0.9, undeliverable_rate=0.6)
