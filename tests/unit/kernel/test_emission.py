"""What a handler returns, seen as what goes to the bus and what the commit keeps."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from shared.kernel.codec import decode
from shared.kernel.message import About, After, Emission, Envelope
from shared.kernel.outcome import DONE, DeadLetter, Retry
from shared.kernel.ports import Outgoing, Timer
from shared.kernel.service import Service
from tests.support.kernel_fakes import (
    NOW,
    Add,
    Added,
    Noted,
    Reminded,
    World,
    delivery,
    message,
    tally_service,
)

ADDED = Added(1, 3, "n")


def service_returning(*emissions: Emission, **options: Any) -> Service:
    return tally_service(lambda _, __: emissions, **options)


def after_handling(*emissions: Emission, **attributes: Any) -> World:
    """A world in which one message was handled by returning these."""
    world = World(service_returning(*emissions))
    world.receive(delivery(Add(1), **attributes))
    return world


def emitted(emission: Emission, **attributes: Any) -> Envelope:
    """What follows from a message with these attributes."""
    (sent,) = after_handling(emission, **attributes).published()
    return sent


def test_an_emitted_message_says_who_emitted_what_about_what_and_when():
    made = emitted(ADDED, subject="s7")

    assert (made.source, made.type, made.subject, made.time) == ("/tally", "tally.added.v1", "s7", NOW)
    assert msgspec.json.decode(made.data, type=Added) == ADDED


def test_its_id_names_the_stream_the_version_and_the_place_in_the_commit():
    world = World(service_returning(ADDED, ADDED))

    world.receive(delivery(Add(1), id="m1", subject="s7"))
    world.receive(delivery(Add(1), id="m2", subject="s7"), delivery(Add(1), id="m3", subject="s7"))

    ids = [made.id for made in world.published()]
    assert ids == ["tally/s7:1:0", "tally/s7:1:1", "tally/s7:2:0", "tally/s7:2:1", "tally/s7:2:2", "tally/s7:2:3"]


def test_the_longest_name_and_key_leave_room_for_a_million_versions_and_a_thousand_messages():
    service = Service(name="t" * 20, state=msgspec.Struct, handles={}, emits={}, key=lambda _: "k" * 96)

    stream = service.stream(message(Add(1)))

    assert len(f"{stream}:999999:999") <= 128


def test_a_message_of_the_longest_stream_is_read_by_its_subscribers():
    world = World(service_returning(ADDED, key=lambda _: "k" * 96))

    world.receive(delivery(Add(1)))

    assert decode(world.broker.published[0].body).id == f"tally/{'k' * 96}:1:0"


def test_a_message_belongs_to_the_flow_of_its_cause():
    made = emitted(ADDED, id="m7", correlationid="flow", causationid="m6")

    assert (made.correlationid, made.causationid) == ("flow", "m7")


def test_a_cause_without_a_flow_begins_one():
    made = emitted(ADDED, id="m7")

    assert (made.correlationid, made.causationid) == ("m7", "m7")


def test_in_a_group_each_message_has_its_own_cause():
    world = World(service_returning(ADDED))

    world.receive(delivery(Add(1), id="m1", hops=3), delivery(Add(1), id="m2", correlationid="flow"))

    made = [(each.causationid, each.correlationid, each.hops) for each in world.published()]
    assert made == [("m1", "m1", 4), ("m2", "flow", 1)]


def test_a_message_is_one_hop_deeper_than_its_cause():
    assert emitted(ADDED, hops=4).hops == 5


def test_the_trace_is_passed_on():
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    assert emitted(ADDED, traceparent=parent).traceparent == parent
    assert emitted(ADDED).traceparent is None


def test_the_sequence_sorts_as_text_in_the_order_of_the_stream():
    world = World(service_returning(*[ADDED] * 11))

    for number in range(11):
        world.receive(delivery(Add(1), id=f"m{number}"))

    sequences = [made.sequence for made in world.published()]
    assert len(set(sequences)) == 121
    assert sequences == sorted(sequences)


def test_an_expiry_is_not_inherited():
    assert emitted(ADDED, expirytime=NOW + timedelta(seconds=1)).expirytime is None


def test_what_is_stored_is_what_is_sent():
    world = after_handling(ADDED, Added(2, 5))

    stored = [bytes(each.body) for each in world.commits()[0].messages]
    assert stored == [each.body for each in world.broker.published]


def test_what_is_sent_carries_what_filters_read():
    (sent,) = after_handling(ADDED, subject="s7").broker.published

    assert sent == Outgoing("tally/s7:1:0", "tally.added.v1", "s7", sent.body, to=None)


def test_a_timer_waits_in_the_index_until_it_is_due_for_the_emitting_service_alone():
    world = after_handling(After(90, Reminded()))

    (timer,) = world.timers()
    message = Outgoing("tally/s1:1:0", "tally.reminded.v1", "s1", timer.message.body, to="tally")
    assert timer == Timer(NOW.timestamp() + 90, message)
    assert world.published() == []


def test_a_timer_s_time_is_when_it_is_due():
    world = after_handling(After(90, Reminded()))

    assert decode(world.timers()[0].message.body).time == NOW + timedelta(seconds=90)
    assert world.commits()[0].messages[0].due == NOW.timestamp() + 90


def test_a_message_may_be_about_another_subject():
    world = after_handling(About("s8", ADDED))

    assert [sent.subject for sent in world.broker.published] == ["s8"]
    assert [(made.subject, made.id) for made in world.published()] == [("s8", "tally/s1:1:0")]


def test_a_timer_may_be_about_another_subject():
    (timer,) = after_handling(About("s8", After(90, Reminded()))).timers()

    assert (timer.message.subject, timer.message.to) == ("s8", "tally")


def test_a_private_message_is_stored_and_sent_to_nobody():
    world = after_handling(Noted("for me"), ADDED, Noted("too"))

    assert [each.private for each in world.commits()[0].messages] == [True, False, True]
    assert [made.id for made in world.published()] == ["tally/s1:1:1"]
    assert world.timers() == []


@pytest.mark.parametrize("subject", ["", "s" * 65, "a/b", "a b", "s8\n"])
def test_a_message_about_what_is_no_subject_is_a_bug(subject):
    world = World(service_returning(About(subject, ADDED)))

    (outcome,) = world.receive(delivery(Add(1)))

    assert isinstance(outcome, Retry)
    assert "is not 1 to 64 characters" in outcome.failure.text
    assert world.commits() == []


@pytest.mark.parametrize("emission", [Add(1), After(1, Add(1)), About("s8", Add(1))], ids=["plain", "after", "about"])
def test_a_payload_that_the_service_does_not_declare_is_a_bug(emission):
    world = World(service_returning(emission))

    (outcome,) = world.receive(delivery(Add(1)))

    assert isinstance(outcome, Retry)
    assert outcome.failure.error == "TypeError"
    assert "service 'tally'" in outcome.failure.text
    assert world.commits() == []


@pytest.mark.parametrize("nonsense", [None, "text", {"amount": 1}, Added], ids=repr)
def test_what_is_no_message_is_a_bug(nonsense):
    world = World(service_returning(nonsense))

    (outcome,) = world.receive(delivery(Add(1)))

    assert isinstance(outcome, Retry)
    assert outcome.failure.error == "TypeError"
    assert world.commits() == []


@pytest.mark.parametrize("emission", [Add(1, "my secret"), About("s8", Add(1, "my secret")), "my secret"], ids=repr)
def test_the_refusal_of_a_payload_does_not_quote_it(emission):
    (outcome,) = World(service_returning(emission)).receive(delivery(Add(1)))

    assert "TypeError" in outcome.failure.text
    assert "secret" not in outcome.failure.text


@pytest.mark.parametrize("payload", [Added(1, "three"), Added(1, 1, None), Added(1, float("nan"))], ids=repr)
def test_a_payload_that_nobody_could_read_is_refused_where_it_is_produced(payload):
    world = World(service_returning(payload))

    (outcome,) = world.receive(delivery(Add(1)))

    assert outcome != DONE
    assert world.commits() == []
    assert world.published() == []


def test_a_message_over_the_limit_is_refused_where_it_is_produced():
    world = World(service_returning(Added(1, 1, "x" * 200_000)))

    (outcome,) = world.receive(delivery(Add(1)))

    assert isinstance(outcome, DeadLetter)
    assert outcome.failure.reason == "TooLarge"
    assert "at most 196,608 travel on every broker" in outcome.failure.text
    assert world.commits() == []


def test_what_is_sent_again_is_what_was_sent():
    world = after_handling(ADDED, Noted("n"), After(90, Reminded()))
    first, timers = list(world.broker.published), world.timers()
    world.broker.published.clear()
    world.broker.remove(timers)

    world.receive(delivery(Add(1)))

    assert world.broker.published == first
    assert world.timers() == timers


def test_a_timer_is_not_private_because_it_would_never_come():
    (outcome,) = World(service_returning(After(5, Noted("x")))).receive(delivery(Add(1)))

    assert "which is private" in outcome.failure.text
