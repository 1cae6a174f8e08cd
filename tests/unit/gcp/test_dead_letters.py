"""Listing dead letters, sending one again, dropping one."""

import time

import pytest
from google.pubsub_v1 import types as pubsub

from infra.gcp.records import delivery
from shared.kernel.errors import ConfigurationError, PublishFailed, TrefoilError
from tests.support.gcp_fakes import pushed, raising, refused, shown, subscription
from tests.support.kernel_fakes import FakeClock

SERVICE = "orders"
DEAD = subscription("trefoil-dev-orders-dead")


def message(number, **attributes):
    attributes = {"trefoil-reason": "Expired", **{name.replace("_", "-"): text for name, text in attributes.items()}}
    inner = {"message_id": f"id{number}", "data": b"{}", "attributes": attributes}
    return pubsub.ReceivedMessage(ack_id=f"ack{number:04}", message=inner)


@pytest.fixture
def letters(gcp):
    return gcp.system.dead_letters


def hidden(fake):
    """For how many seconds which were hidden, request by request."""
    return [(request.ack_deadline_seconds, list(request.ack_ids)) for request in fake.called("ModifyAckDeadline")]


def test_a_listing_hides_what_it_reads_so_that_it_ends(fake, letters):
    fake.answers["Pull"] = shown(*(message(number) for number in range(5)), at_once=3)

    found = [letter.id for letter in letters.parked(SERVICE)]

    assert found == [f"id{number}" for number in range(5)]
    assert {request.subscription for request in fake.called("Pull")} == {DEAD}
    assert hidden(fake) == [(300, ["ack0000", "ack0001", "ack0002"]), (300, ["ack0003", "ack0004"])]


def test_what_was_listed_is_shown_again_when_it_is_released(fake, letters):
    fake.answers["Pull"] = shown(message(1), message(2))
    list(letters.parked(SERVICE))

    letters.release()
    letters.release()

    assert hidden(fake)[1:] == [(0, ["ack0001", "ack0002"])]


def test_however_many_were_listed_all_are_shown_again(fake, letters):
    """One request about all of them would be too long for Pub/Sub."""
    fake.answers["Pull"] = shown(*(message(number) for number in range(1100)))
    list(letters.parked(SERVICE))

    letters.release()

    again = [ack_ids for seconds, ack_ids in hidden(fake) if seconds == 0]
    assert [len(ack_ids) for ack_ids in again] == [1000, 100]


def test_a_second_listing_begins_by_showing_what_the_first_hid(fake, letters):
    fake.answers["Pull"] = shown(message(1))
    list(letters.parked(SERVICE))

    list(letters.parked(SERVICE))

    assert fake.names() == ["Pull", "ModifyAckDeadline", "Pull", "ModifyAckDeadline", "Pull"]
    assert hidden(fake)[1] == (0, ["ack0001"])


def test_a_listing_that_is_left_early_shows_again_what_it_hid(fake, letters):
    fake.answers["Pull"] = shown(message(1), message(2))
    listing = letters.parked(SERVICE)
    next(listing)
    listing.close()

    letters.release()

    assert hidden(fake)[-1] == (0, ["ack0001", "ack0002"])


def test_a_listing_ends_although_what_it_read_first_shows_itself_again(fake, letters, monkeypatch):
    clock = FakeClock()
    monkeypatch.setattr(time, "monotonic", clock.now)
    fake.answers["Pull"] = lambda _: clock.sleep(1) or pubsub.PullResponse(received_messages=[message(1)])

    assert len(list(letters.parked(SERVICE))) == 90


def test_a_pull_that_finds_nothing_is_not_tried_again(fake, letters):
    assert list(letters.parked(SERVICE)) == []
    assert fake.names() == ["Pull"]
    assert fake.slept == []


def test_a_service_that_is_not_deployed_is_named(fake, letters):
    fake.answers["Pull"] = raising(refused("NOT_FOUND"))

    with pytest.raises(ConfigurationError, match="there is no subscription 'trefoil-dev-orders-dead' in the project"):
        list(letters.parked(SERVICE))


def test_a_replay_goes_to_the_service_alone_and_is_then_dropped(fake, letters):
    fake.answers["Pull"] = shown(message(1, type="orders.place-order.v1"))
    (letter,) = letters.parked(SERVICE)

    letters.replay(letter)

    (sent,), (dropped,) = fake.sent("trefoil-dev-bus"), fake.called("Acknowledge")
    assert dict(sent.attributes) == {"type": "orders.place-order.v1", "to": "orders"}
    assert sent.data == b"{}"
    assert (dropped.subscription, list(dropped.ack_ids)) == (DEAD, ["ack0001"])
    assert fake.names()[-2:] == ["Publish", "Acknowledge"]


@pytest.mark.parametrize("count", [0, 98, 99, 100])
def test_a_replay_is_for_its_service_however_many_attributes_it_has(fake, letters, count):
    own = {f"own{number}": str(number) for number in range(count)}
    inner = {"message_id": "id1", "data": b"{}", "attributes": own}
    fake.answers["Pull"] = shown(pubsub.ReceivedMessage(ack_id="ack", message=inner))
    (letter,) = letters.parked(SERVICE)

    letters.replay(letter)

    (sent,) = fake.sent()
    found = delivery(pushed(sent.data, dict(sent.attributes)), {}, SERVICE)
    assert len(sent.attributes) <= 100
    assert (found.addressed, found.attempts) == (True, 1)


def test_a_replay_has_all_its_tries_again(fake, letters):
    fake.answers["Pull"] = shown(message(1, trefoil_attempts="5", CloudPubSubDeadLetterSourceDeliveryCount="15"))
    (letter,) = letters.parked(SERVICE)

    letters.replay(letter)

    (sent,) = fake.sent()
    assert dict(sent.attributes) == {"to": "orders"}


def test_a_replay_that_fails_leaves_the_letter(fake, letters):
    fake.answers["Pull"] = shown(message(1))
    (letter,) = letters.parked(SERVICE)
    fake.answers["Publish"] = raising(refused("PERMISSION_DENIED"))

    with pytest.raises(PublishFailed, match=r"dead letter orders/id1 was not sent again: .*403"):
        letters.replay(letter)

    assert fake.called("Acknowledge") == []


def test_what_was_dropped_is_not_shown_again(fake, letters):
    fake.answers["Pull"] = shown(message(1), message(2))
    one, _ = letters.parked(SERVICE)

    letters.drop(one)
    letters.release()

    assert list(fake.called("Acknowledge")[0].ack_ids) == ["ack0001"]
    assert hidden(fake)[-1] == (0, ["ack0002"])


def test_dropping_what_is_gone_is_no_error(fake, letters):
    fake.answers["Pull"] = shown(message(1))
    (letter,) = letters.parked(SERVICE)
    fake.answers["Acknowledge"] = raising(refused("INVALID_ARGUMENT"))

    letters.drop(letter)

    assert len(fake.called("Acknowledge")) == 1


def test_a_letter_of_another_listing_is_refused(fake, letters):
    fake.answers["Pull"] = shown(message(1))
    (letter,) = letters.parked(SERVICE)

    with pytest.raises(TrefoilError, match="dead letter payments/id1 was not listed"):
        letters.drop(type(letter)("id1", "payments", letter.failure, 1, 0, 0, b""))
