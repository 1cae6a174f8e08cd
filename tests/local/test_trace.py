"""`trefoil trace`: an order read back as one tree, from the message that started it."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.local.driver import Shop, place, reading, register, trefoil_process

REFUND = (
    "orders.place-order.v1",
    "payments.capture-payment.v1",
    "payments.payment-captured.v1",
    "shipping.dispatch-shipment.v1",
    "shipping.shipment-failed.v1",
    "payments.refund-payment.v1",
    "payments.payment-refunded.v1",
    "orders.order-cancelled.v1",
    "notifications.mail-sent.v1",
)


@pytest.fixture(scope="module")
def shop(new_folder) -> Shop:
    """A shop whose carrier delivers nothing, with one order."""
    shop = Shop(new_folder())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TREFOIL_CARRIER_UNDELIVERABLE_RATE", "1")
        shop.handle(place("a", 2933), register("ada"))
    return shop


def trace(shop: Shop, start: str) -> Any:
    found = shop("trace", start, "--json")
    assert found.code == 0, found.err
    return found.json


def walk(node: Any, *path: Any) -> Iterator[tuple[Any, ...]]:
    """Each node under its ancestors."""
    yield (*path, node)
    for fate in node["fates"]:
        for child in fate["caused"]:
            yield from walk(child, *path, node)


def paths(roots: Any) -> dict[tuple[str, ...], tuple[Any, ...]]:
    """The nodes from the root to each node, by their types."""
    return {tuple(node["type"] for node in path): path for root in roots for path in walk(root)}


def fates(shop: Shop, start: str, type_: str) -> dict[str, str]:
    """What became of the message of a type, by service."""
    (path,) = [path for types, path in paths(trace(shop, start)).items() if types[-1] == type_]
    return {fate["service"]: fate["outcome"] for fate in path[-1]["fates"]}


def test_an_order_whose_shipment_failed_shows_the_refund_and_the_cancellation_in_order_of_cause(shop):
    found = paths(trace(shop, "a"))

    assert REFUND in found
    assert [node["id"] for node in found[REFUND]][:3] == ["orders.place-order.v1:a", "orders/a:1:1", "payments/a:1:0"]


def test_what_is_caused_is_no_older_than_its_cause(shop):
    for path in paths(trace(shop, "a")).values():
        handled = [fate["time"] for node in path for fate in node["fates"] if fate["outcome"] == "handled"]
        emitted = [node["time"] for node in path[1:] if node["due"] is None]
        assert None not in handled
        assert emitted == sorted(emitted)


def test_every_service_that_had_a_message_is_named(shop):
    assert fates(shop, "a", "orders.order-placed.v1") == {
        "notifications": "handled",
        "order_status": "handled",
        "revenue": "handled",
    }


def test_private_messages_are_marked_and_had_by_nobody(shop):
    nodes = [path[-1] for path in paths(trace(shop, "a")).values()]

    private = {node["type"]: node["fates"] for node in nodes if node["private"]}
    assert private == {
        "orders.refund-requested.v1": [],
        "order_status.status-noted.v1": [],
        "revenue.amount-booked.v1": [],
    }


def test_a_timer_is_marked_with_the_time_when_it_is_due(shop):
    (path,) = [path for types, path in paths(trace(shop, "a")).items() if types[-1] == "orders.payment-timed-out.v1"]

    assert path[-1]["due"] == pytest.approx(path[-1]["time"])
    assert path[-1]["due"] > path[0]["fates"][0]["time"] + 1_700
    assert path[-1]["fates"] == [{"service": "orders", "outcome": "waiting", "time": None, "caused": []}]


@pytest.mark.parametrize("id_", ["orders/a:1:0", "payments/a:2:0", "shipping/a:1:0", "notifications/a:2:0"])
def test_the_id_of_any_message_of_a_flow_finds_the_whole_flow(shop, id_):
    found = trace(shop, id_)

    assert found == trace(shop, "a")
    assert id_ in {path[-1]["id"] for path in paths(found).values()}


def test_a_subject_of_two_flows_shows_two_trees(tmp_path):
    shop = Shop(tmp_path)
    shop.handle(reading("roof", 1), reading("roof", 2))

    assert [root["id"] for root in trace(shop, "roof")] == ["roof-1", "roof-2"]


def test_a_flow_is_found_by_the_key_of_a_read_model(tmp_path):
    shop = Shop(tmp_path)
    shop.handle(reading("roof", 1))

    assert trace(shop, "roof.2026-01-01") == trace(shop, "roof")


def test_what_waits_and_what_is_dead_is_told_apart(tmp_path):
    shop = Shop(tmp_path)
    shop("pause", "payments")
    shop.handle(place("a"))
    waiting = fates(shop, "a", "payments.capture-payment.v1")
    shop.change('update messages set body = replace(cast(body as text), \'"currency":"USD"\', \'"currency":"usd"\')')
    shop("resume", "payments")

    shop.work()

    assert waiting == {"payments": "waiting"}
    assert shop.reasons() == ["PayloadMismatch"]
    assert fates(shop, "a", "payments.capture-payment.v1") == {"payments": "dead-lettered"}


def test_what_is_nowhere_is_told_too(tmp_path):
    shop = Shop(tmp_path)
    shop("pause", "payments")
    shop.handle(place("a"))

    shop.change("delete from messages where service = 'payments'")

    assert fates(shop, "a", "payments.capture-payment.v1") == {"payments": "nowhere"}


def test_a_person_reads_a_tree_with_times(shop):
    shown = shop("trace", "a")

    root, *below = shown.out.splitlines()
    assert shown.code == 0
    assert re.fullmatch(r"orders\.place-order\.v1 orders\.place-order\.v1:a 20\d\d-\d\d-\d\d [\d:.]+\S+ *", root)
    assert re.search(r"handled by orders \d\d:\d\d:\d\d\.\d\d\d", below[0])
    depth = {word: next(line.index(word) for line in below if word in line) for word in REFUND[1:-1]}
    assert list(depth.values()) == sorted(set(depth.values()))
    assert "(private)" in shown.out
    assert re.search(r"timer, due \d\d:\d\d:\d\d", shown.out)


def test_ids_are_shown_as_they_are(tmp_path):
    shop = Shop(tmp_path)
    id_ = "[bold]:smile: :100:"

    shop.handle(register("ada", id=id_))

    assert id_ in shop("trace", "ada").out


# -- what is not there


@pytest.mark.parametrize(
    "start", ["zebra", "orders/a:9:0", "orders/a:1:99", "orders/zebra:1:0", "zebra/a:1:0", "", "a:1"]
)
def test_what_is_not_known_is_an_error_with_a_remedy(shop, start):
    found = shop("trace", start)

    assert (found.code, found.out) == (1, "")
    assert found.err == (
        f"error: nothing is known of '{start}': name a subject, or the id of a message that a service emitted\n"
    )


def test_a_message_from_outside_is_found_by_its_subject_only(shop):
    found = shop("trace", "orders.place-order.v1:a")

    assert found.code == 1
    assert found.err.startswith("error: nothing is known of 'orders.place-order.v1:a'")


@pytest.mark.parametrize("version", [0, 2**31, 2**63, 10**30, 10**5000], ids=["0", "2^31", "2^63", "10^30", "10^5000"])
def test_an_id_with_a_version_of_any_size_is_only_not_known(shop, version):
    digits = "1" + "0" * 5000 if version == 10**5000 else str(version)

    found = shop("trace", f"orders/a:{digits}:0")

    assert found.code == 1
    assert found.err.startswith("error: nothing is known of 'orders/a:")


# -- messages from outside that are called like one of ours


def test_a_message_from_outside_may_be_called_like_the_one_that_it_causes(tmp_path):
    Shop(tmp_path).handle(register("bob", id="users/bob:1:0"))

    found = trefoil_process("trace", "bob", "--json", "--data", tmp_path, patience=15)

    assert found.code == 0, found.err
    assert [(root["id"], root["subject"]) for root in found.json] == [("users/bob:1:0", "bob")]


@pytest.mark.parametrize("id_", ["users/bob:99999999999999999999:0", "users/ada:1:0", "users/bob:2:7"])
def test_a_message_from_outside_may_be_called_like_another_one_of_ours(tmp_path, id_):
    shop = Shop(tmp_path)
    shop.handle(register("ada"), register("bob", id=id_))

    (root,) = trace(shop, "bob")

    assert (root["id"], root["subject"]) == (id_, "bob")
    assert [child["id"] for child in root["fates"][0]["caused"]] == ["users/bob:1:0"]


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+12:00", "1969-12-31T23:59:59Z"])
def test_a_message_from_outside_may_be_of_any_age(tmp_path, time):
    shop = Shop(tmp_path)

    shop.handle(register("ada", time=time))

    assert shop("trace", "ada").code == 0
    assert shop("show", "users", "ada").code == 0
