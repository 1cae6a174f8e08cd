"""Functions killed between any two steps, again and again; and a message that kills whoever handles it."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from infra.providers.simulated import SimulatedGateway
from shared.catalog import CATALOG
from shared.kernel.codec import decode
from tests.local.driver import trefoil
from tests.support.cloud_shop import Shop, busy_day
from tests.support.cloud_victims import POINTS, TICKS, die_of, ring_until_killed, work_until_killed
from tests.support.faults import CRASH, Crash
from tests.support.simulation_workload import OrderPlan, Schedule

ORDERS = 30
HIDDEN_FOR = 2
DELIVERIES = 5
"""The fewest that Pub/Sub counts."""


@pytest.fixture
def shop(request, cloud, tmp_path):
    return Shop(cloud, tmp_path, request.param, seconds=HIDDEN_FOR)


def let_leases_end(seconds):
    time.sleep(seconds + 0.5)


@pytest.mark.parametrize("shop", [busy_day(3, ORDERS)], indirect=True, ids=["busy-day"])
def test_functions_killed_between_any_two_steps_lose_nothing_and_do_nothing_twice(shop):
    shop.seen.add(CRASH)
    victims = [(point, nth) for nth in (1, 2) for point in POINTS]
    shop.chance.shuffle(victims)
    sent = sorted(shop.sent, key=lambda each: decode(each.body).subject)
    part = len(sent) // len(victims)

    def execute(number):
        # Each finds new orders, so that none passes in vain.
        shop.send(*sent[number * part : (number + 1) * part])
        shop.kill(work_until_killed, *victims[number], HIDDEN_FOR)

    with ThreadPoolExecutor(2) as executioners:
        list(executioners.map(execute, range(len(victims))))
    shop.send(*sent[len(victims) * part :])
    let_leases_end(HIDDEN_FOR)
    shop.pump().drain(shop.chance)
    shop.note_timers()
    for point in TICKS:
        shop.kill(ring_until_killed, point)
    shop.close()

    assert shop.wrong() == []
    assert {folder.name for folder in (shop.place / "deaths").iterdir()} >= {*POINTS, *TICKS}


@pytest.mark.parametrize("shop", [Schedule(orders=(OrderPlan(),))], indirect=True, ids=["one-order"])
def test_what_kills_every_function_ends_as_a_dead_letter_and_a_replay_completes_it(shop):
    shop.open()
    shop.pump(services=["orders"]).once("orders")
    shop.calm.limit_deliveries("payments", DELIVERIES)
    for _ in range(DELIVERIES):
        shop.kill(die_of, "payments", "o1", 1)
    let_leases_end(1)
    shop.pump().drain(shop.chance)

    about = ("--service", "payments", "--cloud", shop.cloud.name)
    with shop.cloud.command_line(shop.place):
        listed = trefoil("dead", "list", *about, "--json").json
        replayed = [trefoil("dead", "replay", "--all", *about).code for _ in range(2)]
    open_orders = shop.wrong()
    shop.close()

    assert [(letter["reason"], letter["type"], letter["subject"]) for letter in listed] == [
        ("DeliveriesExhausted", "payments.capture-payment.v1", "o1")
    ]
    assert listed[0]["attempts"] == DELIVERIES
    assert replayed == [0, 0]
    assert open_orders
    assert shop.wrong() == []
    assert sorted(shop.books.captured) == ["capture:o1"]


@pytest.mark.parametrize("shop", [Schedule(orders=(OrderPlan(),) * 5)], indirect=True, ids=["five-orders"])
@pytest.mark.parametrize("killer", ["o1", "o3", "o5"])
def test_what_kills_every_function_takes_nothing_beside_it_along(shop, killer):
    shop.open()
    shop.pump(services=["orders"]).drain(shop.chance)
    shop.calm.limit_deliveries("payments", CATALOG.service("payments").limits.deliveries)
    pump = shop.pump(shop.deployment(payments=Deadly(killer)), ["payments"])
    pump.seconds = 0

    while not list(shop.calm.system.dead_letters.parked("payments")):
        with suppress(Crash):
            pump.once("payments")
    pump.drain(shop.chance)

    assert [decode(letter.body).subject for letter in shop.letters()] == [killer]
    assert len(list(shop.store.streams("payments"))) == 4


class Deadly(SimulatedGateway):
    """A gateway whose answer about one order kills whoever asks."""

    def __init__(self, killer: str) -> None:
        super().__init__()
        self._killer = killer

    def capture(self, key, order, money):
        if order == self._killer:
            raise Crash
        return super().capture(key, order, money)
