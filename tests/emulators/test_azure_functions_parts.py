"""The Functions host's pure parts: schedules, what `host.json` says, triggers, and binding data."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any
from uuid import UUID

import pytest

from infra.emulators.azurefunctions import rpc
from infra.emulators.azurefunctions.bindings import bodies, body, of_batch, of_one
from infra.emulators.azurefunctions.functions import Queue, Timer, trigger
from infra.emulators.azurefunctions.hostjson import read
from infra.emulators.azurefunctions.ncrontab import Schedule
from infra.emulators.azurefunctions.rpc import RpcFunctionMetadata, RpcRetryOptions, TypedData
from infra.emulators.wiring import ROOT
from shared.kernel.errors import ConfigurationError

NOON = datetime(2026, 11, 26, 12, 0, 0, tzinfo=UTC)
"""A Thursday."""


@pytest.mark.parametrize(
    ("schedule", "following"),
    [
        ("0 * * * * *", "2026-11-26 12:01:00"),
        ("* * * * * *", "2026-11-26 12:00:01"),
        ("*/20 * * * * *", "2026-11-26 12:00:20"),
        ("0 */5 * * * *", "2026-11-26 12:05:00"),
        ("*/5 * * * *", "2026-11-26 12:05:00"),
        ("5/20 0 12 * * *", "2026-11-26 12:00:05"),
        ("0 0 12 * * *", "2026-11-27 12:00:00"),
        ("0 30 9-17/4 * * *", "2026-11-26 13:30:00"),
        ("0 0 9 * * Mon-Fri", "2026-11-27 09:00:00"),
        ("0 0 9 * * 0", "2026-11-29 09:00:00"),
        ("0 0 0 1,15 Jan,feb *", "2027-01-01 00:00:00"),
        ("0 0 0 13 * fri", "2027-08-13 00:00:00"),
        ("0 0 0 29 2 *", "2028-02-29 00:00:00"),
    ],
)
def test_a_schedule_rings_next_when_all_its_fields_fit(schedule, following):
    assert Schedule(schedule).after(NOON) == datetime.fromisoformat(f"{following}+00:00")


def test_a_schedule_rings_after_a_moment_and_not_at_it():
    schedule = Schedule("0 * * * * *")

    assert schedule.after(NOON - timedelta(microseconds=1)) == NOON
    assert schedule.after(NOON) == NOON + timedelta(minutes=1)


@pytest.mark.parametrize(
    "text",
    ["", "* * * *", "* * * * * * *", "60 * * * * *", "a * * * * *", "*/0 * * * * *", "5-3 * * * * *", "* * * 0 * *"],
)
def test_what_is_no_schedule_is_refused(text):
    with pytest.raises(ConfigurationError, match=r"of a schedule|is no schedule"):
        Schedule(text)


def test_a_day_that_never_comes_is_refused():
    with pytest.raises(ConfigurationError, match="never comes"):
        Schedule("0 0 0 31 2 *").after(NOON)


def test_the_checkouts_host_json_is_understood():
    found = read(ROOT / "functions" / "azure")

    told = json.loads((ROOT / "functions" / "azure" / "host.json").read_text())["extensions"]["serviceBus"]
    options = found.extensions.service_bus
    assert found.timeout == 300
    assert (options.max_message_batch_size, options.prefetch_count, options.auto_complete_messages) == (
        told["maxMessageBatchSize"],
        told["prefetchCount"],
        told["autoCompleteMessages"],
    )


def test_what_host_json_does_not_say_is_as_azure_has_it(tmp_path):
    (tmp_path / "host.json").write_text('{"version": "2.0"}')

    found = read(tmp_path)

    options = found.extensions.service_bus
    assert (found.timeout, options.max_message_batch_size, options.prefetch_count) == (1800, 1000, 0)
    assert options.auto_complete_messages
    assert options.renewal_seconds == 300


@pytest.mark.parametrize(("text", "seconds"), [("-1", None), ("00:05:00", 300), ("1.02:03:04", 93784)])
def test_a_functions_timeout_is_read_as_dotnet_writes_it(tmp_path, text, seconds):
    (tmp_path / "host.json").write_text(json.dumps({"version": "2.0", "functionTimeout": text}))

    assert read(tmp_path).timeout == seconds


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"version": "1.0"}, r"\$.version"),
        ({"version": "2.0", "functionTimeout": "five"}, "'five' is no duration"),
        ({"version": "2.0", "extensions": {"serviceBus": {"maxMessageBatchSize": 0}}}, "maxMessageBatchSize"),
        ({"version": "2.0", "extensions": {"serviceBus": {"minMessageBatchSize": 5}}}, "minMessageBatchSize"),
        ({"version": "2.0", "extensions": {"serviceBus": {"maxAutoLockRenewalDuration": "x"}}}, "'x' is no duration"),
    ],
)
def test_a_host_json_that_can_not_be_obeyed_is_refused(tmp_path, told, why):
    (tmp_path / "host.json").write_text(json.dumps(told))

    with pytest.raises(ConfigurationError, match=f"host.json: .*{why}"):
        read(tmp_path)


def test_an_app_without_host_json_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match=r"host.json can't be read: No such file"):
        read(tmp_path)


def function(*bindings: dict[str, Any], **changes: Any) -> RpcFunctionMetadata:
    return RpcFunctionMetadata("ants", "id-1", [json.dumps(each) for each in bindings], **changes)


QUEUE = {
    "type": "serviceBusTrigger",
    "name": "messages",
    "queueName": "%NAME%-ants",
    "connection": "BUS",
    "cardinality": "MANY",
    "dataType": "BINARY",
}
SETTINGS = {"BUS": "Endpoint=sb://here", "NAME": "trefoil"}


def test_a_queues_trigger_names_its_queue_with_settings_filled_in():
    found = trigger(function(QUEUE), SETTINGS)

    assert isinstance(found, Queue)
    assert (found.entity, found.connection) == ("trefoil-ants", "Endpoint=sb://here")
    assert (found.many, found.binary) == (True, True)
    assert (found.function.name, found.function.id, found.function.parameter) == ("ants", "id-1", "messages")


def test_a_subscriptions_trigger_names_topic_and_subscription():
    binding = {"topicName": "bus", "subscriptionName": "ants", "type": "serviceBusTrigger", "name": "m"}

    found = trigger(function({**binding, "connection": "BUS"}), {"AzureWebJobsBUS": "Endpoint=sb://there"})

    assert isinstance(found, Queue)
    assert (found.entity, found.connection, found.many) == ("bus/Subscriptions/ants", "Endpoint=sb://there", False)


def test_a_timers_trigger_has_its_schedule():
    found = trigger(function({"type": "timerTrigger", "name": "timer", "schedule": "%EACH%"}), {"EACH": "0 * * * * *"})

    assert isinstance(found, Timer)
    assert found.schedule.after(NOON) == NOON + timedelta(minutes=1)


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (function({**QUEUE, "isSessionsEnabled": True}), "sessions"),
        (function({**QUEUE, "dataType": "STRING"}), "not of data type binary"),
        (function({**QUEUE, "connection": "OTHER"}), "OTHER is not set: a connection string is needed"),
        (function({**QUEUE, "queueName": "%OTHER%"}), "OTHER is not set, and a trigger names it"),
        (function(QUEUE, {"type": "serviceBus", "name": "out"}), "serviceBusTrigger, serviceBus; this host knows"),
        (function({"type": "httpTrigger", "name": "req"}), "the bindings httpTrigger"),
        (function(QUEUE, retry_options=RpcRetryOptions(3)), "has a retry policy"),
    ],
)
def test_what_this_host_can_not_do_is_refused(found, why):
    with pytest.raises(ConfigurationError, match=why):
        trigger(found, SETTINGS)


class BodyType(Enum):
    DATA = "data"
    VALUE = "value"


@dataclass
class Received:
    """What the SDK receives, as far as the host looks at it."""

    message_id: str | None = "m1"
    content_type: str | None = None
    correlation_id: str | None = None
    subject: str | None = None
    application_properties: dict[Any, Any] | None = None
    delivery_count: int | None = 0
    time_to_live: timedelta | None = None
    enqueued_time_utc: datetime = NOON
    sequence_number: int = 7
    body_type: BodyType = BodyType.DATA
    body: Any = field(default_factory=lambda: [b"o", b"ne"])
    lock_token = UUID(int=1)
    reply_to = to = session_id = reply_to_session_id = partition_key = dead_letter_source = None

    def __str__(self) -> str:
        return "a value"


def values(data: dict[str, TypedData], *names: str) -> list[Any]:
    return [json.loads(data[name].json or "null") for name in names]


def test_a_batchs_bodies_are_bytes():
    assert bodies([Received(), Received(body=[b"two"])]).collection_bytes == rpc.CollectionBytes([b"one", b"two"])


def test_a_body_that_is_no_bytes_is_told_as_text():
    assert body(Received(body_type=BodyType.VALUE, body=7)) == b"a value"


def test_counts_times_and_properties_of_a_batch_are_json():
    messages = [
        Received(enqueued_time_utc=NOON + timedelta(milliseconds=145), time_to_live=timedelta(hours=1)),
        Received(delivery_count=2, application_properties={b"type": b"t", "n": 1, "when": NOON, "id": UUID(int=2)}),
    ]

    found = of_batch(messages, include_empty=False)

    counts, enqueued, expires, own = values(
        found, "DeliveryCountArray", "EnqueuedTimeUtcArray", "ExpiresAtUtcArray", "ApplicationPropertiesArray"
    )
    assert counts == [1, 3]
    assert enqueued == ["2026-11-26T12:00:00.145", "2026-11-26T12:00:00"]
    assert expires == ["2026-11-26T13:00:00.145", "9999-12-31T23:59:59.9999999"]
    assert own == [{}, {"type": "t", "n": 1, "when": "2026-11-26T12:00:00Z", "id": str(UUID(int=2))}]
    assert found["UserPropertiesArray"] == found["ApplicationPropertiesArray"]
    assert values(found, "EnqueuedTimeArray") == [["2026-11-26T12:00:00.145+00:00", "2026-11-26T12:00:00+00:00"]]


def test_numbers_and_texts_of_a_batch_are_collections():
    found = of_batch([Received(subject="s1"), Received("m2", subject="s2", sequence_number=8)], include_empty=False)

    assert found["SequenceNumberArray"].collection_sint64 == rpc.CollectionSInt64([7, 8])
    assert found["MessageIdArray"].collection_string == rpc.CollectionString(["m1", "m2"])
    assert (
        found["SubjectArray"] == found["LabelArray"] == TypedData(collection_string=rpc.CollectionString(["s1", "s2"]))
    )


def test_texts_that_are_empty_are_left_out_unless_a_worker_asks_for_them():
    messages = [Received(), Received(correlation_id="c2")]

    for include_empty, texts in ((False, ["c2"]), (True, ["", "c2"])):
        found = of_batch(messages, include_empty=include_empty)

        assert found["CorrelationIdArray"].collection_string == rpc.CollectionString(texts)


def test_a_single_message_has_only_what_it_has():
    found = of_one(Received(correlation_id="c1", application_properties={"type": "t"}))

    assert found["CorrelationId"] == TypedData(string="c1")
    assert "ContentType" not in found
    assert values(found, "DeliveryCount", "SequenceNumber", "UserProperties") == [1, 7, {"type": "t"}]


def test_a_life_longer_than_time_itself_never_ends():
    found = of_one(Received(time_to_live=timedelta(days=3_000_000)))

    assert values(found, "ExpiresAtUtc") == ["9999-12-31T23:59:59.9999999"]


def test_stand_ins_answer_as_protobuf_does():
    null, text = TypedData(), TypedData(string="")

    assert (null.WhichOneof("data"), text.WhichOneof("data")) == (None, "string")
    assert rpc.ParameterBinding("p").WhichOneof("rpc_data") is None
    assert rpc.ParameterBinding("p", text).WhichOneof("rpc_data") == "data"
