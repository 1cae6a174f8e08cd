"""Taking messages from subscriptions, and telling them what became of those."""

import pytest
from google.pubsub_v1 import types as pubsub

from infra.gcp.records import Receipt
from shared.kernel.errors import ConfigurationError
from tests.support.gcp_fakes import attached, in_turn, raising, refused, shown, subscription

SERVICE = "orders"
NAME = subscription("trefoil-dev-orders-0123abcd")
TYPE = {"type": "orders.place-order.v1", "subject": "o1"}


def test_many_are_acknowledged_in_requests_that_pubsub_takes(fake, gcp):
    """512 KiB a request; an ack id has a few hundred bytes."""
    gcp.subscriptions.acknowledge((NAME, f"ack{number}") for number in range(2500))

    requests = fake.called("Acknowledge")
    assert [len(request.ack_ids) for request in requests] == [1000, 1000, 500]
    assert {ack_id for request in requests for ack_id in request.ack_ids} == {f"ack{number}" for number in range(2500)}


def test_long_ack_ids_are_cut_by_bytes(fake, gcp):
    gcp.subscriptions.acknowledge((NAME, f"{number:03}" + "x" * 9_997) for number in range(60))

    assert [len(request.ack_ids) for request in fake.called("Acknowledge")] == [50, 10]


def test_each_subscription_hears_of_its_own(fake, gcp):
    older = subscription("trefoil-dev-orders-older")

    gcp.subscriptions.acknowledge([(NAME, "a"), (older, "b"), (NAME, "c")])

    found = {request.subscription: list(request.ack_ids) for request in fake.called("Acknowledge")}
    assert found == {NAME: ["a", "c"], older: ["b"]}


# -- leases


def received(number, **more):
    message = {"message_id": f"id{number}", "data": b"{}", "attributes": TYPE, **more}
    return pubsub.ReceivedMessage(ack_id=f"ack{number}", message=message, delivery_attempt=2)


@pytest.mark.parametrize(("seconds", "hidden"), [(1.5, 2), (300, 300), (99_999, 600)])
def test_a_lease_pulls_and_hides_for_as_long_as_is_asked(fake, gcp, seconds, hidden):
    fake.answers["Pull"] = shown(received(1, ordering_key="k", publish_time="2025-06-20T11:59:58.25Z"))

    (found,) = gcp.channels.lease(SERVICE, 5, seconds)

    (pull,), (hide,) = fake.called("Pull"), fake.called("ModifyAckDeadline")
    assert (pull.subscription, pull.max_messages) == (NAME, 5)
    assert (hide.subscription, list(hide.ack_ids), hide.ack_deadline_seconds) == (NAME, ["ack1"], hidden)
    assert (found.body, found.attempts) == (b"{}", 2)
    assert found.receipt == Receipt("id1", (NAME, "ack1"), TYPE, 1750420798.25, "k")


def test_nothing_to_lease_is_nothing(fake, gcp):
    assert gcp.channels.lease(SERVICE, 5, 30) == []
    assert fake.names() == ["ListTopicSubscriptions", "Pull"]


def test_a_subscription_of_an_older_filter_is_drained_too(fake, gcp):
    fake.answers["ListTopicSubscriptions"] = attached("orders", "orders-old", "order_status", "payments")
    fake.answers["Pull"] = shown(received(1), received(2), received(3), at_once=2)

    found = gcp.channels.lease(SERVICE, 3, 30)

    pulled = [(request.subscription, request.max_messages) for request in fake.called("Pull")]
    assert [each.receipt.handle for each in found] == [
        (NAME, "ack1"),
        (NAME, "ack2"),
        (subscription("trefoil-dev-orders-old-0123abcd"), "ack3"),
    ]
    assert pulled == [(NAME, 3), (subscription("trefoil-dev-orders-old-0123abcd"), 1)]


def test_a_full_lease_asks_no_further_subscription(fake, gcp):
    fake.answers["ListTopicSubscriptions"] = attached("orders", "orders-old")
    fake.answers["Pull"] = shown(received(1))

    gcp.channels.lease(SERVICE, 1, 30)

    assert len(fake.called("Pull")) == 1


def test_subscriptions_are_asked_for_once_and_page_by_page(fake, gcp):
    names = [NAME, subscription("trefoil-dev-orders-older")]
    pages = [pubsub.ListTopicSubscriptionsResponse(subscriptions=[name], next_page_token=name) for name in names]
    pages[-1].next_page_token = ""
    fake.answers["ListTopicSubscriptions"] = in_turn(*(lambda _, page=page: page for page in pages))

    for _ in range(2):
        gcp.channels.lease(SERVICE, 1, 30)

    assert len(fake.called("ListTopicSubscriptions")) == 2
    assert len(fake.called("Pull")) == 4


@pytest.mark.parametrize(
    ("asked", "answer", "what"),
    [
        ("ListTopicSubscriptions", raising(refused("NOT_FOUND")), "no topic 'trefoil-dev-bus'"),
        ("ListTopicSubscriptions", attached("payments"), "no subscription of 'orders'"),
        ("Pull", raising(refused("NOT_FOUND")), "no subscription 'trefoil-dev-orders-0123abcd'"),
    ],
)
def test_what_is_not_deployed_is_named_with_the_settings(fake, gcp, asked, answer, what):
    fake.answers[asked] = answer

    with pytest.raises(ConfigurationError, match=f"there is {what} in the project 'trefoil-tests': deploy first"):
        gcp.channels.lease(SERVICE, 1, 30)


def test_a_subscription_that_was_not_there_is_found_once_it_is(fake, gcp):
    fake.answers["ListTopicSubscriptions"] = in_turn(attached(), attached("orders"))
    with pytest.raises(ConfigurationError):
        gcp.channels.lease(SERVICE, 1, 30)

    assert gcp.channels.lease(SERVICE, 1, 30) == []
