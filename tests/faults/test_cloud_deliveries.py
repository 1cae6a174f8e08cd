"""Channels hand over twice, late and in any order, and two instances of a function work at once."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.cloud import Handed
from tests.support.cloud_pump import Pump
from tests.support.cloud_shop import Shop, busy_day

ORDERS = 12

REPEATED = 8 * ORDERS
"""Deliveries that are repeated, at most: each sends again what it caused, which may be repeated as well."""

CROWD = 4
"""Messages that are seldom handed over without older ones."""


@pytest.fixture
def shop(cloud, tmp_path):
    return Shop(cloud, tmp_path, busy_day(1, ORDERS))


class Careless(Pump):
    """Hands messages over again later, out of order, and to two instances at once."""

    def __init__(self, shop: Shop) -> None:
        super().__init__(shop.line, shop.calm)
        self._chance = shop.chance
        self._second = shop.pump(shop.deployment())
        self._past: dict[str, list[Handed]] = {}
        self.repeated = 0

    def invoke(self, service: str, handed: Sequence[Handed]) -> set[str]:
        if self.repeated >= REPEATED:
            return super().invoke(service, handed)
        past = self._past.setdefault(service, [])
        some = self._chance.choice((0, 0, 1, 2)) if self._chance.random() < len(handed) / CROWD else 0
        again = self._chance.sample(past, min(len(past), some))
        twins = [message for message in handed if self._chance.random() < 0.2]
        first, second = list({message.id: message for message in (*handed, *again)}.values()), twins
        self._chance.shuffle(first)
        self._chance.shuffle(second)
        past += self._chance.sample(handed, min(len(handed), 2))
        self.repeated += len(again) + len(twins)
        with ThreadPoolExecutor(1) as other:
            beside = other.submit(self._second.invoke, service, second) if second else None
            staying = super().invoke(service, first)
            staying |= beside.result() if beside else set()
        return staying & {message.id for message in handed}


def test_what_is_handed_over_again_and_in_any_order_takes_effect_once(shop):
    pump = Careless(shop)
    shop.open()

    pump.drain(shop.chance)
    shop.close()

    assert pump.repeated > ORDERS
    assert pump.errors == []
    assert shop.wrong() == []
