"""Listing dead letters, sending one again, dropping one."""

import time

import pytest

from infra.aws.batches import text
from infra.aws.records import deliveries
from shared.kernel.errors import PublishFailed, TrefoilError
from tests.support.aws_fakes import Refusal, failing, raising, texts
from tests.support.kernel_fakes import FakeClock

SERVICE = "orders"


def message(number, attributes=None):
    return {
        "MessageId": f"id{number}",
        "ReceiptHandle": f"h{number}",
        "Body": "{}",
        "Attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1000"},
        "MessageAttributes": {"trefoil-reason": text("Expired"), **(attributes or {})},
    }


@pytest.fixture
def shows(fake):
    """Let the queue show these messages, so many at a time, and then no more."""

    def show(*answers):
        left = list(answers)
        fake.answers["ReceiveMessage"] = lambda _: {"Messages": left.pop(0)} if left else {}

    return show


def test_a_listing_hides_what_it_reads_until_its_end_and_then_shows_it_again(fake, aws, shows):
    shows([message(n) for n in range(10)], [message(10)])

    found = [letter.id for letter in aws.system.dead_letters.parked(SERVICE)]

    shown = [entry for call in fake.called("ChangeMessageVisibilityBatch") for entry in call.entries]
    assert found == [f"id{n}" for n in range(11)]
    assert {call.params["VisibilityTimeout"] for call in fake.called("ReceiveMessage")} == {120}
    assert {call.queue for call in fake.called("ReceiveMessage")} == {"trefoil-dev-orders-dead"}
    assert [entry["ReceiptHandle"] for entry in shown] == [f"h{n}" for n in range(11)]
    assert {entry["VisibilityTimeout"] for entry in shown} == {0}
    assert [len(call.entries) for call in fake.called("ChangeMessageVisibilityBatch")] == [10, 1]


def test_a_listing_that_is_left_early_shows_again_what_it_hid(fake, aws, shows):
    shows([message(1), message(2)])

    listing = aws.system.dead_letters.parked(SERVICE)
    next(listing)
    listing.close()

    (call,) = fake.called("ChangeMessageVisibilityBatch")
    assert call.entries[0]["ReceiptHandle"] == "h1"


def test_sqs_is_given_time_to_ask_all_its_servers_where_it_counts_any(fake, aws, shows):
    shows([message(1)])
    list(aws.system.dead_letters.parked(SERVICE))

    fake.answers["GetQueueAttributes"] = lambda params: {"Attributes": dict.fromkeys(params["AttributeNames"], "0")}
    list(aws.system.dead_letters.parked(SERVICE))

    assert [call.params["WaitTimeSeconds"] for call in fake.called("ReceiveMessage")] == [1, 1, 0]


def test_a_listing_ends_although_what_it_read_first_shows_itself_again(fake, aws, monkeypatch):
    clock = FakeClock()
    monkeypatch.setattr(time, "monotonic", clock.now)
    fake.answers["ReceiveMessage"] = lambda _: clock.sleep(1) or {"Messages": [message(1)]}

    assert len(list(aws.system.dead_letters.parked(SERVICE))) == 90


def test_a_replay_goes_to_the_service_alone_and_is_then_dropped(fake, aws, shows):
    shows([message(1, {"type": text("orders.place-order.v1")})])
    (letter,) = aws.system.dead_letters.parked(SERVICE)

    aws.system.dead_letters.replay(letter)

    (sent,) = fake.called("SendMessageBatch")
    (dropped,) = fake.called("DeleteMessage")
    assert sent.queue == "trefoil-dev-orders"
    assert texts(sent.entries[0]) == {"type": "orders.place-order.v1", "to": "orders"}
    assert (dropped.queue, dropped.params["ReceiptHandle"]) == ("trefoil-dev-orders-dead", "h1")
    assert fake.names().index("SendMessageBatch") < fake.names().index("DeleteMessage")


@pytest.mark.parametrize("count", [0, 9, 10])
def test_a_replay_is_for_its_service_however_many_attributes_it_has(fake, aws, shows, count):
    own = {f"own{number}": text(str(number)) for number in range(count)}
    shows([{**message(1), "MessageAttributes": own}])
    (letter,) = aws.system.dead_letters.parked(SERVICE)

    aws.system.dead_letters.replay(letter)

    (entry,) = fake.called("SendMessageBatch")[0].entries
    record = {
        "messageId": "new",
        "receiptHandle": "h",
        "body": entry["MessageBody"],
        "attributes": {},
        "messageAttributes": {
            name: {"dataType": "String", "stringValue": value["StringValue"]}
            for name, value in entry["MessageAttributes"].items()
        },
    }
    (delivery,) = deliveries({"Records": [record]}, SERVICE)
    assert len(entry["MessageAttributes"]) <= 10
    assert delivery.addressed
    assert delivery.receipt.attributes == {**own, "to": text(SERVICE)}


def test_a_replay_that_fails_leaves_the_letter(fake, aws, shows):
    shows([message(1)])
    (letter,) = aws.system.dead_letters.parked(SERVICE)
    fake.answers["SendMessageBatch"] = failing("0", sender_fault=True)

    with pytest.raises(PublishFailed, match="dead letter orders/id1 was not sent again"):
        aws.system.dead_letters.replay(letter)

    assert fake.called("DeleteMessage") == []


def test_dropping_what_is_gone_is_no_error(fake, aws, shows):
    shows([message(1)])
    (letter,) = aws.system.dead_letters.parked(SERVICE)
    fake.answers["DeleteMessage"] = raising(Refusal("ReceiptHandleIsInvalid"))

    aws.system.dead_letters.drop(letter)

    assert len(fake.called("DeleteMessage")) == 1


def test_a_letter_of_another_listing_is_refused(aws, shows):
    shows([message(1)])
    (letter,) = aws.system.dead_letters.parked(SERVICE)

    with pytest.raises(TrefoilError, match="dead letter payments/id1 was not listed"):
        aws.system.dead_letters.drop(type(letter)("id1", "payments", letter.failure, 1, 0, 0, b""))
