"""Publishing: to the topic in batches, to a queue what is for one service, and what was not confirmed."""

import pytest
from botocore.exceptions import ConnectTimeoutError

from infra.aws.clients import Clients
from infra.aws.names import Names
from infra.aws.wiring import Aws
from shared.kernel.errors import PublishFailed
from shared.kernel.ports import Outgoing
from tests.support.aws_fakes import TOPIC, Refusal, confirmed, failing, in_turn, raising, texts

KIB = 1024


def message(number, to=None, body=b"{}"):
    return Outgoing(f"m{number}", "orders.order-placed.v1", f"o{number}", body, to)


def sizes(fake):
    return sorted(len(call.entries) for call in fake.called("PublishBatch"))


def test_events_go_to_the_topic_with_the_attributes_that_filters_read(fake, aws):
    lost = aws.bus.publish([message(1)])

    (call,) = fake.called("PublishBatch")
    assert lost == set()
    assert call.params["TopicArn"] == TOPIC
    assert [entry["Message"] for entry in call.entries] == ["{}"]
    assert texts(call.entries[0]) == {"type": "orders.order-placed.v1", "subject": "o1"}


def test_what_is_for_one_service_goes_to_its_queue_alone(fake, aws):
    aws.bus.publish([message(1, "orders"), message(2, "payments"), message(3, "orders")])

    sent = {call.queue: [texts(entry)["subject"] for entry in call.entries] for call in fake.called("SendMessageBatch")}
    assert sent == {"trefoil-dev-orders": ["o1", "o3"], "trefoil-dev-payments": ["o2"]}
    assert {texts(entry)["to"] for call in fake.called("SendMessageBatch") for entry in call.entries} == {
        "orders",
        "payments",
    }
    assert fake.called("PublishBatch") == []


def test_batches_are_cut_by_count(fake, aws):
    aws.bus.publish([message(number) for number in range(25)])

    assert sizes(fake) == [5, 10, 10]


def test_batches_are_cut_by_bytes_attributes_included(fake, aws):
    half = b'"' + b"x" * (128 * KIB - 2) + b'"'

    aws.bus.publish([message(number, body=half) for number in range(3)])

    assert sizes(fake) == [1, 1, 1]


@pytest.mark.parametrize("to", [None, "orders"])
def test_the_greatest_envelopes_go_one_by_one(fake, aws, to):
    aws.bus.publish([message(number, to, b"x" * 192 * KIB) for number in range(2)])

    assert [len(call.entries) for call in fake.calls if call.name.endswith("Batch")] == [1, 1]


def test_a_character_that_sns_refuses_is_escaped_on_both_ways(fake, aws):
    body = '{"text":"\uffff"}'.encode()

    aws.bus.publish([message(1, body=body), message(2, "orders", body)])

    bodies = [
        entry.get("Message") or entry["MessageBody"]
        for call in fake.calls
        if call.name.endswith("Batch")
        for entry in call.entries
    ]
    assert bodies == ['{"text":"\\uffff"}'] * 2


def test_ids_that_were_not_confirmed_are_reported(fake, aws):
    fake.answers["PublishBatch"] = failing("1", "11")

    lost = aws.bus.publish([message(number) for number in range(12)])

    assert lost == {"m1", "m11"}


def test_a_lost_message_for_one_service_is_reported_under_its_own_id(fake, aws):
    fake.answers["SendMessageBatch"] = failing("1")

    lost = aws.bus.publish([message(1), message(2, "orders"), message(3), message(4, "orders")])

    assert lost == {"m4"}


def test_nothing_confirmed_is_an_error(fake, aws):
    fake.answers["PublishBatch"] = raising(Refusal("AuthorizationError", 403, "no"))

    with pytest.raises(PublishFailed, match=r"none of 2 messages was confirmed: .*AuthorizationError"):
        aws.bus.publish([message(1), message(2)])


def test_a_batch_that_fails_leaves_the_others_confirmed(fake, aws):
    fake.answers["PublishBatch"] = in_turn(raising(ConnectTimeoutError(endpoint_url="https://sns")), confirmed)

    lost = aws.bus.publish([message(number) for number in range(20)])

    assert lost in ({f"m{n}" for n in range(10)}, {f"m{n}" for n in range(10, 20)})


def test_nothing_to_publish_asks_nobody(fake, aws):
    assert aws.bus.publish([]) == set()
    assert fake.calls == []


def test_a_queue_s_address_is_asked_for_once(fake, aws):
    for number in range(3):
        aws.bus.publish([message(number, "orders")])

    assert len(fake.called("GetQueueUrl")) == 1


@pytest.mark.parametrize("error", [Refusal("RequestThrottled", 403), ConnectTimeoutError(endpoint_url="https://sqs")])
def test_an_address_that_cannot_be_had_now_is_an_unconfirmed_message_not_a_bug(fake, aws, error):
    fake.answers["GetQueueUrl"] = raising(error)

    lost = aws.bus.publish([message(1), message(2, "orders")])

    assert lost == {"m2"}
    with pytest.raises(PublishFailed):
        aws.bus.publish([message(2, "orders")])


def test_a_queue_that_is_not_there_names_the_settings(fake, aws):
    fake.answers["GetQueueUrl"] = raising(Refusal("QueueDoesNotExist"))

    with pytest.raises(PublishFailed, match="no queue 'trefoil-dev-orders' in eu-west-1: deploy first, or set "):
        aws.bus.publish([message(1, "orders")])


def test_without_the_topic_s_arn_it_is_made_of_the_caller_s_account_once(fake):
    aws = Aws(Names("shop", "prod"), Clients(fake))

    for number in range(2):
        aws.bus.publish([message(number)])

    topics = {call.params["TopicArn"] for call in fake.called("PublishBatch")}
    assert topics == {"arn:aws:sns:eu-west-1:123456789012:shop-prod-bus"}
    assert len(fake.called("GetCallerIdentity")) == 1


def test_an_account_that_cannot_be_had_is_a_failure_to_publish(fake):
    fake.answers["GetCallerIdentity"] = raising(Refusal("ExpiredToken", 403))
    aws = Aws(Names(), Clients(fake))

    with pytest.raises(PublishFailed, match="ExpiredToken"):
        aws.bus.publish([message(1)])
