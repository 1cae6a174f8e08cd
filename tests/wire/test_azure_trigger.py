"""What a trigger hands over: binding data as the Service Bus extension makes it, read by Microsoft's own library."""

import time
from datetime import UTC, datetime

import pytest
from azure.functions import meta
from azure.functions.servicebus import ServiceBusMessageInConverter

from infra.azure.records import triggered

ENQUEUED = datetime(2026, 11, 26, 12, 0, 0, 145_000, tzinfo=UTC).timestamp()


class Texts:
    def __init__(self, *string: str) -> None:
        self.string = list(string)


class Bodies:
    def __init__(self, *bytes_: bytes) -> None:
        self.bytes = list(bytes_)


def batch(**texts: Texts):
    """Two messages; the host drops what is empty from each array of texts."""
    data = {
        "DeliveryCountArray": meta.Datum("[1,3]", "json"),
        "EnqueuedTimeUtcArray": meta.Datum('["2026-11-26T12:00:00.145","2026-11-26T12:00:00"]', "json"),
        "UserPropertiesArray": meta.Datum('[{"type":"t"},{"type":"t","to":"ants"}]', "json"),
        "ApplicationPropertiesArray": meta.Datum('[{"type":"t"},{"type":"t","to":"ants"}]', "json"),
        "MessageIdArray": meta.Datum(Texts("m1", "m2"), "collection_string"),
        **{name: meta.Datum(found, "collection_string") for name, found in texts.items()},
    }
    bodies = meta.Datum(Bodies(b"one", b"two"), "collection_bytes")
    return ServiceBusMessageInConverter.decode(bodies, trigger_metadata=data)


@pytest.fixture
def abroad(monkeypatch):
    """A machine whose clock is not on UTC, as Azure's are."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_a_batch_becomes_deliveries_that_count_and_know_whom_they_are_for():
    first, second = triggered(batch(), "ants")

    assert [(each.body, each.attempts) for each in (first, second)] == [(b"one", 1), (b"two", 3)]
    assert (first.addressed, second.addressed) == (False, True)


def test_times_are_utc_wherever_the_function_runs(abroad):
    first, _ = triggered(batch(), "ants")

    assert first.receipt.first == ENQUEUED


def test_texts_that_all_messages_have_are_their_own():
    deliveries = triggered(batch(SubjectArray=Texts("s1", "s2"), CorrelationIdArray=Texts("c1", "c2")), "ants")

    assert [(each.receipt.subject, each.receipt.correlation_id) for each in deliveries] == [("s1", "c1"), ("s2", "c2")]


def test_a_text_that_one_message_lacks_is_given_to_none():
    deliveries = triggered(batch(SubjectArray=Texts("s1", "s2"), CorrelationIdArray=Texts("of the second")), "ants")

    assert [(each.receipt.subject, each.receipt.correlation_id) for each in deliveries] == [("s1", None), ("s2", None)]
