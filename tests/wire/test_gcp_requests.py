"""What Google sends, as files: each request goes through the function to what becomes of it.

Each file says where it is from: `emulator_*` are what Google's Pub/Sub emulator 0.8.20 pushed, recorded; the others
have the documented shape around a message of ours, or are what nobody should send.
"""

import json
from base64 import b64decode
from pathlib import Path

import pytest
from flask import Request
from google.pubsub_v1 import types as pubsub

from functions.gcp.main import Function
from infra.gcp.records import delivery
from infra.gcp.wiring import function
from tests.support.gcp_fakes import fake_google, shown

FILES = Path(__file__).parent / "gcp"
DEAD = "trefoil-dev-orders-dead"
TYPE = {"type": "orders.place-order.v1", "subject": "o1"}
PUBLISHED = 1614366835.749
RECORDED = 1795673605.831


def payload(name):
    return json.loads((FILES / f"{name}.json").read_text())


def body(request):
    return b64decode(request["base64"]) if "base64" in request else request["body"].encode()


@pytest.fixture
def fake():
    with fake_google() as fake:
        yield fake


@pytest.fixture
def handle(fake):
    """The function of the orders service."""
    its = Function("orders", function())

    def handle(request):
        headers = {name: value for name, value in request["headers"].items() if name != "Content-Length"}
        return its.handle(Request.from_values(method="POST", data=body(request), headers=headers))

    return handle


def only(name, service="orders"):
    request = payload(name)
    return delivery(body(request), {name.lower(): value for name, value in request["headers"].items()}, service)


def test_every_file_says_where_it_is_from():
    origins = {path.stem: json.loads(path.read_text())["from"] for path in FILES.glob("*.json")}

    kinds = {name: origin.partition(": ")[0] for name, origin in origins.items()}
    assert set(kinds.values()) == {"recorded", "documented", "ours"}
    assert all((kind == "recorded") == ("emulator" in name) for name, kind in kinds.items())


def test_every_request_is_tested():
    requests = {path.stem for path in FILES.glob("*.json")} - {"nonsense"}

    assert {name for name in requests if not name.startswith("dead_")} == {*WELL_FORMED, *DEAD_LETTERS}


WELL_FORMED = [
    "emulator_wrapped",
    "emulator_wrapped_binary_mode",
    "emulator_unwrapped",
    "emulator_unwrapped_metadata",
    "emulator_unwrapped_metadata_binary_mode",
    "wrapped_attempt_and_key",
    "wrapped_snake_case",
    "wrapped_unknown_fields",
    "wrapped_binary_mode",
    "wrapped_no_attributes",
    "wrapped_to_one",
    "wrapped_copy",
    "wrapped_copy_to_one",
    "wrapped_dead_letter_again",
    "wrapped_moved_by_policy_again",
    "unwrapped_documented",
    "unwrapped_bare_documented",
    "eventarc_binary",
    "eventarc_structured",
    "http_structured",
    "http_binary",
]

DEAD_LETTERS = {
    "wrapped_documented": b"Hello Cloud Pub/Sub! Here is my message!",
    "wrapped_attributes_only": b"",
    "wrapped_not_utf8": b"\xff\xfe\x00{",
    "not_utf8": b'\xff\xfe\x00{"message"',
    "emulator_wrapped_attributes_only": b"",
    "emulator_unwrapped_attributes_only": b"",
    "emulator_unwrapped_metadata_attributes_only": b"",
    "emulator_unwrapped_binary_mode_lost": (
        b'{"customer":"Ada","email":"ada@example.com","quantity":2,"total":{"amount":1250,"currency":"EUR"},'
        b'"date":"2025-06-20"}'
    ),
}


@pytest.mark.parametrize("name", WELL_FORMED)
def test_an_order_is_placed_whatever_way_it_came(fake, handle, name):
    answer = handle(payload(name))

    assert answer == 204
    assert fake.handled() == ["m1"]
    assert {each.attributes["subject"] for each in fake.sent()} == {"o1"}
    assert fake.sent(DEAD) == []


@pytest.mark.parametrize("name", DEAD_LETTERS)
def test_what_is_no_cloud_event_is_a_dead_letter_as_it_came(fake, handle, name):
    answer = handle(payload(name))

    (letter,) = fake.sent(DEAD)
    assert answer == 204
    assert letter.data == DEAD_LETTERS[name]
    assert letter.attributes["trefoil-reason"] == "MalformedMessage"


@pytest.mark.parametrize("request_", payload("nonsense")["requests"], ids=lambda request: request["what"])
def test_no_request_raises_and_each_is_settled(fake, handle, request_):
    answer = handle(request_)

    assert answer == 204
    assert len(fake.sent(DEAD)) == 1
    assert fake.handled() == []


def test_attributes_of_a_message_without_data_stay_with_its_dead_letter(fake, handle):
    handle(payload("wrapped_attributes_only"))

    attributes = fake.sent(DEAD)[0].attributes
    assert {name: text for name, text in attributes.items() if not name.startswith("trefoil-")} == TYPE


# -- what is known of a delivery


@pytest.mark.parametrize(
    ("name", "id_", "first", "key"),
    [
        ("emulator_wrapped", "1", RECORDED, ""),
        ("emulator_unwrapped_metadata", "1", RECORDED, ""),  # the emulator names the header of the key otherwise
        ("wrapped_attempt_and_key", "2070443601311540", PUBLISHED, "o1"),
        ("wrapped_snake_case", "2070443601311540", PUBLISHED, ""),
        ("unwrapped_documented", "2070443601311540", PUBLISHED, "o1"),
        ("eventarc_binary", "2070443601311540", PUBLISHED, "o1"),
        ("eventarc_structured", "2070443601311540", PUBLISHED, "o1"),
    ],
)
def test_a_delivery_is_known_by_its_id_its_time_and_its_key(name, id_, first, key):
    receipt = only(name).receipt

    assert (receipt.id, receipt.first, receipt.ordering_key) == (id_, first, key)
    assert receipt.handle is None


@pytest.mark.parametrize(
    ("name", "attempts"),
    [
        ("emulator_wrapped", 1),  # which tells no attempt
        ("wrapped_attempt_and_key", 5),
        ("eventarc_structured", 2),
        ("unwrapped_documented", 1),
        ("wrapped_copy", 5),
        ("wrapped_copy_to_one", 3),
        ("wrapped_dead_letter_again", 1),
        ("wrapped_moved_by_policy_again", 1),
    ],
)
def test_tries_are_counted_on_from_copy_to_copy(name, attempts):
    assert only(name).attempts == attempts


@pytest.mark.parametrize("value", ["inf", "-inf", "nan", "1e999", "-7", "much", ""])
def test_a_count_of_tries_that_is_none_counts_as_none(value):
    request = payload("wrapped_copy_to_one")
    push = json.loads(request["body"])
    push["message"]["attributes"]["trefoil-attempts"] = value

    assert delivery(json.dumps(push).encode(), {}, "orders").attempts == 1


@pytest.mark.parametrize(
    ("name", "addressed"),
    [
        ("wrapped_attempt_and_key", False),
        ("wrapped_to_one", True),
        ("wrapped_copy", False),
        ("wrapped_copy_to_one", True),
        ("wrapped_dead_letter_again", True),
    ],
)
def test_a_message_is_addressed_to_the_service_that_it_was_sent_to(name, addressed):
    assert only(name).addressed is addressed
    assert not only(name, "payments").addressed


@pytest.mark.parametrize("name", ["wrapped_copy", "wrapped_moved_by_policy_again", "emulator_wrapped"])
def test_a_message_s_own_attributes_are_its_publisher_s(name):
    assert only(name).receipt.attributes == TYPE


def test_a_copy_remembers_when_the_original_was_published():
    assert only("wrapped_copy").receipt.first == 1750420798.25


def test_binary_mode_has_its_headers_in_lower_case():
    wrapped, unwrapped = only("emulator_wrapped_binary_mode"), only("emulator_unwrapped_metadata_binary_mode")

    assert json.loads(wrapped.body)["customer"] == "Ada"
    assert wrapped.body == unwrapped.body
    for found in (wrapped, unwrapped):
        assert found.attributes["ce-id"] == "m1"
        assert found.attributes["content-type"] == "application/json"


def test_binary_mode_s_percent_encoding_is_undone(fake, handle):
    handle(payload("http_binary"))

    assert {json.loads(each.data)["correlationid"] for each in fake.sent()} == {"flow 1"}


def test_eventarc_s_own_event_is_not_taken_for_the_message():
    found = only("eventarc_binary")

    assert found.attributes == {}
    assert found.receipt.attributes == TYPE


def test_headers_that_are_about_the_request_are_no_attributes_of_the_message():
    names = set(only("unwrapped_documented").receipt.attributes)

    assert names == {"type", "subject", "content-type"}


def test_credentials_never_reach_a_dead_letter(fake, handle):
    request = {**payload("unwrapped_bare_documented"), "body": "nonsense"}

    handle(request)

    attributes = fake.sent(DEAD)[0].attributes
    assert "Bearer" in request["headers"]["Authorization"]
    assert not any("Bearer" in text for text in attributes.values())


def test_two_messages_without_an_id_that_differ_in_their_headers_only_are_two():
    """Put aside, each waits under its id."""
    request = payload("http_binary")
    ids = [
        delivery(body(request), {**request["headers"], "ce-id": id_}, "orders").receipt.id for id_ in ("m1", "m1", "m2")
    ]

    assert ids[0] == ids[1]
    assert ids[0] != ids[2]


# -- dead letters, as a pull shows them


@pytest.fixture
def parked(fake):
    """What a listing makes of one message."""

    def listed(name):
        received = {field: value for field, value in payload(name).items() if field != "from"}
        fake.answers["Pull"] = shown(pubsub.ReceivedMessage.from_json(json.dumps(received)))
        (letter,) = function().system.dead_letters.parked("orders")
        return letter

    return listed


def test_what_the_policy_moved_says_how_often_it_was_delivered_and_since_when(parked):
    letter = parked("dead_emulator_by_policy")

    assert letter.failure.reason == "DeliveriesExhausted"
    assert "delivered 5 times" in letter.failure.text
    assert (letter.attempts, letter.first) == (5, RECORDED)
    assert letter.last > letter.first
    assert json.loads(letter.body)["id"] == "m1"


def test_what_was_put_aside_before_it_was_moved_counts_both_and_is_as_old_as_the_original(parked):
    letter = parked("dead_by_policy")

    assert letter.failure.reason == "DeliveriesExhausted"
    assert (letter.attempts, letter.first) == (2 + 15, 1750420000.5)


def test_our_own_dead_letter_reads_as_it_was_written(parked):
    letter = parked("dead_ours")

    assert (letter.failure.reason, letter.failure.handler) == ("RuleViolation", "place_order")
    assert letter.failure.text == "the order is 3 days old"
    assert (letter.attempts, letter.first, letter.last) == (5, 1750420798.0, 1750421399.5)
