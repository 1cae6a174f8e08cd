"""Azure: batches that stay as a whole, locks that end too soon, a broker that is killed, answers in many pages."""

import time
from collections.abc import Sequence

import pytest

from shared.kernel.catalog import Catalog
from shared.kernel.errors import CircuitOpen, PublishFailed, StoreUnavailable
from shared.kernel.ports import Outgoing, Timer
from shared.messages.payments import CapturePayment
from shared.messages.users import RegisterUser
from shared.messages.values import Money
from tests.support.azure_weather import GARBLED, ONE_BY_ONE, QUERY, TO_QUEUE, TRANSACTION, UNREACHABLE, AzureWeather
from tests.support.cloud import Handed
from tests.support.cloud_pump import Pump
from tests.support.cloud_shop import Shop, busy_day, impatient, outside
from tests.support.kernel_fakes import body
from tests.support.simulation_workload import Schedule

CAPTURE = body(CapturePayment(Money(2_933, "USD"), "2026-11-20"), subject="o1")
REGISTER = body(RegisterUser("Ann", "ann@example.com"), subject="ann")
SETTLED_LATE = 1
"""Seconds that a lock holds."""


@pytest.fixture
def shop(azure, tmp_path):
    """Two services, which is enough for one message."""
    services = [impatient().service(name) for name in ("users", "payments")]
    with azure.weather.impatience():
        yield Shop(azure, tmp_path, Schedule(), Catalog(services), SETTLED_LATE)


def in_weather(shop, operation, *faults, most=1_000, **providers):
    """A deployment whose every call of an operation meets one of these faults."""
    stormy = shop.deployment(**providers)
    stormy.weather = AzureWeather(0, 1.0, most)
    stormy.weather.only(operation, *faults)
    stormy.weather.over(stormy)
    return stormy


def test_a_batch_stays_as_a_whole_when_a_dead_letter_could_not_be_sent(shop):
    shop.calm.put("users", b"not a message", REGISTER)
    pump = shop.pump(in_weather(shop, TO_QUEUE, UNREACHABLE), ["users"])

    pump.once("users")

    assert list(map(type, pump.errors)) == [PublishFailed]
    assert (shop.letters(), pump.waiting("users"), list(shop.store.streams("users"))) == ([], 2, ["users/ann"])
    shop.pump(services=["users"]).drain(shop.chance)
    assert [letter.failure.reason for letter in shop.letters()] == ["MalformedMessage"]
    assert [commit.version for commit in shop.store.read("users/ann")] == [1]


class Closed:
    """A gateway whose circuit is open for one call."""

    def __init__(self, gateway):
        self._gateway = gateway
        self._calls = 0

    def capture(self, *arguments):
        self._calls += 1
        if self._calls == 1:
            raise CircuitOpen("open", after=0.0)
        return self._gateway.capture(*arguments)


def test_a_deferral_that_nothing_takes_is_handed_over_again(shop):
    shop.calm.put("payments", CAPTURE)
    gateway = Closed(outside(shop.place)["payments"])
    pump = shop.pump(in_weather(shop, TO_QUEUE, UNREACHABLE, payments=gateway), ["payments"])

    pump.once("payments")

    assert list(map(type, pump.errors)) == [PublishFailed]
    assert (pump.waiting("payments"), list(shop.store.streams("payments"))) == (1, [])
    shop.pump(shop.deployment(payments=gateway), ["payments"]).drain(shop.chance)
    assert list(shop.store.streams("payments")) == ["payments/o1"]


class Late(Pump):
    """Settles when the lock has ended, once."""

    late = False

    def settle(self, service: str, handed: Sequence[Handed], staying: set[str]) -> None:
        if not self.late:
            self.late = True
            time.sleep(SETTLED_LATE + 0.5)
        super().settle(service, handed, staying)


def test_a_batch_that_outlives_its_locks_comes_again_and_takes_effect_once(shop):
    shop.calm.put("users", REGISTER)
    pump = Late(shop.line, shop.calm, ["users"])

    pump.once("users")

    assert (pump.late, pump.waiting("users")) == (True, 1)
    pump.drain(shop.chance)
    assert [commit.version for commit in shop.store.read("users/ann")] == [1]


def test_a_stream_that_comes_in_many_pages_is_read_whole(shop):
    for number in range(3):  # a batch is one commit
        shop.calm.put("users", body(RegisterUser("Ann", "ann@example.com"), subject="ann", id=str(number)))
        shop.pump(services=["users"]).drain(shop.chance)
    stormy = in_weather(shop, QUERY, ONE_BY_ONE)

    read = list(stormy.store.read("users/ann"))

    assert [commit.version for commit in read] == [3, 2, 1]
    assert read == list(shop.store.read("users/ann"))
    assert stormy.weather.struck[QUERY, ONE_BY_ONE] >= len(read)


def test_a_timer_whose_confirmation_is_garbled_is_set_once_and_so_is_its_removal(shop):
    timer = Timer(1.0, Outgoing("t1", "users.remind.v1", "ann", b"{}", "users"))
    stormy = in_weather(shop, TRANSACTION, GARBLED, most=2)

    with pytest.raises(StoreUnavailable, match="can't be read"):
        stormy.timers.set([timer])
    found = list(shop.calm.timers.all())
    with pytest.raises(StoreUnavailable, match="can't be read"):
        stormy.timers.remove([timer])
    left = list(shop.calm.timers.all())
    stormy.timers.remove([timer])

    assert (found, left) == ([timer], [])


def test_a_letter_whose_broker_is_killed_while_it_is_removed_stays_and_can_be_removed_then(shop, monkeypatch):
    broker, desk = shop.calm.broker, shop.calm.system.dead_letters
    shop.calm.put("users", b"not a message")
    shop.pump(services=["users"]).drain(shop.chance)
    (letter,) = shop.letters()
    lock = desk._lock

    def locking(*named):
        locked = lock(*named)
        broker.kill()
        broker.start()
        return locked

    with monkeypatch.context() as patch:
        patch.setattr(desk, "_lock", locking)
        desk.replay(letter)
    still = shop.letters()

    assert [each.id for each in still] == [letter.id]
    assert shop.line.waiting("users") == 1
    for each in still:
        desk.drop(each)
    assert shop.letters() == []


class PowerCuts(Pump):
    """Kills the broker every few calls: before a function is called, after it, or for a moment only between the two."""

    EVERY = 3
    MOST = 6

    def __init__(self, shop: Shop) -> None:
        super().__init__(shop.line, shop.calm)
        self._broker = shop.calm.broker
        self._chance = shop.chance
        self._calls = 0
        self._dark = False
        self.cuts = 0

    def once(self, service: str) -> int:
        if self._dark:
            self._broker.start()
            self._dark = False
        return super().once(service)

    def invoke(self, service: str, handed: Sequence[Handed]) -> set[str]:
        self._calls += 1
        kind = self.cuts % 3 if self._calls % self.EVERY == 0 and self.cuts < self.MOST else None
        if kind == 0:
            self._cut()
        staying = super().invoke(service, handed)
        if kind in (1, 2):
            self._cut()
        if kind == 2:
            self._broker.start()
            self._dark = False
        return staying

    def _cut(self) -> None:
        if not self._dark:
            self._broker.kill()
            self._dark = True
            self.cuts += 1


def test_a_broker_that_is_killed_again_and_again_loses_nothing_that_it_has_accepted(azure, tmp_path):
    with azure.weather.impatience():
        shop = Shop(azure, tmp_path, busy_day(5, 6))
        pump = PowerCuts(shop)
        shop.open()

        pump.drain(shop.chance)
        shop.close()

        assert shop.wrong() == []
    assert pump.cuts == PowerCuts.MOST
    assert {type(error) for error in pump.errors} == {PublishFailed}
