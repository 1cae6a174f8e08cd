"""What becomes of deliveries: hidden, copied, given up, deleted; and what stays when a send fails."""

import json

import pytest
from botocore.exceptions import EndpointConnectionError
from hypothesis import given
from hypothesis import strategies as st

from infra.aws.batches import text
from infra.aws.records import Receipt, deliveries
from shared.kernel.outcome import DONE, IGNORED, DeadLetter, Defer, Failure, Retry
from shared.kernel.ports import Delivery
from tests.support.aws_fakes import FakeAws, Refusal, deployment, failing, raising, texts
from tests.support.kernel_fakes import FakeClock

SERVICE = "orders"
FAILURE = Failure("RuleViolation", "RuleViolation", "too late", "place_order")
TYPE = {"type": text("orders.place-order.v1"), "subject": text("o1")}


def delivery(number, *, attempts=1, handle="h", attributes=TYPE, body=b"{}"):
    receipt = Receipt(f"id{number}", handle and f"{handle}{number}", attributes, 1000.25)
    return Delivery(body, attempts, receipt=receipt)


def own(count):
    """So many attributes of a sender's."""
    return {f"own{number}": text(str(number)) for number in range(count)}


def sent(fake):
    """Queue -> entries."""
    found = {}
    for call in fake.called("SendMessageBatch"):
        found.setdefault(call.queue, []).extend(call.entries)
    return found


def test_what_is_done_is_left_to_lambda_and_asks_nothing(fake, aws):
    staying = aws.channels.carry_out(SERVICE, [(delivery(1), DONE), (delivery(2), IGNORED)])

    assert staying == []
    assert fake.calls == []


def test_a_worker_deletes_what_is_done(fake, aws):
    aws.channels.settle(SERVICE, [(delivery(number), DONE) for number in range(12)])

    calls = fake.called("DeleteMessageBatch")
    assert [len(call.entries) for call in calls] == [10, 2]
    assert {entry["ReceiptHandle"] for call in calls for entry in call.entries} == {f"h{n}" for n in range(12)}
    assert {call.queue for call in calls} == {"trefoil-dev-orders"}


def test_a_retry_is_hidden_for_its_wait_and_stays(fake, aws):
    retried = delivery(1)

    staying = aws.channels.carry_out(SERVICE, [(retried, Retry(1.2, FAILURE)), (delivery(2), DONE)])

    (call,) = fake.called("ChangeMessageVisibilityBatch")
    assert staying == [retried]
    assert call.entries == [{"Id": "0", "ReceiptHandle": "h1", "VisibilityTimeout": 2}]
    assert sent(fake) == {}


def test_retries_are_hidden_ten_at_a_time_each_for_its_own_wait(fake, aws):
    aws.channels.carry_out(SERVICE, [(delivery(number), Retry(number, FAILURE)) for number in range(11)])

    calls = fake.called("ChangeMessageVisibilityBatch")
    waits = {entry["ReceiptHandle"]: entry["VisibilityTimeout"] for call in calls for entry in call.entries}
    assert [len(call.entries) for call in calls] == [10, 1]
    assert waits == {f"h{number}": number for number in range(11)}


def test_a_retry_that_could_not_be_hidden_stays_all_the_same(fake, aws):
    fake.answers["ChangeMessageVisibilityBatch"] = raising(EndpointConnectionError(endpoint_url="https://sqs"))
    retried = delivery(1)

    assert aws.channels.carry_out(SERVICE, [(retried, Retry(1, FAILURE))]) == [retried]


@pytest.mark.parametrize(("after", "delay"), [(0, 0), (0.2, 1), (7.0, 7), (900, 900), (3600.5, 900)])
def test_a_deferral_is_a_delayed_copy(fake, aws, after, delay):
    staying = aws.channels.carry_out(SERVICE, [(delivery(1, body=b"{1}"), Defer(after, FAILURE))])

    (entry,) = sent(fake)["trefoil-dev-orders"]
    assert staying == []
    assert entry["MessageBody"] == "{1}"
    assert entry["DelaySeconds"] == delay


@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_a_deferral_uses_no_try(fake, aws, attempts):
    aws.channels.carry_out(SERVICE, [(delivery(1, attempts=attempts), Defer(1, FAILURE))])

    (copy,) = sent(fake)["trefoil-dev-orders"]
    assert received(copy).attempts == attempts


def test_a_copy_remembers_when_the_original_was_sent_and_whom_it_was_for(fake, aws):
    attributes = {**TYPE, "to": text(SERVICE)}

    aws.channels.carry_out(SERVICE, [(delivery(1, attributes=attributes), Defer(1, FAILURE))])

    (copy,) = sent(fake)["trefoil-dev-orders"]
    arrived = received(copy)
    assert arrived.receipt.first == 1000.25
    assert arrived.receipt.attributes == attributes
    assert arrived.addressed


def received(entry, count=1):
    """An entry that was sent, as Lambda hands it over."""
    attributes = {
        name: {"dataType": value["DataType"], "stringValue": value["StringValue"]}
        for name, value in entry["MessageAttributes"].items()
    }
    record = {
        "messageId": "new",
        "receiptHandle": "handle",
        "body": entry["MessageBody"],
        "attributes": {"ApproximateReceiveCount": str(count), "SentTimestamp": "2000000"},
        "messageAttributes": attributes,
    }
    (found,) = deliveries({"Records": [record]}, SERVICE)
    return found


def test_a_dead_letter_carries_why_how_often_and_when(fake):
    aws = deployment(fake)
    aws.channels._clock = FakeClock(2000.5)

    staying = aws.channels.carry_out(SERVICE, [(delivery(1, attempts=5, body=b"[]"), DeadLetter(FAILURE))])

    (entry,) = sent(fake)["trefoil-dev-orders-dead"]
    assert staying == []
    assert entry["MessageBody"] == "[]"
    assert entry["DelaySeconds"] == 0
    assert texts(entry) == {
        "type": "orders.place-order.v1",
        "subject": "o1",
        "trefoil-reason": "RuleViolation",
        "trefoil-error": "RuleViolation",
        "trefoil-text": "too late",
        "trefoil-handler": "place_order",
        "trefoil-attempts": "5",
        "trefoil-first": "1000.25",
        "trefoil-last": "2000.5",
    }


def test_a_reason_without_a_text_has_no_empty_attribute(fake, aws):
    aws.channels.carry_out(SERVICE, [(delivery(1), DeadLetter(Failure("KeyError", "KeyError", "", "")))])

    (entry,) = sent(fake)["trefoil-dev-orders-dead"]
    assert "trefoil-text" not in texts(entry)
    assert all(texts(entry).values())


@pytest.mark.parametrize(
    ("said", "kept"), [("a\0b", "a\\u0000b"), ("x" * 1000, "x" * 1000), ("é" * 500, "é" * 500), ("\uffff", "\\uffff")]
)
def test_a_reason_s_text_is_in_characters_that_sqs_takes(fake, aws, said, kept):
    aws.channels.carry_out(SERVICE, [(delivery(1), DeadLetter(Failure("E", "E", said, "h")))])

    (entry,) = sent(fake)["trefoil-dev-orders-dead"]
    assert texts(entry)["trefoil-text"] == kept


def test_a_message_that_leaves_no_room_keeps_at_least_its_reason(fake, aws):
    body = b"x" * (256 * 1024 - 100)

    aws.channels.carry_out(SERVICE, [(delivery(1, body=body, attributes=own(3)), DeadLetter(FAILURE))])

    (entry,) = sent(fake)["trefoil-dev-orders-dead"]
    assert entry["MessageBody"] == body.decode()
    assert texts(entry) == {"trefoil-reason": FAILURE.reason}


OUTCOMES = st.sampled_from([Defer(1, FAILURE), DeadLetter(FAILURE), Retry(1, FAILURE)])


@given(count=st.integers(0, 10), outcome=OUTCOMES, addressed=st.booleans())
def test_no_message_ever_has_more_than_ten_attributes_and_none_is_lost(count, outcome, addressed):
    fake = FakeAws()
    attributes = own(count - 1) | {"to": text(SERVICE)} if addressed and count else own(count)

    deployment(fake).channels.carry_out(SERVICE, [(delivery(1, handle=None, attributes=attributes), outcome)])

    ((entry,),) = sent(fake).values()
    assert len(entry["MessageAttributes"]) <= 10
    assert all(texts(entry).values())
    found = received(entry).receipt.attributes
    assert found == attributes | ({"to": text(SERVICE)} if isinstance(outcome, DeadLetter) else {})


@pytest.mark.parametrize("count", [8, 9, 10])
def test_a_copy_of_a_copy_still_has_all_attributes(fake, aws, count):
    first = delivery(1, attributes=own(count))
    aws.channels.carry_out(SERVICE, [(first, Defer(1, FAILURE))])
    (copy,) = sent(fake)["trefoil-dev-orders"]

    aws.channels.carry_out(SERVICE, [(received(copy), DeadLetter(FAILURE))])

    (letter,) = sent(fake)["trefoil-dev-orders-dead"]
    assert received(letter).receipt.attributes == own(count) | {"to": text(SERVICE)}
    assert json.loads(texts(letter)["trefoil-original"]).keys() == own(count).keys()


def test_sns_s_own_message_is_copied_for_a_retry_a_try_used(fake, aws):
    staying = aws.channels.carry_out(SERVICE, [(delivery(1, handle=None), Retry(3, FAILURE))])

    (copy,) = sent(fake)["trefoil-dev-orders"]
    assert staying == []
    assert copy["DelaySeconds"] == 3
    assert received(copy).attempts == 2
    assert fake.called("ChangeMessageVisibilityBatch") == []


def test_sns_s_own_message_is_copied_for_a_deferral_no_try_used(fake, aws):
    aws.channels.carry_out(SERVICE, [(delivery(1, handle=None), Defer(3, FAILURE))])

    (copy,) = sent(fake)["trefoil-dev-orders"]
    assert received(copy).attempts == 1


def test_the_channel_s_copies_are_sent_before_anything_is_deleted(fake, aws):
    settlements = [
        (delivery(1), DONE),
        (delivery(2), Retry(1, FAILURE)),
        (delivery(3), Defer(1, FAILURE)),
        (delivery(4), DeadLetter(FAILURE)),
    ]

    aws.channels.settle(SERVICE, settlements)

    (deleted,) = fake.called("DeleteMessageBatch")
    assert fake.names()[-1] == "DeleteMessageBatch"
    assert fake.names().count("SendMessageBatch") == 2
    assert [entry["ReceiptHandle"] for entry in deleted.entries] == ["h1", "h3", "h4"]


@pytest.mark.parametrize("outcome", [Defer(1, FAILURE), DeadLetter(FAILURE)])
def test_what_could_not_be_sent_stays_and_the_rest_goes(fake, aws, outcome):
    fake.answers["SendMessageBatch"] = failing("1")
    lost = delivery(2)

    staying = aws.channels.carry_out(SERVICE, [(delivery(1), outcome), (lost, outcome), (delivery(3), outcome)])

    assert staying == [lost]


@pytest.mark.parametrize("outcome", [Defer(1, FAILURE), DeadLetter(FAILURE)])
def test_a_worker_does_not_delete_what_could_not_be_sent(fake, aws, outcome):
    fake.answers["SendMessageBatch"] = raising(Refusal("AccessDenied", 403))

    aws.channels.settle(SERVICE, [(delivery(1), DONE), (delivery(2), outcome)])

    (deleted,) = fake.called("DeleteMessageBatch")
    assert [entry["ReceiptHandle"] for entry in deleted.entries] == ["h1"]


def test_a_queue_s_address_that_cannot_be_had_keeps_the_messages(fake, aws):
    fake.answers["GetQueueUrl"] = raising(EndpointConnectionError(endpoint_url="https://sqs"))
    settlements = [
        (delivery(1), DONE),
        (delivery(2), Retry(1, FAILURE)),
        (delivery(3), Defer(1, FAILURE)),
        (delivery(4), DeadLetter(FAILURE)),
    ]

    staying = aws.channels.carry_out(SERVICE, settlements)

    assert [each.receipt.id for each in staying] == ["id2", "id4", "id3"]


def test_a_deletion_that_fails_is_left_to_the_redelivery(fake, aws):
    fake.answers["DeleteMessageBatch"] = raising(EndpointConnectionError(endpoint_url="https://sqs"))

    aws.channels.settle(SERVICE, [(delivery(1), DONE)])

    assert len(fake.called("DeleteMessageBatch")) == 1


def test_a_letter_too_big_with_its_reason_goes_alone_and_stays_when_it_is_refused(fake, aws):
    big = delivery(1, body=b"x" * 262_144)
    refused = raising(Refusal("BatchRequestTooLong"))
    usual = fake.answers["SendMessageBatch"]
    fake.answers["SendMessageBatch"] = lambda params: (
        refused if len(params["Entries"][0]["MessageBody"]) > 1000 else usual
    )(params)

    staying = aws.channels.carry_out(SERVICE, [(big, DeadLetter(FAILURE)), (delivery(2), DeadLetter(FAILURE))])

    assert staying == [big]


@pytest.mark.parametrize(
    ("limit", "seconds", "asked"), [(3, 1.5, (3, 2)), (50, 300, (10, 300)), (1, 99_999, (1, 43_200))]
)
def test_a_lease_asks_for_what_sqs_allows_and_all_attributes(fake, aws, limit, seconds, asked):
    aws.channels.lease(SERVICE, limit, seconds)

    (call,) = fake.called("ReceiveMessage")
    assert (call.params["MaxNumberOfMessages"], call.params["VisibilityTimeout"]) == asked
    assert call.params["MessageAttributeNames"] == ["All"]
    assert set(call.params["MessageSystemAttributeNames"]) == {"ApproximateReceiveCount", "SentTimestamp"}
