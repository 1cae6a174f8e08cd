"""What becomes of deliveries: copied for later, given up, completed; and what stays when a send fails."""

import pytest
from azure.core.exceptions import ServiceRequestError
from azure.servicebus.exceptions import (
    MessageLockLostError,
    MessageSizeExceededError,
    MessagingEntityNotFoundError,
    ServiceBusConnectionError,
    ServiceBusServerBusyError,
)

from infra.azure.records import Receipt, arrived
from infra.azure.senders import BATCH_BYTES
from shared.kernel.outcome import DONE, IGNORED, DeadLetter, Defer, Failure, Retry
from shared.kernel.ports import Delivery
from tests.support.azure_fakes import arriving, body_of, in_turn, raising, told
from tests.support.kernel_fakes import FakeClock

SERVICE = "orders"
QUEUE, DEAD = "trefoil-dev-orders", "trefoil-dev-orders-dead"
FAILURE = Failure("RuleViolation", "RuleViolation", "too late", "place_order")
TYPE = {"type": "orders.place-order.v1", "subject": "o1"}
BUSY = raising(ServiceBusServerBusyError(message="busy"))


@pytest.fixture
def azure(azure):
    azure.channels._clock = FakeClock(2000.5)
    return azure


def delivered(number=1, *, properties=TYPE, content_type="application/cloudevents+json", subject="o1", **more):
    """A delivery of a trigger, whose host settles it."""
    receipt = Receipt(f"{number}", None, properties, 1000.25, content_type, subject, "flow")
    return Delivery(**{"body": b"{}", "addressed": properties.get("to") == SERVICE, "receipt": receipt, **more})


def came_back(fake):
    """The copy that was sent last, delivered."""
    return arrived(fake.sent(QUEUE)[-1], SERVICE)


# -- leases


def test_a_lease_takes_what_waits_and_no_more_than_it_is_told_to(fake, azure):
    fake.offer(QUEUE, *(arriving(number, b"%d" % number) for number in range(1, 4)))

    found = azure.channels.lease(SERVICE, 2, 300)

    assert [each.body for each in found] == [b"1", b"2"]
    assert fake.took("receive") == [[QUEUE, "2", "0.25"]]


def test_a_lease_counts_this_delivery_too(fake, azure):
    fake.offer(QUEUE, arriving(7, delivery_count=2, content_type="a/b", subject="s", correlation_id="c"))

    (found,) = azure.channels.lease(SERVICE, 1, 300)

    assert found.attempts == 3
    assert found.receipt.handle is fake.locked[QUEUE][0]
    assert (found.receipt.id, found.receipt.first) == ("7", 1000.25)
    assert (found.receipt.content_type, found.receipt.subject, found.receipt.correlation_id) == ("a/b", "s", "c")


def test_nothing_to_lease_is_nothing(azure):
    assert azure.channels.lease(SERVICE, 5, 300) == []


# -- done


def test_what_is_done_is_left_to_the_host_and_asks_nothing(fake, azure):
    staying = azure.channels.carry_out(SERVICE, [(delivered(1), DONE), (delivered(2), IGNORED)])

    assert staying == []
    assert fake.made == {}


def test_a_worker_completes_what_is_done(fake, azure):
    fake.offer(QUEUE, arriving(1), arriving(2))
    one, two = azure.channels.lease(SERVICE, 5, 300)

    azure.channels.settle(SERVICE, [(one, DONE), (two, IGNORED)])

    assert fake.took("complete") == [[QUEUE, "1"], [QUEUE, "2"]]
    assert fake.locked[QUEUE] == []


@pytest.mark.parametrize(
    "error", [MessageLockLostError(), ServiceBusConnectionError(message="no"), ValueError("closed")]
)
def test_a_message_that_could_not_be_completed_is_left_to_its_redelivery_and_the_next_one_is(fake, azure, error):
    fake.answers["complete"] = in_turn(raising(error), lambda _: None)
    fake.offer(QUEUE, arriving(1), arriving(2))
    leased = azure.channels.lease(SERVICE, 5, 300)

    azure.channels.settle(SERVICE, [(each, DONE) for each in leased])

    assert fake.took("complete") == [[QUEUE, "1"], [QUEUE, "2"]]


# -- copies


@pytest.mark.parametrize(("outcome", "attempts"), [(Retry(7.25, FAILURE), "3"), (Defer(7.25, FAILURE), "2")])
def test_what_is_to_come_again_is_a_copy_for_that_time(fake, azure, outcome, attempts):
    staying = azure.channels.carry_out(SERVICE, [(delivered(17, attempts=3), outcome)])

    (copy,) = fake.sent(QUEUE)
    assert staying == []
    assert body_of(copy) == b"{}"
    assert copy.message_id == "trefoil-dev-orders:17"
    assert copy.scheduled_enqueue_time_utc.timestamp() == 2007.75
    assert told(copy) == {**TYPE, "trefoil-attempts": attempts, "trefoil-first": "1000.25"}
    assert (copy.content_type, copy.subject, copy.correlation_id) == ("application/cloudevents+json", "o1", "flow")


@pytest.mark.parametrize("outcome", [Retry(0, FAILURE), Defer(0, FAILURE)])
def test_what_is_to_come_again_at_once_has_no_time(fake, azure, outcome):
    azure.channels.carry_out(SERVICE, [(delivered(), outcome)])

    assert fake.sent(QUEUE)[0].scheduled_enqueue_time_utc is None


@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_a_retry_uses_a_try_and_a_deferral_none(fake, azure, attempts):
    azure.channels.carry_out(SERVICE, [(delivered(attempts=attempts), Retry(1, FAILURE))])
    retried = came_back(fake).attempts
    azure.channels.carry_out(SERVICE, [(delivered(attempts=attempts), Defer(1, FAILURE))])

    assert (retried, came_back(fake).attempts) == (attempts + 1, attempts)


def test_a_copy_of_a_copy_counts_on_and_is_as_old_as_the_original(fake, azure):
    azure.channels.carry_out(SERVICE, [(delivered(1, attempts=1), Retry(1, FAILURE))])

    azure.channels.carry_out(SERVICE, [(came_back(fake), Retry(1, FAILURE))])

    found = came_back(fake)
    assert (found.attempts, found.receipt.first) == (3, 1000.25)
    assert {name.decode() for name in found.receipt.properties} == {"type", "subject"}


def test_copies_of_two_deliveries_of_one_message_have_ids_of_their_own(fake, azure):
    """A queue with duplicate detection would drop the second."""
    for number in (1, 2):
        azure.channels.carry_out(SERVICE, [(delivered(number), Retry(1, FAILURE))])

    assert len({each.message_id for each in fake.sent(QUEUE)}) == 2


@pytest.mark.parametrize("properties", [TYPE, {**TYPE, "to": SERVICE}])
def test_what_was_for_this_service_alone_is_so_when_it_comes_back_and_nothing_else_is(fake, azure, properties):
    azure.channels.carry_out(SERVICE, [(delivered(properties=properties), Defer(1, FAILURE))])

    assert came_back(fake).addressed is ("to" in properties)


def test_a_binary_mode_message_can_be_read_when_it_comes_back(fake, azure):
    original = delivered(properties={"cloudEvents:id": "m1"}, content_type="application/json", body=b"\x00\xff")

    azure.channels.carry_out(SERVICE, [(original, Defer(1, FAILURE))])

    found = came_back(fake)
    assert found.body == b"\x00\xff"
    assert found.attributes == {"ce-id": "m1", "content-type": "application/json"}


def test_what_nobody_knows_of_a_message_is_not_said_of_its_copy(fake, azure):
    azure.channels.carry_out(SERVICE, [(delivered(content_type=None, subject=None), Defer(1, FAILURE))])

    assert (fake.sent(QUEUE)[0].content_type, fake.sent(QUEUE)[0].subject) == (None, None)


KINDS = {
    "boolean": True,
    "null": None,
    "whole": -7,
    "long": 2**63 - 1,
    "longer": 2**64 - 1,
    "time": 1750420798250,
    "number": 1.5,
    "text": "é",
    "bytes": b"\xff\x00",
    "name": b"n",
}


@pytest.mark.parametrize("outcome", [Retry(1, FAILURE), DeadLetter(FAILURE)])
def test_properties_of_every_kind_travel_on(fake, azure, outcome):
    """The SDK reads whole numbers and bytes that it would not send."""
    azure.channels.carry_out(SERVICE, [(delivered(properties=KINDS), outcome)])

    (transfer,) = fake.transfers
    sent = told_bytes(transfer.messages[0])
    texts = {**KINDS, "long": b"9223372036854775807", "longer": b"18446744073709551615", "time": b"1750420798250"}
    assert {name: sent[name] for name in KINDS} == {**texts, "text": "é".encode()}


def told_bytes(message):
    return {name.decode(): value for name, value in message.application_properties.items()}


# -- dead letters


def test_a_dead_letter_carries_why_how_often_and_when(fake, azure):
    staying = azure.channels.carry_out(SERVICE, [(delivered(17, attempts=5, body=b"[]"), DeadLetter(FAILURE))])

    (letter,) = fake.sent(DEAD)
    assert staying == []
    assert (body_of(letter), letter.message_id) == (b"[]", "17")
    assert (letter.content_type, letter.subject, letter.correlation_id) == (
        "application/cloudevents+json",
        "o1",
        "flow",
    )
    assert told(letter) == {
        **TYPE,
        "trefoil-reason": "RuleViolation",
        "trefoil-error": "RuleViolation",
        "trefoil-text": "too late",
        "trefoil-handler": "place_order",
        "trefoil-attempts": "5",
        "trefoil-first": "1000.25",
        "trefoil-last": "2000.5",
    }


def test_a_reason_without_a_text_has_no_empty_property(fake, azure):
    azure.channels.carry_out(SERVICE, [(delivered(), DeadLetter(Failure("KeyError", "KeyError", "", "")))])

    assert all(told(fake.sent(DEAD)[0]).values())


@pytest.mark.parametrize("said", ["a\0b", "é" * 500, "\uffff", "\U0001f600"])
def test_a_reason_s_text_stays_as_it_is(fake, azure, said):
    azure.channels.carry_out(SERVICE, [(delivered(), DeadLetter(Failure("E", "E", said, "h")))])

    assert told(fake.sent(DEAD)[0])["trefoil-text"] == said


def test_where_there_is_no_room_for_all_the_message_and_the_reason_stay(fake, azure):
    body = b"x" * (BATCH_BYTES - 300)

    staying = azure.channels.carry_out(SERVICE, [(delivered(body=body), DeadLetter(FAILURE))])

    (letter,) = fake.sent(DEAD)
    assert staying == []
    assert body_of(letter) == body
    assert told(letter) == {"trefoil-reason": "RuleViolation"}


# -- the order of things


def test_copies_and_letters_are_sent_before_anything_is_settled(fake, azure):
    fake.offer(QUEUE, *(arriving(number) for number in range(1, 5)))
    leased = azure.channels.lease(SERVICE, 10, 300)
    outcomes = [DONE, Retry(1, FAILURE), Defer(1, FAILURE), DeadLetter(FAILURE)]
    fake.log.clear()

    azure.channels.settle(SERVICE, list(zip(leased, outcomes, strict=True)))

    assert fake.log == [
        ("send", DEAD),
        ("send", QUEUE),
        *(("complete", QUEUE, str(number)) for number in range(1, 5)),
    ]


@pytest.mark.parametrize("outcome", [Retry(1, FAILURE), Defer(1, FAILURE), DeadLetter(FAILURE)])
@pytest.mark.parametrize(
    "error",
    [
        ServiceBusServerBusyError(message="busy"),
        MessagingEntityNotFoundError(message="gone"),
        MessageSizeExceededError(message="big"),
        ServiceRequestError("no"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_could_not_be_sent_stays(fake, azure, outcome, error):
    fake.answers["send"] = raising(error)
    one, two = delivered(1), delivered(2)

    staying = azure.channels.carry_out(SERVICE, [(one, outcome), (delivered(3), DONE), (two, outcome)])

    assert staying == [one, two]


def test_what_could_not_be_sent_stays_and_the_rest_goes(fake, azure):
    fake.answers["send"] = in_turn(lambda _: None, BUSY)
    letters = [delivered(number, body=b"x" * 150_000) for number in (1, 2)]

    staying = azure.channels.carry_out(SERVICE, [(letter, DeadLetter(FAILURE)) for letter in letters])

    assert staying == [letters[1]]


def test_a_dead_letter_that_could_not_be_sent_keeps_no_copy_from_being_sent(fake, azure):
    fake.answers["send"] = in_turn(BUSY, lambda _: None)
    letter = delivered(1)

    staying = azure.channels.carry_out(SERVICE, [(letter, DeadLetter(FAILURE)), (delivered(2), Retry(1, FAILURE))])

    assert staying == [letter]
    assert len(fake.sent(QUEUE)) == 1


def test_a_worker_abandons_what_could_not_be_sent_and_completes_the_rest(fake, azure):
    fake.answers["send"] = BUSY
    fake.offer(QUEUE, arriving(1), arriving(2))
    one, two = azure.channels.lease(SERVICE, 5, 300)

    azure.channels.settle(SERVICE, [(one, Retry(1, FAILURE)), (two, DONE)])

    assert fake.took("abandon") == [[QUEUE, "1"]]
    assert fake.took("complete") == [[QUEUE, "2"]]
