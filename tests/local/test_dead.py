"""`trefoil dead`: what could not be handled is kept with its reason, until a person decides."""

import json
from typing import Any

import pytest

from infra.local.wiring import local
from shared.kernel.ports import Outgoing
from tests.local.driver import Shop, cancel, cloud_event, place, register

LAST_TRY = 4
"""Tries used, so that the next one is the last."""

POISON = {
    "MalformedMessage": b"\xff\x00 no text at all",
    "PayloadMismatch": json.dumps(cloud_event("users.register-user.v1", "eve", {"name": 7})).encode(),
    "UnknownType": json.dumps(cloud_event("users.fly-user.v1", "eve", {})).encode(),
    "TooLarge": json.dumps(register("eve", dataschema="x" * 200_000)).encode(),
    "HopLimitExceeded": json.dumps(register("eve", hops=17)).encode(),
    "Expired": json.dumps(register("eve", expirytime="2026-01-02T00:00:00Z")).encode(),
    "IdReused": json.dumps(register("ada", time="2026-01-05T00:00:00Z")).encode(),
    "RuleViolation": json.dumps(register("ada", id="another", data={"name": "Eve", "email": "eve@b"})).encode(),
}


def poison(shop: Shop, *bodies: bytes) -> None:
    """Put bytes into the users' channel, past every check."""
    with local(shop.folder) as opened:
        opened.broker.publish([Outgoing("", "users.register-user.v1", "", body, "users") for body in bodies])


def one_try_left(shop: Shop) -> None:
    """Use up all but the last try of what waits, and let it be due."""
    shop.change("update messages set attempts = ?, due = 0", LAST_TRY)


def give_up(shop: Shop, *messages: dict[str, Any]) -> None:
    """Send messages that fail for now, and spend all their tries."""
    shop.send(*messages)
    one_try_left(shop)
    shop.work()


# -- each reason


@pytest.mark.parametrize("reason", POISON)
def test_what_can_not_be_handled_is_kept_as_it_came_with_the_reason(shop, reason):
    shop.handle(register("ada"))
    poison(shop, POISON[reason])

    shop.work()

    (letter,) = shop.letters()
    assert (letter["reason"], letter["error"], letter["attempts"]) == (reason, reason, 1)
    assert shop.query("select body from dead") == [(POISON[reason],)]


def test_poison_takes_nothing_else_with_it(shop):
    shop.send(register("ada"), register("bob"))
    poison(shop, *POISON.values())
    shop.send(register("cy"))

    shop.work()

    assert shop.status()["users"] == 3
    assert sorted(shop.reasons()) == sorted(POISON)
    assert shop.missing() == []


def test_what_failed_on_every_try_is_kept_with_its_last_error(shop):
    give_up(shop, cancel("a"))

    (letter,) = shop.letters()
    assert (letter["reason"], letter["error"], letter["attempts"]) == ("TriesExhausted", "OutOfOrder", 5)
    assert letter["text"] == "order 'a' is not known yet"
    assert letter["handler"] == "cancel_order"


def test_what_no_worker_survived_is_kept_too(shop):
    shop.send(register("ada"))
    shop.change("update messages set attempts = 15")

    shop.work()

    assert shop.reasons() == ["DeliveriesExhausted"]


# -- list


@pytest.fixture(scope="module")
def with_letters(new_folder) -> Shop:
    """Dead letters of two services, for three reasons: users/1, users/2, orders/3, orders/4."""
    shop = Shop(new_folder())
    shop.handle(register("ada"), place("x", 1))
    for message in (register("ada", id="another", data={"name": "Eve", "email": "eve@b"}), register("bob", hops=17)):
        shop.handle(message)
    shop.handle(place("x", 2, id="again"))
    give_up(shop, cancel("a"))
    return shop


@pytest.fixture
def letters(with_letters, tmp_path) -> Shop:
    """Such letters to do with as one likes."""
    return with_letters.copy_to(tmp_path / "data")


def named(shop: Shop, *options: str) -> list[str]:
    return [letter["id"] for letter in shop("dead", "list", "--json", *options).json]


def test_the_list_is_by_service_and_from_the_oldest_to_the_newest(letters):
    assert named(letters) == ["orders/3", "orders/4", "users/1", "users/2"]


def test_a_letter_is_listed_with_all_that_is_known_of_it(letters):
    first, *_ = letters.letters()

    assert set(first) == {
        *("id", "type", "subject", "reason", "error", "text", "handler", "attempts", "first", "last"),
    }
    assert (first["type"], first["subject"], first["reason"]) == ("orders.place-order.v1", "x", "RuleViolation")
    assert first["first"] <= first["last"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--service", "users"], ["users/1", "users/2"]),
        (["--reason", "RuleViolation"], ["orders/3", "users/1"]),
        (["--service", "users", "--reason", "RuleViolation"], ["users/1"]),
        (["--service", "climate"], []),
        (["--reason", "Nonsense"], []),
    ],
    ids=" ".join,
)
def test_letters_are_chosen_by_service_and_reason(letters, options, expected):
    assert named(letters, *options) == expected


def test_a_person_reads_a_table(letters):
    shown = letters("dead", "list")

    assert shown.code == 0
    rows = {line.split("│")[1].strip(): line for line in shown.out.splitlines() if line.startswith("│")}
    assert set(rows) == {"orders/3", "orders/4", "users/1", "users/2"}
    assert "TriesExhausted" in rows["orders/4"]
    assert "order 'a' is not known yet" in rows["orders/4"]


def test_no_letters_are_said_to_be_none(shop):
    shown = shop("dead", "list")

    assert (shown.code, shown.out) == (0, "There are no dead letters.\n")
    assert shop.letters() == []


# -- show


def test_a_letter_is_shown_whole(letters):
    shown = letters("dead", "show", "orders/4", "--json").json

    assert (shown["id"], shown["reason"]) == ("orders/4", "TriesExhausted")
    assert (shown["message"]["id"], shown["message"]["source"]) == ("orders.cancel-order.v1:a", "/test")
    assert shown["message"]["data"] == {"reason": "changed my mind"}


def test_a_person_reads_a_letter(letters):
    shown = letters("dead", "show", "orders/4")

    assert shown.code == 0
    for words in ("id orders/4", "reason TriesExhausted", "order 'a' is not known yet", '"reason": "changed my mind"'):
        assert words in shown.out


@pytest.mark.parametrize("reason", POISON)
def test_every_kind_of_letter_can_be_looked_at(shop, reason):
    shop.handle(register("ada"))
    poison(shop, POISON[reason])
    shop.work()

    shown = [shop("dead", *command.split()) for command in ("list", "show users/1", "show users/1 --json")]

    assert [(each.code, each.err) for each in shown] == [(0, "")] * 3
    assert reason in shown[0].out
    assert reason in shown[1].out
    assert shown[2].json["reason"] == reason


def test_a_time_is_shown_as_a_person_reads_it(letters):
    shown = letters("dead", "show", "orders/4")

    (last,) = [line for line in shown.out.splitlines() if line.startswith("last ")]
    assert last.startswith("last 20")


# -- replay


def test_a_letter_that_is_replayed_after_the_fix_takes_effect_once_even_if_that_is_done_twice(shop):
    shop("pause", "payments")
    give_up(shop, cancel("a"))
    shop.handle(place("a"))

    replayed = [shop("dead", "replay", "--all") for _ in range(2)]
    shop.work()
    shop.handle(cancel("a"))

    assert [each.code for each in replayed] == [0, 0]
    assert replayed[0].out.startswith("1 sent again")
    assert replayed[1].out.startswith("0 sent again")
    assert (shop.letters(), shop.state("orders", "a")["status"]) == ([], "cancelled")
    assert len([name for name in shop.mails() if name.startswith("order-cancelled")]) == 1


def test_a_letter_that_is_replayed_has_all_its_tries(letters):
    letters("dead", "replay", "orders/4")

    assert letters.query("select service, attempts, addressed from messages") == [("orders", 0, 1)]


def test_a_letter_that_still_can_not_be_handled_comes_back(letters):
    letters("dead", "replay", "users/2")

    letters.work()

    assert letters.reasons().count("HopLimitExceeded") == 1


@pytest.mark.parametrize("command", ["replay", "drop"])
@pytest.mark.parametrize(
    ("chosen", "left"),
    [
        (["orders/3"], ["orders/4", "users/1", "users/2"]),
        (["users/2", "orders/4"], ["orders/3", "users/1"]),
        (["--service", "users"], ["orders/3", "orders/4"]),
        (["--reason", "RuleViolation"], ["orders/4", "users/2"]),
        (["--all", "--service", "users", "--reason", "RuleViolation"], ["orders/3", "orders/4", "users/2"]),
        (["--all"], []),
        (["--reason", "Nonsense"], ["orders/3", "orders/4", "users/1", "users/2"]),
    ],
    ids=" ".join,
)
def test_only_the_letters_that_are_chosen_go(letters, command, chosen, left):
    done = letters("dead", command, *chosen)

    assert done.code == 0
    assert done.out.startswith(f"{4 - len(left)} ")
    assert named(letters) == left


def test_a_letter_that_is_named_twice_goes_once(letters):
    done = letters("dead", "replay", "orders/4", "orders/4")

    assert done.out.startswith("1 sent again")


# -- drop


def test_a_letter_that_is_dropped_is_gone_for_good(letters):
    letters("dead", "drop", "--all")

    letters.work()

    assert (letters.letters(), letters.status()["waiting"]) == ([], 0)


# -- what is not there


@pytest.mark.parametrize("command", ["show", "replay", "drop"])
@pytest.mark.parametrize("id_", ["orders/99", "zebra/1", "orders/3/4", "", "3"])
def test_a_letter_that_there_is_not_is_an_error_and_nothing_is_done(letters, command, id_):
    others = [] if command == "show" else ["users/1"]

    done = letters("dead", command, *others, id_)

    assert (done.code, done.out) == (1, "")
    assert done.err == f"error: there is no dead letter {id_}; `trefoil dead list` names them\n"
    assert len(named(letters)) == 4


@pytest.mark.parametrize("command", ["replay", "drop"])
@pytest.mark.parametrize("chosen", [[], ["orders/3", "--all"], ["orders/3", "--service", "orders"]], ids=" ".join)
def test_a_choice_that_is_none_or_two_is_an_error_of_usage(letters, command, chosen):
    done = letters("dead", command, *chosen)

    assert (done.code, done.out) == (2, "")
    assert "--all" in done.err
    assert len(named(letters)) == 4
