"""`trefoil audit`: what was committed and never arrived is named, and published once more on request."""

import pytest

from tests.local.driver import Shop, place, register

CAPTURE = {"service": "payments", "id": "orders/a:1:1", "type": "payments.capture-payment.v1"}
TIMER = {"service": "orders", "id": "orders/a:1:2", "type": "orders.payment-timed-out.v1"}


@pytest.fixture
def stopped(shop) -> Shop:
    """A shop whose order waits for its money."""
    shop("pause", "payments")
    shop.handle(place("a", 700))
    shop("resume", "payments")
    return shop


@pytest.fixture
def robbed(stopped) -> Shop:
    """The same, and the message on its way to the payments is gone."""
    assert stopped.change("delete from messages where service = 'payments'") == 1
    return stopped


def lose(shop: Shop, service: str) -> None:
    """A message that a service has not handled yet is gone."""
    assert shop.change("delete from messages where service = ?", service) == 1


def test_after_everything_is_handled_nothing_is_missing(shop):
    shop.handle(place("a"), register("ada"))

    done = shop("audit")

    assert (done.code, done.out, done.err) == (0, "Nothing is missing.\n", "")
    assert shop("audit", "--json").json == {"missing": [], "repaired": 0}


def test_in_an_empty_folder_nothing_is_missing(shop):
    assert shop("audit").code == 0


def test_what_waits_is_not_missing(stopped):
    assert stopped.missing() == []


def test_what_is_being_handled_is_not_missing(stopped):
    stopped.change("insert into leases select number, 99999999999, 1, 1 from messages")

    assert stopped.missing() == []


def test_what_is_dead_is_not_missing(stopped):
    stopped.change("update messages set attempts = 15")
    stopped.work()

    assert stopped.reasons() == ["DeliveriesExhausted"]
    assert stopped.missing() == []


def test_a_message_that_is_lost_is_named_with_the_service_that_lacks_it(robbed):
    found = robbed("audit", "--json")

    assert (found.code, found.err) == (1, "")
    assert found.json == {"missing": [CAPTURE], "repaired": 0}


def test_a_person_reads_what_is_lost_and_where(robbed):
    found = robbed("audit")

    assert (found.code, found.out) == (1, "1 missing, 0 published again\n")
    assert found.err == "payments.capture-payment.v1 orders/a:1:1 never arrived at payments\n"


def test_a_look_repairs_nothing(robbed):
    robbed("audit")

    assert robbed.missing() == [CAPTURE]


def test_a_repair_publishes_it_to_whom_it_never_arrived(robbed):
    repaired = robbed("audit", "--repair", "--json")

    assert (repaired.code, repaired.json) == (0, {"missing": [CAPTURE], "repaired": 1})
    assert robbed.query("select service, addressed from messages") == [("payments", 1)]
    assert robbed.missing() == []


def test_after_a_repair_the_flow_goes_on_and_everything_happens_once(robbed):
    robbed("audit", "--repair")
    robbed.work()

    money = robbed.status()["money"]["USD"]
    assert (money["captured"], money["fulfilled"]) == (700, 700)
    assert (robbed.missing(), robbed.letters(), len(robbed.mails())) == ([], [], 2)


def test_a_repair_that_is_done_twice_has_one_effect(robbed):
    robbed("audit", "--repair")
    waiting = robbed.query("select service, addressed, due, number, attempts, first, body from messages")
    robbed.work()
    for service, addressed, due, number, attempts, first, body in waiting:
        row = (service, due, number, attempts, addressed, first, body)
        robbed.change("insert into messages values (?, ?, ?, ?, ?, ?, ?, null)", *row)
    robbed.work()

    assert robbed.status()["money"]["USD"]["captured"] == 700
    assert len(robbed.mails()) == 2


def test_of_an_event_that_one_service_lost_only_that_service_is_named(shop):
    shop("pause", "revenue")
    shop.handle(place("a"))
    shop("resume", "revenue")
    shop.change("delete from messages where service = 'revenue'")

    missing = shop.missing()

    assert {(each["service"], each["type"]) for each in missing} == {
        ("revenue", "orders.order-placed.v1"),
        ("revenue", "payments.payment-captured.v1"),
    }


@pytest.mark.parametrize("service", ["payments", "shipping", "orders", "notifications", "revenue", "order_status"])
def test_a_message_lost_anywhere_in_the_flow_is_found_and_the_flow_completed(shop, service):
    if service == "orders":
        shop("pause", "payments")
        shop.handle(place("free", 0), place("a", 700))
        shop("resume", "payments")
        shop("pause", "orders")
    else:
        shop("pause", service)
        shop.send(place("a", 700))
    shop.work()
    count = shop.change("delete from messages where service = ?", service)
    shop("resume", service)

    found = shop("audit", "--repair", "--json").json
    shop.work()

    assert count > 0
    assert [each["service"] for each in found["missing"]] == [service] * count
    assert found["repaired"] == count
    assert (shop.missing(), shop.letters()) == ([], [])
    assert shop.state("orders", "a")["status"] == "fulfilled"
    assert shop.state("order_status", "a")["status"] == "fulfilled"
    assert shop.status()["money"]["USD"]["captured"] == 700
    assert not [name for name in shop.mails() if name.endswith(".2.eml")]


def test_a_timer_that_is_lost_is_named_and_set_again(stopped):
    stopped.change("delete from timers")

    found = stopped("audit", "--repair", "--json")

    assert found.json == {"missing": [TIMER], "repaired": 1}
    assert stopped.status()["timers"] == 1
    assert stopped.missing() == []


def test_a_timer_that_is_due_again_after_a_repair_is_handled_once(stopped):
    stopped.change("delete from timers")
    stopped("audit", "--repair")
    stopped.change("update timers set due = 0")
    stopped("pause", "payments")

    stopped.work()

    assert stopped.state("orders", "a")["status"] == "cancelled"
    assert stopped.missing() == []


def test_what_a_person_dropped_is_not_missing(stopped):
    stopped.change("update messages set attempts = 15")
    stopped.work()

    stopped("dead", "drop", "--all")

    assert stopped.missing() == []


def test_a_folder_is_read_while_somebody_works(stopped):
    stopped.change("insert into leases select number, 99999999999, 1, 1 from messages")

    assert stopped("audit", "--repair").code == 0
    assert len(stopped.query("select * from messages")) == 1
