"""Settings: providers as the environment names them, and one sentence about what is wrong."""

import pytest

from tests.local.driver import Finished, Shop, lines, place, trefoil_process


def test_a_gateway_that_declines_everything_cancels_every_order_that_costs_something(shop, monkeypatch):
    monkeypatch.setenv("TREFOIL_PAYMENT_DECLINE_RATE", "1")

    shop.handle(place("a"), place("b"), place("free", 0))

    status = shop.status()
    assert status["orders"] == {"placed": 3, "fulfilled": 1, "cancelled": 2, "open": 0}
    assert status["money"]["USD"]["captured"] == 0
    assert shop.state("order_status", "a") == {"status": "cancelled", "detail": "payment declined: card declined"}


def test_a_carrier_that_delivers_nothing_gives_all_the_money_back(shop, monkeypatch):
    monkeypatch.setenv("TREFOIL_CARRIER_UNDELIVERABLE_RATE", "1")

    shop.handle(place("a", 1000), place("b", 700), place("free", 0))

    money = shop.status()["money"]["USD"]
    assert shop.status()["orders"]["cancelled"] == 3
    assert money == {"placed": 1700, "captured": 1700, "fulfilled": 0, "refunded": 1700, "in_flight": 0}
    assert shop.state("orders", "a")["refund_reason"] == "shipment failed: address undeliverable"


def test_providers_that_fail_at_first_are_asked_again(shop, monkeypatch):
    monkeypatch.setenv("TREFOIL_PAYMENT_TRANSIENT_RATE", "1")
    monkeypatch.setenv("TREFOIL_CARRIER_TRANSIENT_RATE", "1")

    shop.handle(place("a"), place("b"))

    assert shop.status()["orders"]["fulfilled"] == 2


WRONG = ("2", "-0.1", "nan", "much", "")


def complaint(wrong: str) -> str:
    return f"error: TREFOIL_PAYMENT_DECLINE_RATE is '{wrong}'; set it to a share from 0 to 1, such as 0.03"


@pytest.mark.parametrize("wrong", WRONG)
def test_a_setting_that_is_wrong_is_named(shop, monkeypatch, wrong):
    monkeypatch.setenv("TREFOIL_PAYMENT_DECLINE_RATE", wrong)

    assert shop("work", "--until-idle") == Finished(2, "", complaint(wrong) + "\n")


@pytest.mark.parametrize("command", ["run --orders orders", "work --until-idle --workers 2"])
def test_a_setting_that_is_wrong_is_named_once_however_many_workers_there_are(tmp_path, monkeypatch, command):
    (tmp_path / "orders").write_bytes(lines(place("a")))
    monkeypatch.setenv("TREFOIL_PAYMENT_DECLINE_RATE", "much")

    done = trefoil_process(*command.replace(" orders", f" {tmp_path / 'orders'}").split(), "--data", tmp_path)

    assert done.code == 2
    assert [line for line in done.err.splitlines() if "TREFOIL_" in line] == [complaint("much")]
    assert "Traceback" not in done.both


def test_rates_that_leave_no_share_are_named_by_their_settings(shop, monkeypatch):
    monkeypatch.setenv("TREFOIL_CARRIER_FAILURE_RATE", "0.6")
    monkeypatch.setenv("TREFOIL_CARRIER_UNDELIVERABLE_RATE", "0.6")

    done = shop("work", "--until-idle")

    assert done.code == 2
    assert "TREFOIL_CARRIER_FAILURE_RATE" in done.err


@pytest.mark.parametrize("url", ["http://localhost", "localhost:25", "smtp://", "smtp://localhost:x", "smtp://[::1"])
def test_a_mail_server_s_address_that_is_none_is_named(shop, monkeypatch, url):
    monkeypatch.setenv("TREFOIL_SMTP_URL", url)

    done = shop("work", "--until-idle")

    assert done.code == 2
    assert done.err.startswith("error: TREFOIL_SMTP_URL ")


def declined(shop: Shop) -> list[str]:
    """The orders whose payment was declined."""
    query = "select stream from commits where stream like 'payments/%' and cast(body as text) like '%payment-declined%'"
    return sorted(stream for (stream,) in shop.query(query))


def test_a_seed_decides_which_orders_fail(tmp_path, monkeypatch):
    monkeypatch.setenv("TREFOIL_PAYMENT_DECLINE_RATE", "0.5")
    outcomes = []

    for name, seed in (("one", "s"), ("two", "s"), ("three", "t")):
        monkeypatch.setenv("TREFOIL_SEED", seed)
        shop = Shop(tmp_path / name)
        shop.handle(*(place(f"o{number}") for number in range(20)))
        outcomes.append(declined(shop))

    assert 0 < len(outcomes[0]) < 20
    assert outcomes[0] == outcomes[1] != outcomes[2]


def test_a_sender_of_mails_that_is_none_is_named_by_its_setting(shop, monkeypatch):
    monkeypatch.setenv("TREFOIL_MAIL_FROM", "nobody")

    done = shop("work", "--until-idle")

    assert done.code == 2
    assert "TREFOIL_MAIL_FROM" in done.err
