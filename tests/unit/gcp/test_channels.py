"""What becomes of deliveries: put aside, given up, acknowledged; and what stays when a send fails."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.gcp.records import Receipt, delivery
from infra.gcp.wiring import function
from shared.kernel.outcome import DONE, IGNORED, DeadLetter, Defer, Failure, Retry
from shared.kernel.ports import Delivery
from tests.support.gcp_fakes import (
    fake_google,
    in_turn,
    published,
    pushed,
    raising,
    refused,
    subscription,
)
from tests.support.kernel_fakes import FakeClock

SERVICE = "orders"
NAME = subscription("trefoil-dev-orders-0123abcd")
FAILURE = Failure("RuleViolation", "RuleViolation", "too late", "place_order")
TYPE = {"type": "orders.place-order.v1", "subject": "o1"}
DEAD = "trefoil-dev-orders-dead"


@pytest.fixture
def gcp(gcp):
    gcp.channels._clock = FakeClock(2000.5)
    return gcp


def arrived(number=1, *, attributes=TYPE, key="", **more):
    """A delivery that was pulled."""
    receipt = Receipt(f"id{number}", (NAME, f"ack{number}"), attributes, 1000.25, key)
    return Delivery(**{"body": b"{}", "addressed": attributes.get("to") == SERVICE, "receipt": receipt, **more})


def own(count):
    """So many attributes of a sender's."""
    return {f"own{number:03}": str(number) for number in range(count)}


def put_aside(fake):
    """What waits in the index of timers."""
    return list(fake.stored("timers").values())


def came_back(gcp, fake):
    """What was put aside, published when it is due, and delivered."""
    gcp.bus.publish([timer.message for timer in gcp.timers.due(9e9, 100)])
    *_, sent = fake.sent()
    body = pushed(sent.data, dict(sent.attributes), messageId="new", orderingKey=sent.ordering_key)
    return delivery(body, {}, SERVICE)


def acknowledged(fake):
    return [ack_id for request in fake.called("Acknowledge") for ack_id in request.ack_ids]


# -- done


def test_what_is_done_is_left_to_the_answer_and_asks_nothing(fake, gcp):
    staying = gcp.channels.carry_out(SERVICE, [(arrived(1), DONE), (arrived(2), IGNORED)])

    assert staying == []
    assert fake.calls == []


def test_a_worker_acknowledges_what_is_done(fake, gcp):
    gcp.channels.settle(SERVICE, [(arrived(1), DONE), (arrived(2), IGNORED)])

    (request,) = fake.called("Acknowledge")
    assert request.subscription == NAME
    assert list(request.ack_ids) == ["ack1", "ack2"]


def test_an_acknowledgement_that_fails_is_left_to_the_redelivery(fake, gcp):
    fake.answers["Acknowledge"] = raising(refused("PERMISSION_DENIED"))

    gcp.channels.settle(SERVICE, [(arrived(1), DONE)])

    assert acknowledged(fake) == ["ack1"]


# -- retries


def test_a_retry_stays_and_asks_nothing(fake, gcp):
    retried = arrived(1)

    staying = gcp.channels.carry_out(SERVICE, [(retried, Retry(1.2, FAILURE)), (arrived(2), DONE)])

    assert staying == [retried]
    assert fake.calls == []


@pytest.mark.parametrize(("after", "hidden"), [(0, 0), (1.2, 2), (600, 600), (9999, 600)])
def test_a_worker_hides_a_retry_for_its_wait(fake, gcp, after, hidden):
    gcp.channels.settle(SERVICE, [(arrived(1), Retry(after, FAILURE))])

    (request,) = fake.called("ModifyAckDeadline")
    assert list(request.ack_ids) == ["ack1"]
    assert request.ack_deadline_seconds == hidden
    assert acknowledged(fake) == []


def test_a_retry_that_could_not_be_hidden_comes_again_when_its_lease_ends(fake, gcp):
    fake.answers["ModifyAckDeadline"] = raising(refused("NOT_FOUND"))

    gcp.channels.settle(SERVICE, [(arrived(1), Retry(1, FAILURE))])

    assert acknowledged(fake) == []


# -- deferrals


def test_a_deferral_is_put_aside_until_it_is_due(fake, gcp):
    staying = gcp.channels.carry_out(SERVICE, [(arrived(1, attempts=3, key="k"), Defer(7.25, FAILURE))])

    (timer,) = put_aside(fake)
    assert staying == []
    assert timer == {
        "due": 2007.75,
        "id": "orders:id1",
        "type": "orders.place-order.v1",
        "subject": "o1",
        "body": b"{}",
        "to": "orders",
        "ordering_key": "k",
        "attributes": {
            **TYPE,
            "to": "orders",
            "trefoil-attempts": "2",
            "trefoil-first": "1000.25",
            "trefoil-fanned-out": "true",
        },
    }
    assert fake.sent() == []


@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_a_deferral_uses_no_try(fake, gcp, attempts):
    gcp.channels.carry_out(SERVICE, [(arrived(1, attempts=attempts), Defer(1, FAILURE))])

    assert came_back(gcp, fake).attempts == attempts


def test_what_was_fanned_out_comes_back_as_it_came(fake, gcp):
    gcp.channels.carry_out(SERVICE, [(arrived(1, body=b"\x00\xff", key="k"), Defer(1, FAILURE))])

    found = came_back(gcp, fake)
    assert found.body == b"\x00\xff"
    assert not found.addressed
    assert found.receipt.attributes == TYPE
    assert (found.receipt.first, found.receipt.ordering_key) == (1000.25, "k")


def test_what_was_for_this_service_alone_is_so_when_it_comes_back(fake, gcp):
    attributes = {**TYPE, "to": SERVICE}

    gcp.channels.carry_out(SERVICE, [(arrived(1, attributes=attributes), Defer(1, FAILURE))])

    found = came_back(gcp, fake)
    assert found.addressed
    assert found.receipt.attributes == attributes


def test_a_binary_mode_message_can_be_read_when_it_comes_back(fake, gcp):
    attributes = {"ce-id": "m1", "ce-type": "a.b.v1", "Content-Type": "application/json"}

    gcp.channels.carry_out(SERVICE, [(arrived(1, attributes=attributes), Defer(1, FAILURE))])

    assert came_back(gcp, fake).attributes["ce-id"] == "m1"


def test_a_deferral_that_is_carried_out_twice_waits_once(fake, gcp):
    for _ in range(2):
        gcp.channels.carry_out(SERVICE, [(arrived(1), Defer(1, FAILURE))])

    assert len(put_aside(fake)) == 1


def test_two_services_put_the_same_message_aside_each_for_itself(fake, gcp):
    for service in ("orders", "payments"):
        gcp.channels.carry_out(service, [(arrived(1), Defer(1, FAILURE))])

    assert {timer["to"] for timer in put_aside(fake)} == {"orders", "payments"}


@pytest.mark.parametrize("code", ["UNAVAILABLE", "PERMISSION_DENIED", "NOT_FOUND", "UNAUTHENTICATED"])
def test_what_could_not_be_put_aside_stays(fake, gcp, code):
    fake.answers["Commit"] = raising(refused(code))
    deferred = [arrived(1), arrived(2)]

    staying = gcp.channels.carry_out(SERVICE, [(each, Defer(1, FAILURE)) for each in deferred] + [(arrived(3), DONE)])

    assert staying == deferred


# -- dead letters


def test_a_dead_letter_carries_why_how_often_and_when(fake, gcp):
    staying = gcp.channels.carry_out(SERVICE, [(arrived(1, attempts=5, body=b"[]", key="k"), DeadLetter(FAILURE))])

    (letter,) = fake.sent(DEAD)
    assert staying == []
    assert (letter.data, letter.ordering_key) == (b"[]", "k")
    assert dict(letter.attributes) == {
        **TYPE,
        "trefoil-reason": "RuleViolation",
        "trefoil-error": "RuleViolation",
        "trefoil-text": "too late",
        "trefoil-handler": "place_order",
        "trefoil-attempts": "5",
        "trefoil-first": "1000.25",
        "trefoil-last": "2000.5",
    }


def test_a_reason_without_a_text_has_no_empty_attribute(fake, gcp):
    gcp.channels.carry_out(SERVICE, [(arrived(1), DeadLetter(Failure("KeyError", "KeyError", "", "")))])

    assert all(fake.sent(DEAD)[0].attributes.values())


@pytest.mark.parametrize("said", ["a\0b", "é" * 500, "\uffff", "\U0001f600"])
def test_a_reason_s_text_stays_as_it_is(fake, gcp, said):
    gcp.channels.carry_out(SERVICE, [(arrived(1), DeadLetter(Failure("E", "E", said, "h")))])

    assert fake.sent(DEAD)[0].attributes["trefoil-text"] == said


def test_what_could_not_be_sent_stays_and_the_rest_goes(fake, gcp):
    fake.answers["Publish"] = in_turn(published, raising(refused("INVALID_ARGUMENT")))
    letters = [arrived(number, body=b"x" * 5_000_000) for number in (1, 2)]

    staying = gcp.channels.carry_out(SERVICE, [(letter, DeadLetter(FAILURE)) for letter in letters])

    assert staying == [letters[1]]


def test_a_dead_letter_topic_that_is_not_there_keeps_the_message(fake, gcp):
    fake.answers["Publish"] = raising(refused("NOT_FOUND"))
    letter = arrived(1)

    assert gcp.channels.carry_out(SERVICE, [(letter, DeadLetter(FAILURE))]) == [letter]


OUTCOMES = st.sampled_from([Defer(1, FAILURE), DeadLetter(FAILURE)])


@settings(max_examples=40)
@given(count=st.integers(0, 100), outcome=OUTCOMES, addressed=st.booleans())
def test_no_message_ever_has_more_than_a_hundred_attributes(count, outcome, addressed):
    attributes = own(count - 1) | {"to": SERVICE} if addressed and count else own(count)

    with fake_google() as fake:
        gcp = function()
        gcp.channels.carry_out(SERVICE, [(arrived(1, attributes=attributes), outcome)])
        sent = [dict(each.attributes) for each in fake.sent(DEAD)] or [each["attributes"] for each in put_aside(fake)]

    (found,) = sent
    lost = [name for name in attributes if name not in found]
    assert len(found) <= 100
    assert len(lost) == int(found.get("trefoil-left-out", 0))
    assert lost == [] or len(found) == 100


def test_where_there_is_no_room_what_says_what_a_message_is_stays(fake, gcp):
    attributes = own(95) | {"Ce-Id": "m1", "content-type": "x/y", **TYPE, "zz": "1"}

    gcp.channels.carry_out(SERVICE, [(arrived(1, attributes=attributes), DeadLetter(FAILURE))])

    (letter,) = fake.sent(DEAD)
    assert {"Ce-Id", "content-type", "type", "subject"} <= set(letter.attributes)
    assert letter.attributes["trefoil-left-out"] == "8"
    assert len(letter.attributes) == 100


# -- the order of things


def test_copies_and_letters_are_sent_before_anything_is_acknowledged(fake, gcp):
    settlements = [
        (arrived(1), DONE),
        (arrived(2), Retry(1, FAILURE)),
        (arrived(3), Defer(1, FAILURE)),
        (arrived(4), DeadLetter(FAILURE)),
    ]

    gcp.channels.settle(SERVICE, settlements)

    assert fake.names() == ["Publish", "Commit", "Acknowledge", "ModifyAckDeadline"]
    assert acknowledged(fake) == ["ack1", "ack3", "ack4"]


@pytest.mark.parametrize(("outcome", "asked"), [(Defer(1, FAILURE), "Commit"), (DeadLetter(FAILURE), "Publish")])
def test_a_worker_does_not_acknowledge_what_could_not_be_sent(fake, gcp, outcome, asked):
    fake.answers[asked] = raising(refused("PERMISSION_DENIED"))

    gcp.channels.settle(SERVICE, [(arrived(1), DONE), (arrived(2), outcome)])

    assert acknowledged(fake) == ["ack1"]
