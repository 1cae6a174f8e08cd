"""All services together, in memory: what the system as a whole says and does."""

from datetime import date
from typing import Any

import pytest

from infra.local.memory import MemoryStore
from shared.catalog import CATALOG
from shared.kernel.message import Payload
from shared.kernel.stream import Folder, View
from shared.kernel.timers import tick
from shared.messages.orders import CancelOrder, PlaceOrder
from shared.messages.values import Money
from shared.order_status.model import Standing
from shared.payments.model import Decline
from shared.revenue.model import Figures, shard_of_day
from shared.shipping.model import Refusal
from tests.support.kernel_fakes import (
    FakeClock,
    RecordingBroker,
    RecordingCarrier,
    RecordingGateway,
    RecordingMailer,
    World,
    body,
)

DAY, PRICE = date(2026, 11, 20), Money(2933, "USD")
ORDER = PlaceOrder("Ada", "ada@example.com", 2, PRICE, DAY)


class System:
    """Every service with its worker, around one store and one broker."""

    def __init__(self, gateway: RecordingGateway | None = None, carrier: RecordingCarrier | None = None) -> None:
        self.clock, self.store = FakeClock(), MemoryStore()
        self.broker = RecordingBroker(CATALOG, self.clock)
        self.gateway, self.carrier, self.mailer = (
            gateway or RecordingGateway(),
            carrier or RecordingCarrier(),
            RecordingMailer(),
        )
        providers = {"payments": self.gateway, "shipping": self.carrier, "notifications": self.mailer}
        self.worlds = {
            name: World(service, store=self.store, broker=self.broker, clock=self.clock, provider=providers.get(name))
            for name, service in CATALOG.services.items()
        }

    def send(self, payload: Payload, **attributes: Any) -> None:
        """Put a message where it belongs."""
        for name in CATALOG.subscribers(str(payload.message_type)):
            self.worlds[name].work(body(payload, subject="o1", **attributes))

    def settle_down(self) -> None:
        """Handle everything that is due, until nothing is."""
        for _ in range(20):
            for world in self.worlds.values():
                world.work()

    def pass_time(self, seconds: float) -> None:
        self.clock.time += seconds
        tick(self.broker, self.broker, self.clock)
        self.settle_down()

    def state(self, service: str, key: str = "o1") -> Any:
        return View.load(Folder(CATALOG.service(service)), self.store, f"{service}/{key}").state

    def figures(self) -> Figures:
        return self.state("revenue", shard_of_day(DAY, "o1"))

    def mails(self) -> list[str]:
        return sorted(key.partition(":")[0] for key in self.mailer.sent)


def settled(system: System, *payloads: Payload) -> System:
    """The system after these messages; nothing is left over."""
    for number, payload in enumerate(payloads):
        system.send(payload, id=f"m{number}")
        system.settle_down()
    for world in system.worlds.values():
        assert (world.waiting(), world.parked()) == ([], [])
    return system


def test_an_order_is_paid_shipped_announced_and_booked():
    system = settled(System(), ORDER)

    assert system.state("orders").status == "fulfilled"
    assert system.state("order_status") == Standing("fulfilled", "Snail 1Z")
    assert system.figures() == Figures(1, {"USD": 2933}, {"USD": 2933})
    assert system.mails() == ["order-fulfilled", "order-placed"]


def test_an_order_sent_twice_under_two_ids_is_charged_shipped_and_announced_once():
    system = settled(System(), ORDER, ORDER)

    assert len(system.gateway.calls) == len(system.carrier.calls) == 1
    assert system.mails() == ["order-fulfilled", "order-placed"]


def test_an_order_of_zero_value_is_shipped_and_nobody_is_charged():
    system = settled(System(), PlaceOrder("Ada", "ada@example.com", 2, Money(0, "USD"), DAY))

    assert system.state("orders").status == "fulfilled"
    assert system.gateway.calls == []


def test_a_declined_order_is_cancelled():
    system = settled(System(gateway=RecordingGateway(Decline("no funds"))), ORDER)

    assert system.state("order_status") == Standing("cancelled", "payment declined: no funds")
    assert system.carrier.calls == []
    assert system.mails() == ["order-cancelled", "order-placed"]


def test_an_order_that_cannot_be_shipped_is_refunded_and_cancelled():
    system = settled(System(carrier=RecordingCarrier(Refusal("no such street"))), ORDER)

    assert system.state("order_status") == Standing("cancelled", "shipment failed: no such street")
    assert [key for key, _, _ in system.gateway.calls] == ["capture:o1", "refund:o1"]
    assert system.figures().captured == system.figures().refunded == {"USD": 2933}


def test_a_paid_order_can_no_longer_be_cancelled():
    system = settled(System(), ORDER, CancelOrder("changed my mind"))

    assert system.state("orders").status == "fulfilled"


def test_the_timer_of_an_order_that_was_paid_does_no_harm():
    system = settled(System(), ORDER)

    system.pass_time(3600)

    assert system.state("orders").status == "fulfilled"
    assert system.broker.pending() == []


def test_a_payment_that_comes_after_the_order_timed_out_is_refunded():
    system = System()
    system.worlds["orders"].work(body(ORDER, subject="o1"))
    tick_only_orders(system)

    system.settle_down()

    assert system.state("order_status").status == "cancelled"
    assert [key for key, _, _ in system.gateway.calls] == ["capture:o1", "refund:o1"]
    assert system.carrier.calls == []


def tick_only_orders(system: System) -> None:
    """Half an hour passes in which nobody but the orders service is at work."""
    system.clock.time += 3600
    tick(system.broker, system.broker, system.clock)
    system.worlds["orders"].work()


@pytest.mark.parametrize("name", CATALOG.services)
def test_a_batch_can_be_handled_within_a_lease_of_five_minutes(name):
    limits = CATALOG.service(name).limits

    assert limits.batch * limits.handler_seconds <= 300


def test_every_service_knows_only_the_types_of_the_catalog():
    handled = {payload for service in CATALOG.services.values() for payload in service.handles}

    assert handled <= set(CATALOG.vocabulary.newest.values())


@pytest.mark.parametrize(
    ("type_", "subscribers"),
    [
        ("orders.place-order.v1", {"orders"}),
        ("orders.order-placed.v1", {"notifications", "order_status", "revenue"}),
        ("payments.payment-captured.v1", {"orders", "revenue"}),
        ("sensors.alert-raised.v1", {"notifications"}),
        ("sensors.reading-recorded.v1", {"climate"}),
        ("orders.refund-requested.v1", set()),
    ],
)
def test_each_type_reaches_those_who_need_it(type_, subscribers):
    assert set(CATALOG.subscribers(type_)) == subscribers
