"""What one stream makes of messages that come again, or come late."""

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.kernel.message import After, Emission, Message
from shared.kernel.outcome import DONE, DeadLetter, Defer, Retry
from shared.kernel.ports import Delivery
from shared.kernel.service import Limits
from tests.support.kernel_fakes import (
    NOW,
    Add,
    Noted,
    Reminded,
    Tally,
    World,
    add,
    adds,
    delivery,
    inflate,
    recording,
    spoiled,
    tally_service,
)

# -- again


def test_a_redelivered_message_is_handled_once():
    calls = []
    world = World(tally_service(recording(calls)))

    outcomes = world.receive(delivery(Add(3))) + world.receive(delivery(Add(3), attempts=2))

    assert outcomes == [DONE, DONE]
    assert calls == ["m1"]
    assert len(world.commits()) == 1


def test_a_redelivery_publishes_again_only_what_it_caused():
    world = World(tally_service())
    world.receive(*adds(1, 2, 3))
    first = list(world.broker.published)
    world.broker.published.clear()

    world.receive(adds(1, 2, 3)[1])

    assert world.broker.published == [first[1]]


def test_a_redelivery_sets_again_the_timers_it_caused():
    world = World(tally_service(lambda _, __: [After(60, Reminded())]))
    world.receive(delivery(Add(1)))
    timers = world.timers()
    world.broker.remove(timers)

    world.receive(delivery(Add(1)))

    assert world.timers() == timers


def test_a_redelivery_does_not_publish_what_is_private():
    world = World(tally_service(lambda _, __: [Noted("n")]))

    world.receive(delivery(Add(1)))
    world.receive(delivery(Add(1)))

    assert world.published() == []


def test_a_copy_with_another_trace_is_the_same_message():
    world = World(tally_service())

    outcomes = world.receive(delivery(Add(3)), delivery(Add(3), hops=2, traceparent="t", correlationid="c"))

    assert outcomes == [DONE, DONE]
    assert len(world.commits()[0].handled) == 1


def test_twins_in_one_batch_are_handled_once_and_both_done():
    calls = []
    world = World(tally_service(recording(calls)))

    outcomes = world.receive(delivery(Add(3)), delivery(Add(3)), delivery(Add(3)))

    assert outcomes == [DONE] * 3
    assert calls == ["m1"]
    assert world.totals() == [3]


def test_twins_share_the_fate_of_what_they_caused():
    world = World(tally_service())
    world.broker.lost = {"tally/s1:1:0"}

    outcomes = world.receive(delivery(Add(3)), delivery(Add(3)), delivery(Add(4), id="m2"))

    assert [type(outcome) for outcome in outcomes] == [Retry, Retry, type(DONE)]


def test_a_twin_gets_the_try_that_the_first_one_lost():
    failures = [ValueError("the first time only")]

    def fail_once(tally: Tally, message: Message[Add]) -> Iterable[Emission]:
        if failures:
            raise failures.pop()
        return add(tally, message)

    outcomes = World(tally_service(fail_once)).receive(delivery(Add(3)), delivery(Add(3)))

    assert isinstance(outcomes[0], Retry)
    assert outcomes[1] == DONE


def test_the_same_id_from_another_source_is_another_message():
    world = World(tally_service())

    outcomes = world.receive(delivery(Add(3)), delivery(Add(4), source="/other"))

    assert outcomes == [DONE, DONE]
    assert world.totals() == [3, 7]


ANOTHER = {
    "payload": delivery(Add(4)),
    "time": delivery(Add(3), time=NOW.replace(hour=11)),
    "type": Delivery(spoiled(type="tally.reminded.v1", data={})),
    "subject": delivery(Add(3), subject="s2"),
}


@pytest.mark.parametrize("other", ANOTHER.values(), ids=ANOTHER.keys())
@pytest.mark.parametrize("together", [True, False], ids=["one batch", "two batches"])
def test_one_id_with_two_contents_is_dead_lettered(other, together):
    world = World(tally_service(key=lambda _: "all"))
    first = delivery(Add(3))

    outcomes = world.receive(first, other) if together else world.receive(first) + world.receive(other)

    assert outcomes[0] == DONE
    assert isinstance(outcomes[1], DeadLetter)
    assert outcomes[1].failure.reason == "IdReused"
    assert "id 'm1' of source '/test'" in outcomes[1].failure.text
    assert world.totals() == [3]


def test_a_message_is_known_after_any_number_of_others():
    calls = []
    world = World(tally_service(recording(calls), limits=Limits(memory=2)))
    batch = [delivery(Add(1), id=f"m{n}", time=NOW.replace(minute=n)) for n in range(30)]
    for each in batch:
        world.receive(each)
    first = list(world.broker.published)
    world.broker.published.clear()

    outcomes = world.receive(*reversed(batch))

    assert outcomes == [DONE] * 30
    assert len(calls) == 30
    assert sorted(sent.id for sent in world.broker.published) == sorted(sent.id for sent in first)


def test_a_twin_is_known_even_if_a_snapshot_between_forgot_it():
    world = World(tally_service(inflate, limits=Limits(memory=1)))
    for number in range(6):
        world.receive(delivery(Add(1), id=f"before{number}", time=NOW.replace(minute=30)))
    old = {"id": "old", "time": NOW.replace(minute=1)}
    others = [delivery(Add(1), id=f"m{number}", time=NOW.replace(minute=40)) for number in range(4)]

    world.receive(delivery(Add(1), **old), *others, delivery(Add(1), **old))

    assert [handled.id for commit in world.commits() for handled in commit.handled].count("old") == 1


@settings(max_examples=50)
@given(
    st.lists(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 5)), max_size=5), max_size=8),
    st.integers(1, 5),
)
def test_however_messages_are_repeated_and_batched_each_counts_once(batches, memory):
    world = World(tally_service(limits=Limits(memory=memory)))
    minutes: dict[int, int] = {}

    for batch in batches:
        sent = [(number, minutes.setdefault(number, minute)) for number, minute in batch]
        world.receive(
            *[delivery(Add(2**number), id=f"m{number}", time=NOW.replace(minute=minute)) for number, minute in sent]
        )

    handled = [entry.id for commit in world.commits() for entry in commit.handled]
    assert sorted(handled) == sorted(f"m{number}" for number in minutes)
    assert max(world.totals(), default=0) == sum(2**number for number in minutes)


# -- time


def test_what_cannot_be_started_in_time_is_deferred():
    world = World(tally_service(limits=Limits(handler_seconds=10)))

    (outcome,) = world.receive(delivery(Add(1), attempts=5), deadline=NOW.timestamp() + 9.9)

    assert isinstance(outcome, Defer)
    assert outcome.failure.reason == "OutOfTime"
    assert world.commits() == []


def test_what_can_just_be_done_in_time_is_done():
    world = World(tally_service(limits=Limits(handler_seconds=10)))

    assert world.receive(delivery(Add(1)), deadline=NOW.timestamp() + 10) == [DONE]


def test_when_time_runs_short_the_rest_is_deferred():
    def take_four_seconds(tally: Tally, message: Message[Add]) -> Iterable[Emission]:
        world.clock.time += 4
        return add(tally, message)

    world = World(tally_service(take_four_seconds, limits=Limits(handler_seconds=10)))

    outcomes = world.receive(*adds(1, 2, 3, 4), deadline=NOW.timestamp() + 15)

    assert [type(outcome) for outcome in outcomes] == [type(DONE), type(DONE), Defer, Defer]
    assert world.totals() == [1, 3]


def test_what_was_handled_before_is_done_even_when_time_is_short():
    world = World(tally_service())
    world.receive(delivery(Add(1)))

    assert world.receive(delivery(Add(1)), deadline=NOW.timestamp()) == [DONE]
