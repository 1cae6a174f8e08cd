"""Fields that are marked secret reach the provider and the database, and no person's eyes."""

import json
from typing import Any

import pytest

from infra.local.wiring import local
from shared.kernel.ports import Outgoing
from tests.local.driver import Shop, cancel, cloud_event, lines, place, register

SECRET = "secret.example"  # noqa: S105 - what all addresses in these tests end in

SPOILED: dict[str, tuple[str, Any]] = {
    "a bad address": ("users.register-user.v1", {"name": "Eve", "email": "eve at secret.example"}),
    "a list of addresses": ("users.register-user.v1", {"name": "Eve", "email": ["eve@secret.example"]}),
    "an address in parts": ("users.register-user.v1", {"name": "Eve", "email": {"of": "eve@secret.example"}}),
    "a field by another name": ("users.register-user.v1", {"name": "Eve", "mail": "eve@secret.example"}),
    "an unknown field beside it": ("users.register-user.v1", {"name": 1, "e-mails": [{"at": "eve@secret.example"}]}),
    "data that are the address": ("users.register-user.v1", "eve@secret.example"),
    "data that are a list": ("users.register-user.v1", ["eve@secret.example"]),
    "a type that nobody knows": ("users.fly-user.v1", {"email": "eve@secret.example"}),
    "a version that nobody knows": ("users.register-user.v9", {"email": "eve@secret.example"}),
    "a type that is none": ("nonsense", {"email": "eve@secret.example"}),
    "an address where an amount should be": ("orders.place-order.v1", {"total": "eve@secret.example"}),
    "an address where a number should be": ("orders.place-order.v1", {"quantity": "eve@secret.example"}),
}


@pytest.fixture(scope="module")
def shop(new_folder) -> Shop:
    """A shop in which something of everything happened to people whose addresses are secret."""
    shop = Shop(new_folder() / "data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TREFOIL_CARRIER_FAILURE_RATE", "1")
        shop.handle(register("ada"), place("a"))
    shop.handle(
        place("a", 7, id="again"),
        register("ada", id="other", data={"name": "Eve", "email": "eve@secret.example"}),
        register("bob", hops=17),
    )
    shop.send(cancel("b"))
    shop.change("update messages set attempts = 4")
    shop.work()
    poison(shop, *(json.dumps(cloud_event(type_, "eve", data)).encode() for type_, data in SPOILED.values()))
    shop("pause", "orders")
    shop.handle(place("c"), place("d", 0))
    return shop


def poison(shop: Shop, *bodies: bytes) -> None:
    """Put bytes into the users' channel, past every check, and let them fail for good."""
    with local(shop.folder) as opened:
        opened.broker.publish([Outgoing("", "users.register-user.v1", "", body, "users") for body in bodies])
    shop.change("update messages set attempts = 4")
    shop.work()


def streams(shop: Shop) -> list[tuple[str, str]]:
    return [tuple(stream.split("/")) for (stream,) in shop.query("select distinct stream from commits")]


def test_the_addresses_are_there_to_be_found(shop):
    stored = b"".join(bytes(body) for (body,) in shop.query("select body from commits union all select body from dead"))
    mails = "".join(path.read_text() for path in (shop.folder / "mails").iterdir())

    assert stored.count(SECRET.encode()) > 10
    assert "To: ada@secret.example" in mails
    assert len(shop.letters()) == 4 + len(SPOILED)


@pytest.mark.parametrize("json_too", [[], ["--json"]], ids=["text", "json"])
def test_no_stream_shows_an_address(shop, json_too):
    shown = {stream: shop("show", *stream, *json_too) for stream in streams(shop)}

    assert {each.code for each in shown.values()} == {0}
    assert [stream for stream, each in shown.items() if SECRET in each.both] == []
    assert "***" in shown["users", "ada"].out
    assert "***" in shown["orders", "a"].out


@pytest.mark.parametrize("json_too", [[], ["--json"]], ids=["text", "json"])
@pytest.mark.parametrize("subject", ["a", "ada", "d"])
def test_no_trace_shows_an_address(shop, subject, json_too):
    shown = shop("trace", subject, *json_too)

    assert SECRET not in shown.both


@pytest.mark.parametrize("json_too", [[], ["--json"]], ids=["text", "json"])
def test_no_dead_letter_shows_an_address(shop, json_too):
    shown = {letter["id"]: shop("dead", "show", letter["id"], *json_too) for letter in shop.letters()}

    assert {each.code for each in shown.values()} == {0}
    assert [id_ for id_, each in shown.items() if SECRET in each.both] == []


@pytest.mark.parametrize("name", SPOILED)
def test_no_dead_letter_shows_an_address_where_none_should_be(tmp_path, name):
    shop = Shop(tmp_path)
    type_, data = SPOILED[name]
    poison(shop, json.dumps(cloud_event(type_, "eve", data)).encode())

    shown = [shop("dead", "show", "users/1"), shop("dead", "show", "users/1", "--json"), shop("dead", "list", "--json")]

    assert [each.code for each in shown] == [0, 0, 0]
    assert SECRET not in "".join(each.both for each in shown)


@pytest.mark.parametrize(
    "command", ["status", "status --json", "dead list", "dead list --json", "audit", "audit --json"]
)
def test_no_list_shows_an_address(shop, command):
    assert SECRET not in shop(*command.split()).both


def test_no_log_shows_an_address(tmp_path):
    shop = Shop(tmp_path)
    shop.send(register("ada"), place("a"), place("a", 7, id="again"), register("bob", hops=17))

    logged = shop("work", "--until-idle", "--log", "INFO")

    assert "RuleViolation" in logged.err
    assert SECRET not in logged.both


def test_no_refusal_shows_an_address(tmp_path):
    spoiled = [cloud_event(type_, "eve", data) for type_, data in SPOILED.values()]

    sent = Shop(tmp_path)("send", "-", stdin=lines(*spoiled))

    assert sent.out == f"0 sent, {len(spoiled)} refused\n"
    assert SECRET not in sent.both


def test_no_run_shows_or_logs_an_address(tmp_path):
    (tmp_path / "users").write_bytes(lines(register("ada"), register("bob", hops=17), {"type": "x"}))

    done = Shop(tmp_path)("run", "--users", tmp_path / "users", "--workers", "1")

    assert SECRET not in done.both
    assert SECRET not in (tmp_path / "log.jsonl").read_text()
