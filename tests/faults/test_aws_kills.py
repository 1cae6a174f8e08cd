"""AWS: functions killed between any two steps, again and again; and a message that kills whoever handles it."""

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from infra.providers.simulated import SimulatedGateway
from shared.catalog import CATALOG
from shared.kernel.codec import decode
from tests.local.driver import trefoil
from tests.support.aws import at
from tests.support.aws_shop import Shop, busy_day, command_line
from tests.support.aws_victims import POINTS, die_of, work_until_killed
from tests.support.faults import CRASH, Crash
from tests.support.processes import run_until_killed
from tests.support.simulation_workload import OrderPlan, Schedule

ORDERS = 30
HIDDEN_FOR = 2
RECEIVES = 3


@pytest.fixture
def shop(request, ministack, tmp_path):
    with at(ministack):
        yield Shop(tmp_path, request.param)


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
        run_until_killed(work_until_killed, str(shop.place), *victims[number], number, HIDDEN_FOR)

    with ThreadPoolExecutor(2) as executioners:
        list(executioners.map(execute, range(len(victims))))
    shop.send(*sent[len(victims) * part :])
    shop.close()

    assert shop.wrong() == []
    assert {folder.name for folder in (shop.place / "deaths").iterdir()} >= set(POINTS)


@pytest.mark.parametrize("shop", [Schedule(orders=(OrderPlan(),))], indirect=True, ids=["one-order"])
def test_what_kills_every_function_ends_as_a_dead_letter_and_a_replay_completes_it(shop):
    shop.open()
    shop.pump(services=["orders"]).once("orders")
    limit_receives(shop, "payments", RECEIVES)
    for _ in range(RECEIVES):
        run_until_killed(die_of, str(shop.place), "payments", "o1")
    shop.pump().drain(shop.chance)

    with command_line(shop.place):
        listed = trefoil("dead", "list", "--cloud", "aws", "--json").json
        replayed = [trefoil("dead", "replay", "--all", "--cloud", "aws").code for _ in range(2)]
    open_orders = shop.wrong()
    shop.close()

    assert [(letter["reason"], letter["type"], letter["subject"]) for letter in listed] == [
        ("DeliveriesExhausted", "payments.capture-payment.v1", "o1")
    ]
    assert listed[0]["attempts"] == RECEIVES
    assert replayed == [0, 0]
    assert open_orders
    assert shop.wrong() == []
    assert sorted(shop.books.captured) == ["capture:o1"]


def limit_receives(shop, service, count):
    """Let the redrive policy act sooner."""
    queues, names = shop.calm.queues, shop.calm.names
    redrive = {"deadLetterTargetArn": queues.arn(names.dead(service)), "maxReceiveCount": count}
    url = queues.url(names.queue(service))
    shop.calm.clients.sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": json.dumps(redrive)})


@pytest.mark.parametrize("shop", [Schedule(orders=(OrderPlan(),) * 5)], indirect=True, ids=["five-orders"])
@pytest.mark.parametrize("killer", ["o1", "o3", "o5"])
def test_what_kills_every_function_takes_none_of_its_batch_along(shop, killer, monkeypatch):
    monkeypatch.setattr("infra.aws.wiring.JITTER", shop.chance)
    shop.open()
    shop.pump(services=["orders"]).drain(shop.chance)
    limit_receives(shop, "payments", CATALOG.service("payments").limits.deliveries)
    pump = shop.pump(shop.deployment(payments=Deadly(killer)), ["payments"])
    pump.seconds = 0

    while shop.calm.system.operations.depth("payments").dead == 0:
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
