"""What AWS sends, as files: each goes through the function's handler to what becomes of it.

`*_documented` are the samples of AWS's own pages; the others have the documented shape around a message of ours, and
`ministack_*` are what MiniStack 1.5.33 sent to a function, recorded.
"""

import json
from base64 import b64encode
from pathlib import Path

import pytest

from functions.aws.handler import Function
from infra.aws.records import arrived, deliveries
from shared.kernel.errors import ConfigurationError
from tests.support.aws_fakes import FakeAws, Invocation, deployment, handled, texts

FILES = Path(__file__).parent / "aws"
DONE = {"batchItemFailures": []}


def payload(name):
    return json.loads((FILES / f"{name}.json").read_text())


@pytest.fixture
def fake(monkeypatch):
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Trefoil")
    return FakeAws()


@pytest.fixture
def handle(fake):
    """The function of the orders service."""
    function = Function("orders", deployment(fake))
    return lambda event: function.handle(event, Invocation())


def dead(fake):
    return [entry for call in fake.called("SendMessageBatch") for entry in call.entries if call.queue.endswith("-dead")]


def only(name, service="orders"):
    (delivery,) = deliveries(payload(name), service)
    return delivery


WELL_FORMED = [
    "sqs_raw_delivery",  # Lambda guide, "Using Lambda with Amazon SQS"; SNS guide, "raw message delivery"
    "sqs_wrapped_notification",  # SNS guide, "HTTP/S notification JSON format", which is what a queue gets, too
    "sqs_binary_mode",  # CloudEvents 1.0.2, HTTP binding 3.1: ten attributes, as many as SNS delivers
    "sqs_fifo",  # Lambda guide, the FIFO event: SequenceNumber, MessageGroupId, MessageDeduplicationId
    "sqs_attribute_kinds",  # SQS guide, "Amazon SQS message metadata": types with labels; one is no base64
    "sqs_unknown_fields",
    "sqs_copy",
    "sqs_redriven_dead_letter",  # as StartMessageMoveTask puts it back: a new message with the same attributes
    "sns_direct",  # Lambda guide, "Invoking Lambda functions with Amazon SNS notifications"
    "ministack_raw",
    "ministack_wrapped",
    "ministack_sns",
]


@pytest.mark.parametrize("name", WELL_FORMED)
def test_an_order_is_placed_whatever_way_it_came(fake, handle, name):
    answer = handle(payload(name))

    assert answer == DONE
    assert handled(fake) == ["m1"]
    assert {texts(entry)["subject"] for call in fake.called("PublishBatch") for entry in call.entries} == {"o1"}
    assert dead(fake) == []


@pytest.mark.parametrize(
    ("name", "texts_"), [("sqs_documented", ["Test message."] * 2), ("sns_documented", ["Hello from SNS!"])]
)
def test_the_documented_samples_are_dead_letters_because_they_are_no_cloud_events(fake, handle, name, texts_):
    answer = handle(payload(name))

    assert answer == DONE
    assert [entry["MessageBody"] for entry in dead(fake)] == texts_
    assert {texts(entry)["trefoil-reason"] for entry in dead(fake)} == {"MalformedMessage"}


def test_attributes_of_the_documented_sample_stay_with_its_dead_letter(fake, handle):
    handle(payload("sqs_documented"))

    assert texts(dead(fake)[0])["myAttribute"] == "myValue"


def test_nonsense_takes_no_other_message_with_it(fake, handle):
    event = payload("sqs_nonsense")

    answer = handle(event)

    assert answer == DONE
    assert handled(fake) == ["m11", "m5", "m6", "m7"]
    assert len(dead(fake)) == len(event["Records"]) - 4


@pytest.mark.parametrize("record", payload("sqs_nonsense")["Records"], ids=lambda record: record["messageId"][-2:])
def test_no_record_raises_and_each_can_be_settled(fake, handle, record):
    answer = handle({"Records": [record]})

    assert answer == DONE
    assert len(handled(fake)) + len(dead(fake)) == 1


@pytest.mark.parametrize("value", ["inf", "-inf", "nan", "1e999", "-7", "much", ""])
def test_a_count_of_tries_that_is_none_counts_as_none(value):
    event = payload("sqs_copy")
    event["Records"][0]["messageAttributes"]["trefoil-attempts"]["stringValue"] = value

    (delivery,) = deliveries(event, "orders")

    assert delivery.attempts == 1


def test_a_raw_delivery_is_known_by_its_id_its_handle_and_its_time():
    delivery = only("sqs_raw_delivery")

    assert delivery.attempts == 1
    assert not delivery.addressed
    assert delivery.attributes == {}
    assert delivery.receipt.id == "059f36b4-87a3-44ab-83d2-661975830001"
    assert delivery.receipt.handle == "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a0001"
    assert delivery.receipt.first == 1750420798.0
    assert set(delivery.receipt.attributes) == {"type", "subject"}


def test_a_wrapped_notification_is_the_message_inside_with_its_attributes():
    wrapped, raw = only("sqs_wrapped_notification"), only("sqs_raw_delivery")

    assert wrapped.body == raw.body
    assert wrapped.receipt.attributes == {
        **raw.receipt.attributes,
        "checksum": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }


@pytest.mark.parametrize("more", [{}, {"Type": "SubscriptionConfirmation"}])
def test_a_message_that_only_speaks_of_a_topic_is_not_unwrapped(more):
    event = payload("sqs_raw_delivery")
    record = event["Records"][0]
    record["body"] = json.dumps({**json.loads(record["body"]), "TopicArn": "x", "Message": "y", **more})

    (delivery,) = deliveries(event, "orders")

    assert delivery.body == record["body"].encode()


def test_binary_mode_has_its_headers_in_lower_case():
    delivery = only("sqs_binary_mode")

    assert json.loads(delivery.body)["customer"] == "Ada"
    assert delivery.attributes["ce-id"] == "m1"
    assert delivery.attributes["content-type"] == "application/json"


def test_binary_mode_s_percent_encoding_is_undone(fake, handle):
    handle(payload("sqs_binary_mode"))

    (call,) = fake.called("PublishBatch")
    assert {json.loads(entry["Message"])["correlationid"] for entry in call.entries} == {"flow 1"}


def test_attributes_keep_their_kind_and_their_bytes():
    attributes = only("sqs_attribute_kinds").receipt.attributes

    assert attributes["checksum"] == {"DataType": "Binary", "BinaryValue": b"\x00\xff"}
    assert attributes["image"] == {"DataType": "Binary.png", "BinaryValue": b"\x89PNG\r\n\x1a\n"}
    assert attributes["weight"] == {"DataType": "Number", "StringValue": "12.5"}
    assert attributes["labels"] == {"DataType": "String.Array", "StringValue": '["a","b"]'}


def test_a_copy_goes_on_counting_and_remembers_when_the_original_was_sent():
    delivery = only("sqs_copy")

    assert delivery.attempts == 3
    assert delivery.receipt.first == 1750420798.25
    assert set(delivery.receipt.attributes) == {"type", "subject"}


def test_a_dead_letter_that_was_redriven_has_all_its_tries_again_and_is_for_this_service_alone():
    delivery = only("sqs_redriven_dead_letter")

    assert delivery.attempts == 1
    assert delivery.addressed
    assert set(delivery.receipt.attributes) == {"type", "subject", "to"}


def test_a_message_is_addressed_only_to_the_service_that_it_names():
    event = payload("sqs_raw_delivery")
    event["Records"][0]["messageAttributes"]["to"] = {"dataType": "String", "stringValue": "orders"}

    found = {service: deliveries(event, service)[0].addressed for service in ("orders", "payments")}

    assert found == {"orders": True, "payments": False}


def test_a_notification_that_invoked_the_function_has_no_handle_and_the_topic_s_time():
    delivery = only("sns_direct")

    assert delivery.receipt.handle is None
    assert delivery.receipt.first == 1750420798.25
    assert delivery.attempts == 1


@pytest.mark.parametrize("name", ["scheduler", "ministack_scheduler"])
def test_the_scheduler_s_event_is_not_for_a_service(name):
    with pytest.raises(ConfigurationError, match="no Records: the function of 'orders' is for SQS and SNS"):
        deliveries(payload(name), "orders")


# -- dead letters, as ReceiveMessage shows them


@pytest.fixture
def parked(fake):
    """What a listing makes of one message."""

    def listed(message):
        shown = [{"Messages": [message]}]
        fake.answers["ReceiveMessage"] = lambda _: shown.pop() if shown else {}
        (letter,) = deployment(fake).system.dead_letters.parked("orders")
        return letter

    return listed


@pytest.mark.parametrize("name", ["dead_by_subscription", "dead_by_subscription_wrapped"])
def test_what_sns_could_not_deliver_says_so(parked, name):
    """The attributes that SNS adds: SNS guide, "Amazon SNS dead-letter queues"."""
    letter = parked(payload(name))

    assert letter.failure.reason == "Undeliverable"
    assert letter.failure.error == "AWS.SimpleQueueService.NonExistentQueue"
    assert letter.failure.text == "The specified queue does not exist or you do not have access to it."
    assert letter.failure.handler == "SNS"
    assert json.loads(letter.body)["id"] == "m1"
    assert letter.attempts == 0


def test_what_the_redrive_policy_moved_says_how_often_it_was_delivered(parked):
    """ApproximateReceiveCount counts across all queues (SQS API, ReceiveMessage), the listing itself included.

    MiniStack counts the same way: 3 after two deliveries and a listing.
    """
    letter = parked(payload("dead_by_redrive_policy"))

    assert letter.failure.reason == "DeliveriesExhausted"
    assert letter.attempts == 2 + 15
    assert "delivered 17 times" in letter.failure.text


def test_our_own_dead_letter_reads_as_it_was_written(parked):
    record = payload("sqs_redriven_dead_letter")["Records"][0]
    message = {
        "MessageId": record["messageId"],
        "ReceiptHandle": record["receiptHandle"],
        "Body": record["body"],
        "Attributes": {**record["attributes"], "ApproximateReceiveCount": "3"},
        "MessageAttributes": {
            name: {"DataType": "String", "StringValue": value["stringValue"]}
            for name, value in record["messageAttributes"].items()
        },
    }

    letter = parked(message)

    assert (letter.failure.reason, letter.failure.handler) == ("RuleViolation", "place_order")
    assert letter.failure.text == "the order is 3 days old"
    assert (letter.attempts, letter.first, letter.last) == (5, 1750420798.0, 1750421399.5)


def test_a_message_without_attributes_arrives():
    """ReceiveMessage leaves MessageAttributes out where there are none."""
    message = payload("dead_by_redrive_policy")
    del message["MessageAttributes"]

    assert arrived(message, "orders").receipt.attributes == {}


def test_bytes_that_are_no_base64_are_kept_as_they_are():
    """AWS's own SNS sample has one: `TestBinary`. MiniStack leaves the value of a binary attribute empty."""
    attributes = only("sns_documented").receipt.attributes

    assert attributes["Test"] == {"DataType": "String", "StringValue": "TestString"}
    assert attributes["TestBinary"]["DataType"] == "Binary"
    assert attributes["TestBinary"]["BinaryValue"] in (b"TestBinary", b64encode(b"TestBinary"))
