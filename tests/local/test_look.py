"""`trefoil status` and `trefoil show`: channels, books, and one subject as one service sees it."""

import pytest

from shared.catalog import CATALOG
from tests.local.driver import Shop, place, reading, register, trefoil


@pytest.fixture(scope="module")
def shop(new_folder) -> Shop:
    """An order that is fulfilled, one that waits for its money, a user and a reading."""
    shop = Shop(new_folder())
    shop.handle(place("a", 2933), register("ada"), reading("roof", 5))
    shop("pause", "payments")
    shop.handle(place("b", 100))
    return shop


# -- status


def test_status_tells_the_depth_of_every_channel(shop):
    channels = shop.status()["channels"]

    quiet = {"waiting": 0, "leased": 0, "dead": 0, "paused": False}
    expected = dict.fromkeys(CATALOG.services, quiet) | {"payments": {**quiet, "waiting": 1, "paused": True}}
    assert channels == expected


def test_status_tells_the_books(shop):
    status = shop.status()

    assert status["orders"] == {"placed": 2, "fulfilled": 1, "cancelled": 0, "open": 1}
    assert status["money"] == {
        "USD": {"placed": 3033, "captured": 2933, "fulfilled": 2933, "refunded": 0, "in_flight": 0}
    }
    counts = ("users", "readings", "mails", "alerts", "dead_letters", "waiting", "timers")
    assert [status[name] for name in counts] == [1, 1, 4, 0, 0, 1, 2]


def test_money_between_capture_and_shipment_is_in_flight(tmp_path):
    shop = Shop(tmp_path)
    shop("pause", "shipping")

    shop.handle(place("a", 500))

    assert shop.status()["orders"] == {"placed": 1, "fulfilled": 0, "cancelled": 0, "open": 1}
    assert shop.status()["money"]["USD"] == {
        "placed": 500,
        "captured": 500,
        "fulfilled": 0,
        "refunded": 0,
        "in_flight": 500,
    }


def test_a_message_that_is_being_handled_is_leased_and_still_waits_in_the_books(tmp_path):
    shop = Shop(tmp_path)
    shop.send(register("ada"))
    shop.change("insert into leases select number, 99999999999, 1, 1 from messages")

    status = shop.status()

    assert status["channels"]["users"] == {"waiting": 0, "leased": 1, "dead": 0, "paused": False}
    assert status["waiting"] == 1


def test_the_status_of_an_empty_folder_is_zero_everywhere(tmp_path):
    status = Shop(tmp_path).status()

    assert status["orders"] == {"placed": 0, "fulfilled": 0, "cancelled": 0, "open": 0}
    assert (status["money"], status["timers"], status["waiting"]) == ({}, 0, 0)


def test_a_person_reads_the_books_as_equations(shop):
    shown = shop("status")

    assert shown.code == 0
    assert "2 placed = 1 fulfilled + 0 cancelled + 1 open" in shown.out
    assert "29.33 USD = 29.33 USD fulfilled + 0.00 USD refunded + 0.00 USD in flight" in shown.out
    assert "payments (paused)" in shown.out
    assert "2 timers are set" in shown.out


def test_status_changes_nothing(shop):
    before = shop.query("select * from messages"), shop.query("select * from timers"), shop.commit_count()

    shop("status")

    assert before == (shop.query("select * from messages"), shop.query("select * from timers"), shop.commit_count())


# -- show


def test_show_tells_the_state_and_every_commit_that_led_to_it(shop):
    shown = shop.show("payments", "a")

    assert (shown["stream"], shown["version"]) == ("payments/a", 1)
    assert shown["state"] == {
        "status": "captured",
        "money": {"amount": 2933, "currency": "USD"},
        "date": "2026-01-01",
    }
    (commit,) = shown["commits"]
    assert commit["handled"] == [{"source": "/orders", "id": "orders/a:1:1", "type": "payments.capture-payment.v1"}]
    (message,) = commit["messages"]
    assert (message["id"], message["type"], message["due"]) == ("payments/a:1:0", "payments.payment-captured.v1", None)
    assert message["data"]["money"] == {"amount": 2933, "currency": "USD"}


def test_show_names_the_commits_from_the_oldest_to_the_newest(shop):
    shown = shop.show("orders", "a")

    assert [commit["version"] for commit in shown["commits"]] == list(range(1, shown["version"] + 1))
    assert shown["commits"][0]["handled"][0]["id"] == "orders.place-order.v1:a"
    assert shown["state"]["status"] == "fulfilled"


def test_show_tells_claims_and_timers(shop):
    claimed, answered = shop.show("notifications", "ada")["commits"]
    timers = [message for message in shop.show("orders", "a")["commits"][0]["messages"] if message["due"]]

    assert [claim["id"] for claim in claimed["claims"]] == ["users/ada:1:0"]
    assert [message["type"] for message in answered["messages"]] == ["notifications.mail-sent.v1"]
    assert [timer["type"] for timer in timers] == ["orders.payment-timed-out.v1"]


def test_a_read_model_is_shown_by_its_own_key(shop):
    day = shop.state("climate", "roof.2026-01-01")

    assert day == {"readings": 1, "total": 2000, "lowest": 2000, "highest": 2000}


def test_a_person_reads_state_and_commits(shop):
    shown = shop("show", "payments", "a")

    assert shown.code == 0
    assert "payments/a at version 1" in shown.out
    assert '"status": "captured"' in shown.out
    for word in ("version 1, ", "handled", "payments.capture-payment.v1", "emitted", '"amount":2933'):
        assert word in shown.out


def test_a_person_reads_claims_and_due_times(shop):
    assert "claimed" in shop("show", "notifications", "ada").out
    assert "due 20" in shop("show", "orders", "a").out


def test_state_is_the_same_before_and_after_a_snapshot(tmp_path):
    shop = Shop(tmp_path)
    shop("pause", "notifications")

    shop.handle(*(reading("roof", hour, 2000 + hour) for hour in range(24)))
    for hour in range(24):
        shop.handle(reading(f"wall-{hour}", hour))

    assert shop.state("climate", "roof.2026-01-01") == {
        "readings": 24,
        "total": 48_276,
        "lowest": 2000,
        "highest": 2023,
    }
    assert shop.state("sensors", "roof")["last_temperature"] == 2023


# -- what is not there


def test_a_subject_that_a_service_does_not_know_is_an_error_with_a_remedy(shop):
    shown = shop("show", "orders", "zebra")

    assert (shown.code, shown.out) == (1, "")
    assert shown.err == "error: 'orders' knows nothing of 'zebra'; `trefoil trace zebra` asks every service\n"


@pytest.mark.parametrize("subject", ["", "a/b", "a' or '1'='1", "%", "x" * 5_000, "[red]"])
def test_a_subject_that_is_none_is_an_error_too(shop, subject):
    shown = shop("show", "orders", subject)

    assert (shown.code, shown.out) == (1, "")
    assert shown.err.startswith("error: 'orders' knows nothing of '")


@pytest.mark.parametrize(
    "command", ["show zebra a", "pause zebra", "resume zebra", "replay zebra", "dead list --service zebra"]
)
def test_a_service_that_there_is_not_is_an_error_that_lists_them(shop, command):
    done = shop(*command.split())

    assert (done.code, done.out) == (2, "")
    assert done.err == f"error: there is no service 'zebra'; the services are {', '.join(CATALOG.services)}\n"


def test_looking_at_a_folder_without_a_database_finds_nothing(tmp_path):
    found = trefoil("show", "orders", "a", "--data", tmp_path / "new")

    assert found.code == 1
    assert "knows nothing" in found.err
