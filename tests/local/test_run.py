"""`trefoil run`, the main job: on a few orders and readings, whose outcome is known to the cent."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from shared.catalog import CATALOG
from tests.local.driver import SAMPLES, Shop, cancel, lines, place, reading, register, trefoil

COUNT = 50
COUNTS = {"users", "readings", "mails", "alerts", "dead_letters", "waiting", "sent", "refused", "messages"}
RATES = {"seconds", "messages_per_second"}

FIRST_ORDERS, FIRST_READINGS = (SAMPLES / name for name in ("CDNOW_sample.txt", "sf-temps.csv"))


def first_lines(source: Path, count: int, target: Path) -> Path:
    target.write_text("".join(source.read_text().splitlines(keepends=True)[:count]))
    return target


@pytest.fixture(scope="module")
def files(new_folder) -> dict[str, Path]:
    """The first 50 purchases and readings of the sample, as `trefoil import` writes them."""
    folder = new_folder()
    purchases = first_lines(FIRST_ORDERS, COUNT, folder / "purchases.txt")
    temperatures = first_lines(FIRST_READINGS, COUNT + 1, folder / "temperatures.csv")
    made = {
        "orders": trefoil("import", "cdnow", purchases),
        "readings": trefoil("import", "temperatures", temperatures, "--sensor", "roof", "--unit", "F"),
    }
    for name, done in made.items():
        (folder / name).write_text(done.out)
    registrations = [line for line in made["orders"].out.splitlines(keepends=True) if "register-user" in line]
    (folder / "users").write_text("".join(registrations))
    return {name: folder / name for name in (*made, "users")}


@pytest.fixture(scope="module")
def cents() -> int:
    """What the first 50 purchases cost."""
    dollars = [line.split()[-1] for line in FIRST_ORDERS.read_text().splitlines()[:COUNT]]
    return sum(int(each.replace(".", "")) for each in dollars)


@pytest.fixture(scope="module")
def once(files, new_folder) -> tuple[Shop, Any]:
    """A shop after one run, and what the run said."""
    shop = Shop(new_folder())
    done = shop("run", "--orders", files["orders"], "--readings", files["readings"], "--json")
    assert done.code == 0, done.err
    return shop, done.json


# -- one run


def test_a_run_accounts_for_every_order_and_every_cent(once, cents):
    _, summary = once

    assert summary["orders"] == {"placed": 50, "fulfilled": 50, "cancelled": 0, "open": 0}
    assert summary["money"] == {
        "USD": {"placed": cents, "captured": cents, "fulfilled": cents, "refunded": 0, "in_flight": 0}
    }


def test_a_run_counts_what_else_happened(once):
    _, summary = once

    counts = {name: summary[name] for name in COUNTS - {"messages"}}
    assert counts == {
        "users": 13,
        "readings": 50,
        "mails": 2 * 50 + 13,
        "alerts": 0,
        "dead_letters": 0,
        "waiting": 0,
        "sent": 113,
        "refused": 0,
    }


def test_counts_and_money_are_plain_integers(once):
    _, summary = once

    money = [amount for amounts in summary["money"].values() for amount in amounts.values()]
    plain = [*summary["orders"].values(), *money, *(summary[name] for name in COUNTS)]
    assert {type(each) for each in plain} == {int}
    assert set(summary) == {"orders", "money"} | COUNTS | RATES


def test_the_summary_of_a_run_is_what_status_says(once):
    shop, summary = once

    status = shop.status()

    assert {name: status[name] for name in summary if name in status} == {
        name: value for name, value in summary.items() if name in status
    }
    assert {channel["waiting"] for channel in status["channels"].values()} == {0}


def test_every_mail_of_a_run_is_a_file(once):
    shop, summary = once

    assert len(shop.mails()) == summary["mails"]


def test_a_run_leaves_nothing_missing(once):
    shop, _ = once

    audit = shop("audit")

    assert (audit.code, audit.out, audit.err) == (0, "Nothing is missing.\n", "")


def test_a_run_logs_each_message_once_and_no_payload(once):
    shop, summary = once

    logged = [json.loads(line) for line in (shop.folder / "log.jsonl").read_text().splitlines()]

    assert len(logged) == summary["messages"]
    assert {line["outcome"] for line in logged} <= {"Done", "Ignored"}
    assert "@example.com" not in (shop.folder / "log.jsonl").read_text()


def test_the_read_models_of_a_run_agree_with_the_books(once, cents):
    shop, _ = once
    streams = [stream.partition("/")[2] for (stream,) in shop.query("select distinct stream from commits")]

    days = [
        shop.state("revenue", stream) for stream in sorted(streams) if re.fullmatch(r"\d{4}-\d\d-\d\d\.\d\d", stream)
    ]
    climate = [shop.state("climate", stream) for stream in sorted(streams) if stream.startswith("roof.")]

    assert sum(day["orders"] for day in days) == 50
    assert [sum(day[entry].get("USD", 0) for day in days) for entry in ("placed", "captured", "refunded")] == [
        cents,
        cents,
        0,
    ]
    assert sum(day["readings"] for day in climate) == 50


# -- again, and otherwise


def test_a_second_run_changes_nothing(once, files):
    shop, summary = once
    commits, mails = shop.commit_count(), shop.mails()

    again = shop("run", "--orders", files["orders"], "--readings", files["readings"], "--json").json

    changing = {"messages", *RATES}
    assert {k: v for k, v in again.items() if k not in changing} == {
        k: v for k, v in summary.items() if k not in changing
    }
    assert again["messages"] > 0
    assert (shop.commit_count(), shop.mails()) == (commits, mails)


@pytest.mark.parametrize("workers", [1, 3])
def test_any_number_of_workers_keeps_the_same_books(shop, files, once, workers):
    _, summary = once

    done = shop("run", "--orders", files["orders"], "--workers", str(workers), "--json")

    assert done.code == 0
    assert (done.json["orders"], done.json["money"]) == (summary["orders"], summary["money"])


def test_users_alone_are_registered_and_welcomed(shop, files):
    summary = shop("run", "--users", files["users"], "--json").json

    assert (summary["users"], summary["mails"], summary["readings"]) == (13, 13, 0)
    assert (summary["orders"]["placed"], summary["money"]) == (0, {})


def test_several_currencies_are_kept_apart(shop, tmp_path):
    euros = place("b", 700)
    euros["data"]["total"]["currency"] = "EUR"
    (tmp_path / "orders").write_bytes(lines(place("a", 1000), euros, place("c", 0)))

    money = shop("run", "--orders", tmp_path / "orders", "--json").json["money"]

    assert {currency: amounts["captured"] for currency, amounts in money.items()} == {"EUR": 700, "USD": 1000}
    assert {currency: amounts["fulfilled"] for currency, amounts in money.items()} == {"EUR": 700, "USD": 1000}


def test_what_waited_before_is_handled_too(shop, files):
    shop.send(register("ada"))

    assert shop("run", "--readings", files["readings"], "--json").json["users"] == 1


def test_a_line_that_is_refused_is_named_by_its_file_and_the_rest_is_done(shop, tmp_path):
    (tmp_path / "orders").write_bytes(b"bad\n" + lines(place("a")))

    done = shop("run", "--orders", tmp_path / "orders", "--json")

    assert done.code == 1
    assert f"{tmp_path / 'orders'}, line 1 refused: not a JSON object" in done.err
    assert (done.json["refused"], done.json["orders"]["fulfilled"]) == (1, 1)


def test_no_lines_at_all_are_a_run_of_nothing(shop, tmp_path):
    (tmp_path / "orders").touch()

    done = shop("run", "--orders", tmp_path / "orders", "--json")

    assert done.code == 0
    assert (done.json["sent"], done.json["messages"], done.json["orders"]["placed"]) == (0, 0, 0)


@pytest.mark.parametrize("option", ["--orders", "--readings", "--users"])
def test_a_file_that_does_not_exist_is_an_error_of_usage(shop, tmp_path, option):
    done = shop("run", option, tmp_path / "missing")

    assert (done.code, done.out) == (2, "")
    assert "does not exist" in done.err
    assert not shop.folder.exists()


# -- for a person


def test_a_person_is_told_the_summary_the_rate_and_what_to_type_next(shop, files, cents):
    done = shop("run", "--orders", files["orders"], "--readings", files["readings"], "--workers", "1")

    rows = dict(re.findall(r"│ ([a-z ]+?) +│ ([^│]+?) +│", done.out))
    assert done.code == 0
    assert (rows["orders placed"], rows["orders fulfilled"], rows["orders cancelled"]) == ("50", "50", "0")
    assert rows["money placed"] == rows["money captured"] == f"{cents / 100:,.2f} USD"
    assert (rows["users"], rows["readings"], rows["mails"], rows["dead letters"]) == ("13", "50", "113", "0")
    assert re.fullmatch(r"[\d,]+ in [\d.]+ s", rows["messages handled"])
    assert re.fullmatch(r"[\d,]+", rows["messages per second"])
    assert f"trefoil status --data {shop.folder}" in done.out


def test_the_progress_shows_what_is_done_and_how_fast(shop, files):
    done = shop("run", "--orders", files["orders"], "--readings", files["readings"])

    assert re.search(r"orders .*50/50 .*\d/s", done.err)
    assert re.search(r"readings .*50/50 .*\d/s", done.err)
    assert re.search(r"users .*13/13 .*\d/s", done.err)
    assert re.search(r"messages .*[1-9]\d\d/.* [\d,]+/s", done.err)


def test_every_command_that_is_suggested_works(shop, files, monkeypatch):
    monkeypatch.setenv("TREFOIL_CARRIER_FAILURE_RATE", "0.5")
    done = shop("run", "--orders", files["orders"], "--workers", "1")
    suggested = re.findall(r"^  trefoil (.+?)  ", done.out, re.MULTILINE)

    results = {command: trefoil(*command.split()) for command in suggested}

    assert [command.split()[0] for command in suggested] == ["status", "trace", "show", "audit"]
    assert {command: done.code for command, done in results.items()} == dict.fromkeys(suggested, 0)


def test_the_first_suggestion_after_a_dead_letter_is_to_look_at_it(shop, tmp_path):
    (tmp_path / "orders").write_bytes(lines(place("a", 1, id="one"), place("a", 2, id="two")))

    done = shop("run", "--orders", tmp_path / "orders")

    assert f"trefoil dead list --data {shop.folder}" in done.out


def test_alerts_are_counted_and_mailed(shop):
    shop.handle(reading("roof", 1, 2000), reading("roof", 2, 2200), reading("roof", 3, 1900), reading("roof", 4, 2200))

    assert (shop.status()["alerts"], shop.status()["mails"], shop.status()["readings"]) == (2, 2, 4)


def test_a_cancelled_order_that_was_never_paid_is_in_the_books(shop):
    shop("pause", "payments")
    shop.handle(place("a"), cancel("a"))

    assert shop.status()["orders"] == {"placed": 1, "fulfilled": 0, "cancelled": 1, "open": 0}
    assert shop.status()["money"]["USD"]["captured"] == 0


# -- the samples


def test_without_files_a_run_takes_the_samples(shop):
    for service in CATALOG.services:
        shop("pause", service)

    summary = shop("run", "--json").json

    waiting = {name: channel["waiting"] for name, channel in shop.status()["channels"].items() if channel["waiting"]}
    assert (summary["sent"], summary["refused"]) == (18_035, 0)
    assert waiting == {"orders": 6_919, "users": 2_357, "sensors": 8_759}
