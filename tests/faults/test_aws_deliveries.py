"""AWS: standard queues hand over twice, late and in any order, and two instances of a function work at once."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.aws import at
from tests.support.aws_pump import Pump, Record
from tests.support.aws_shop import Shop, busy_day

ORDERS = 12


@pytest.fixture
def shop(ministack, tmp_path):
    with at(ministack):
        yield Shop(tmp_path, busy_day(1, ORDERS))


class Careless(Pump):
    """Hands records over again later, out of order, and to two instances at once."""

    def __init__(self, shop: Shop) -> None:
        first = shop.pump()
        super().__init__(shop.calm, first.functions)
        self._chance = shop.chance
        self._second = shop.pump(shop.deployment())
        self._past: dict[str, list[Record]] = {}
        self.repeated = 0

    def invoke(self, service: str, records: list[Record]) -> set[str]:
        past = self._past.setdefault(service, [])
        again = self._chance.sample(past, min(len(past), self._chance.choice((0, 0, 1, 2))))
        twins = [record for record in records if self._chance.random() < 0.3]
        first, second = list({r["messageId"]: r for r in (*records, *again)}.values()), twins
        self._chance.shuffle(first)
        self._chance.shuffle(second)
        past += self._chance.sample(records, min(len(records), 2))
        self.repeated += len(again) + len(twins)
        with ThreadPoolExecutor(1) as other:
            beside = other.submit(self._second.invoke, service, second) if second else None
            staying = super().invoke(service, first)
            staying |= beside.result() if beside else set()
        return staying & {record["messageId"] for record in records}


def test_what_is_handed_over_again_and_in_any_order_takes_effect_once(shop):
    pump = Careless(shop)
    shop.open()

    pump.drain(shop.chance)
    shop.close()

    assert pump.repeated > ORDERS
    assert pump.errors == []
    assert shop.wrong() == []
