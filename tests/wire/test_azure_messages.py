"""What Azure hands over, as files: each goes through the function, or a worker, to what becomes of it.

`trigger_*` are what the Functions worker gets of a batch, `received_*` what a client receives, and `dead_*` what it
finds in a dead-letter queue. Nothing was recorded on Azure. Each file says where it is from: `recorded` are messages as
AMQP's encoders write them; `built` have the fields of a source that is named, around a message of ours.
"""

import json
import subprocess
import time
from base64 import b64decode
from pathlib import Path

import pytest

from functions.azure.function_app import Function
from infra.azure.records import arrived, texts, triggered
from infra.azure.wiring import function
from shared.kernel.outcome import DeadLetter, Failure
from tests.support.azure_fakes import body_of, fake_azure, told
from tests.support.azure_wire import from_file, seen, trigger

ROOT = Path(__file__).parents[2]
FILES = Path(__file__).parent / "azure"
PYTHON = ROOT / ".venv-azure" / "bin" / "python"
QUEUE, DEAD = "trefoil-dev-orders", "trefoil-dev-orders-dead"
TYPE = {"type": "orders.place-order.v1", "subject": "o1"}
ENQUEUED, ORIGINAL = 1750420798.25, 1750420000.5


def payload(name):
    return json.loads((FILES / f"{name}.json").read_text())


NONSENSE = payload("trigger_nonsense")["batches"]


@pytest.fixture
def fake():
    with fake_azure() as fake:
        yield fake


@pytest.fixture
def its(fake):
    """The function of the orders service."""
    return Function("orders", function())


@pytest.fixture
def handle(its):
    return lambda batch: its.handle(trigger(batch))


@pytest.fixture
def work(its):
    """A worker of the orders service."""

    def work(message):
        settled = []
        its.receiver.receive([arrived(message, "orders")], settled.extend, its.azure.clock.now() + 100)
        its.azure.channels.carry_out("orders", settled)

    return work


def only(name, service="orders"):
    """The one delivery of a file."""
    if name.startswith("trigger_"):
        (found,) = triggered(trigger(payload(name)), service)
        return found
    return arrived(from_file(payload(name)), service)


def test_every_file_says_where_it_is_from():
    origins = {path.stem: json.loads(path.read_text())["from"] for path in FILES.glob("*.json")}

    kinds = {name: origin.partition(": ")[0] for name, origin in origins.items()}
    assert set(kinds.values()) == {"recorded", "built", "ours"}
    assert all((kind == "recorded") == ("amqp" in payload(name)) for name, kind in kinds.items())


def test_every_message_is_tested():
    names = {path.stem for path in FILES.glob("*.json")} - {"trigger_nonsense"}

    assert {name for name in names if not name.startswith("dead_")} == {*WELL_FORMED, *SEVERAL, *NO_EVENTS}


WELL_FORMED = [
    "trigger_structured",
    "trigger_binary_mode_colon",
    "trigger_binary_mode_underscore",
    "trigger_no_properties",
    "trigger_fewer_arrays",
    "trigger_to_one",
    "trigger_redelivered",
    "trigger_copy",
    "trigger_copy_redelivered",
    "trigger_dead_letter_again",
    "trigger_moved_by_broker_again",
    "trigger_property_kinds",
    "trigger_texts",
    "received_structured",
    "received_binary_mode_colon",
    "received_binary_mode_underscore",
    "received_property_kinds",
    "received_byte_names",
    "received_no_properties",
    "received_body_alone",
    "received_two_parts",
    "received_value_text",
    "received_redelivered",
    "received_copy",
    "received_sdk",
    "received_proton_binary_mode",
]

SEVERAL = {"trigger_batch": ["m1", "m2"], "trigger_binary_mode_shifted": ["m1", "m2"]}

NO_EVENTS = {
    "trigger_not_utf8": b"\xff\xfe\x00{",
    "trigger_empty": b"",
    "trigger_not_ours": b'{ "lucky_number": 23 }',
    "received_not_utf8": b"\xff\xfe\x00{",
    "received_empty": b"",
    "received_nothing": b"",
    "received_value_map": b"{b'id': b'm1'}",
    "received_value_bytes": b"\xff\x00",
    "received_sequence": b"[[1, b'a'], [b'\\xff']]",
}


@pytest.mark.parametrize("name", WELL_FORMED)
def test_an_order_is_placed_whatever_way_it_came(fake, handle, work, name):
    if name.startswith("trigger_"):
        handle(payload(name))
    else:
        work(from_file(payload(name)))

    assert fake.handled() == ["m1"]
    assert {told(each)["subject"] for each in fake.sent()} == {"o1"}
    assert fake.sent(DEAD) == []


@pytest.mark.parametrize("name", SEVERAL)
def test_each_order_of_a_batch_is_placed(fake, handle, name):
    handle(payload(name))

    assert fake.handled() == SEVERAL[name]
    assert fake.sent(DEAD) == []


@pytest.mark.parametrize("name", NO_EVENTS)
def test_what_is_no_cloud_event_is_a_dead_letter_as_it_came(fake, handle, work, name):
    if name.startswith("trigger_"):
        handle(payload(name))
    else:
        work(from_file(payload(name)))

    (letter,) = fake.sent(DEAD)
    assert body_of(letter) == NO_EVENTS[name]
    assert told(letter)["trefoil-reason"] == "MalformedMessage"


@pytest.mark.parametrize("batch", NONSENSE, ids=lambda batch: batch["what"])
def test_no_batch_raises_and_each_message_is_settled(fake, handle, batch):
    handle(batch)

    assert len(fake.sent(DEAD)) == 1
    assert fake.handled() == []


# -- what is known of a delivery


@pytest.mark.parametrize(
    ("name", "id_", "first"),
    [
        ("trigger_structured", "17", ENQUEUED),
        ("trigger_copy", "18", ORIGINAL),
        ("trigger_dead_letter_again", "17", ENQUEUED),
        ("trigger_fewer_arrays", "None", 0.0),
        ("received_structured", "17", ENQUEUED),
        ("received_copy", "18", ORIGINAL),
        ("received_proton_binary_mode", "17", ENQUEUED),
        ("received_body_alone", "None", 0.0),
    ],
)
def test_a_delivery_is_known_by_its_number_and_by_when_the_original_was_enqueued(name, id_, first):
    receipt = only(name).receipt

    assert (receipt.id, receipt.first) == (id_, first)


@pytest.fixture
def elsewhere(monkeypatch):
    """A machine that is not on UTC."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_a_trigger_s_times_are_in_utc_and_don_t_say_so(elsewhere):
    assert only("trigger_structured").receipt.first == ENQUEUED


def test_a_trigger_s_message_is_settled_by_the_host_and_a_received_one_by_us():
    assert only("trigger_structured").receipt.handle is None
    assert only("received_structured").receipt.handle.sequence_number == 17


@pytest.mark.parametrize(
    ("name", "attempts"),
    [
        ("trigger_structured", 1),
        ("trigger_fewer_arrays", 1),
        ("trigger_redelivered", 3),
        ("trigger_copy", 3),
        ("trigger_copy_redelivered", 4),
        ("trigger_dead_letter_again", 1),
        ("trigger_moved_by_broker_again", 1),
        ("received_structured", 1),
        ("received_body_alone", 1),
        ("received_redelivered", 3),
        ("received_proton_binary_mode", 2),
        ("received_copy", 3),
    ],
)
def test_tries_are_counted_on_from_copy_to_copy(name, attempts):
    assert only(name).attempts == attempts


@pytest.mark.parametrize("value", ["inf", "-inf", "nan", "1e999", "-7", "much", "", None, True, [1]])
def test_a_count_of_tries_that_is_none_counts_as_none(value):
    batch = payload("trigger_copy")
    batch["metadata"]["ApplicationPropertiesArray"]["json"][0]["trefoil-attempts"] = value

    assert triggered(trigger(batch), "orders")[0].attempts == 1


@pytest.mark.parametrize(
    ("name", "addressed"),
    [
        ("trigger_structured", False),
        ("trigger_to_one", True),
        ("trigger_copy", False),
        ("trigger_copy_redelivered", True),
        ("trigger_dead_letter_again", True),
        ("received_structured", False),
        ("received_copy", True),
    ],
)
def test_a_message_is_addressed_to_the_service_that_it_was_sent_to(name, addressed):
    assert only(name).addressed is addressed


def test_what_is_for_one_service_is_for_no_other():
    assert not only("trigger_to_one", "payments").addressed
    assert not only("received_copy", "payments").addressed


def test_a_message_s_own_properties_are_its_sender_s():
    """Those of Trefoil are not, and the rest stays of the kind that it was."""
    kinds = only("received_property_kinds").receipt.properties

    assert only("trigger_copy").receipt.properties == TYPE
    assert set(only("received_copy").receipt.properties) == {b"type", b"to"}
    assert (kinds[b"ulong"], kinds[b"binary"], kinds[b"double"]) == (2**64 - 1, b"\xff\x00", -2.25)


@pytest.mark.parametrize("name", ["trigger_property_kinds", "received_property_kinds", "received_byte_names"])
def test_properties_of_every_kind_travel_with_a_dead_letter(fake, its, name):
    delivery = only(name)

    its.azure.channels.carry_out("orders", [(delivery, DeadLetter(Failure("RuleViolation", "E", "no", "h")))])

    (letter,) = fake.sent(DEAD)
    assert texts(delivery.receipt.properties).items() <= texts(letter.application_properties).items()


@pytest.mark.parametrize("name", ["trigger_binary_mode_colon", "trigger_binary_mode_underscore"])
def test_binary_mode_s_properties_are_told_as_http_has_them(name):
    found, received = only(name), only(name.replace("trigger", "received"))

    assert found.attributes == received.attributes
    assert found.attributes == {
        "ce-specversion": "1.0",
        "ce-id": "m1",
        "ce-source": "/shop",
        "ce-type": "orders.place-order.v1",
        "ce-subject": "o1",
        "ce-time": "2025-06-20T11:59:58Z",
        "content-type": "application/json",
    }


def test_structured_mode_has_no_attributes():
    assert only("trigger_structured").attributes == {}
    assert only("received_structured").attributes == {}


def test_texts_that_moved_up_from_another_message_are_nobody_s():
    """The host leaves out what is empty, so the content type of the second stands in the place of the first."""
    first, second = trigger(payload("trigger_binary_mode_shifted"))
    found = triggered([first, second], "orders")

    assert (first.content_type, second.content_type) == ("application/json", None)
    assert [(each.receipt.content_type, each.receipt.subject, each.receipt.correlation_id) for each in found] == [
        (None, None, None)
    ] * 2
    assert found[1].attributes["content-type"] == "application/json"


def test_texts_of_a_batch_that_has_all_of_them_are_each_one_s_own():
    found = triggered(trigger(payload("trigger_batch")), "orders")

    assert [(each.receipt.subject, each.receipt.correlation_id, each.attempts) for each in found] == [
        ("o1", "f1", 1),
        ("o2", "f2", 2),
        ("o1", "f3", 3),
    ]


def test_a_content_type_that_is_no_utf8_is_still_a_text():
    assert only("received_not_utf8").attributes == {"ce-id": "�", "content-type": "�"}


# -- the worker of Python 3.13


@pytest.mark.requires(PYTHON.exists(), install="the Azure Functions worker: `make azure-functions`")
def test_the_worker_of_python_313_hands_over_the_same():
    """azure-functions 2, and the library that decodes for it; here it is 1, whose worker is another."""
    files = sorted(str(path) for path in FILES.glob("trigger_*.json") if path.stem != "trigger_nonsense")

    done = subprocess.run(
        [PYTHON, "-m", "tests.support.azure_wire", *files], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
    told_there = json.loads(done.stdout)
    assert told_there["version"].startswith("2.")
    assert told_there["seen"] == {path: seen(json.loads(Path(path).read_text())) for path in files}


# -- dead letters, as a look into the queue shows them


@pytest.fixture
def parked(fake):
    """What a listing makes of one message."""

    def listed(name):
        fake.offer(DEAD, from_file(payload(name)))
        (letter,) = function().system.dead_letters.parked("orders")
        return letter

    return listed


def test_our_own_dead_letter_reads_as_it_was_written(parked):
    letter = parked("dead_ours")

    assert (letter.failure.reason, letter.failure.handler) == ("RuleViolation", "place_order")
    assert letter.failure.text == "the order is 3 days old"
    assert (letter.attempts, letter.first, letter.last) == (5, 1750420798.25, 1750421399.5)
    assert json.loads(letter.body)["id"] == "m1"


@pytest.mark.parametrize(
    ("name", "attempts", "first"), [("dead_by_broker", 15, ENQUEUED), ("dead_by_broker_copy", 17, ORIGINAL)]
)
def test_what_no_function_survived_says_how_often_it_was_delivered_and_since_when(parked, name, attempts, first):
    letter = parked(name)

    assert letter.failure.reason == "DeliveriesExhausted"
    assert f"delivered {attempts} times" in letter.failure.text
    assert (letter.attempts, letter.first) == (attempts, first)


@pytest.mark.parametrize(
    ("name", "error", "text"),
    [
        ("dead_by_broker_expired", "TTLExpiredException", "The message expired and was dead lettered."),
        ("dead_by_subscription", "FilterEvaluationException", "A rule's filter failed."),
    ],
)
def test_another_reason_of_the_broker_s_is_shown_as_it_is(parked, name, error, text):
    failure = parked(name).failure

    assert (failure.reason, failure.error, failure.text, failure.handler) == ("Undeliverable", error, text, "broker")


def test_what_somebody_put_there_without_a_reason_is_shown(parked):
    letter = parked("dead_without_reason")

    assert (letter.failure.reason, letter.body) == ("DeliveriesExhausted", b"hello")


def test_bodies_in_files_are_what_they_say():
    (encoded,) = payload("trigger_structured")["data"]["collection_bytes"]

    assert json.loads(b64decode(encoded["base64"]))["type"] == TYPE["type"]
