"""Somebody else was first to commit to the stream (optimistic concurrency control)."""

from shared.kernel.outcome import DONE, Defer
from tests.support.kernel_fakes import Add, RacingStore, World, adds, delivery, inflate, recording, tally_service


def test_a_conflict_is_handled_anew_on_what_the_other_left():
    store = RacingStore()
    calls = []
    world, rival = World(tally_service(recording(calls)), store=store), World(tally_service(), store=store)
    store.rivals = [lambda: rival.receive(delivery(Add(10), id="rival"))]

    outcomes = world.receive(delivery(Add(1)))

    assert outcomes == [DONE]
    assert world.totals() == [11]
    assert calls == ["m1", "m1"]


def test_a_conflict_with_a_copy_of_itself_takes_effect_once():
    store = RacingStore()
    world, rival = World(tally_service(), store=store), World(tally_service(), store=store)
    store.rivals = [lambda: rival.receive(delivery(Add(3)))]

    outcomes = world.receive(delivery(Add(3)))

    assert outcomes == [DONE]
    assert len(world.commits()) == 1
    assert world.totals() == rival.totals() == [3]


def test_after_four_conflicts_the_fifth_attempt_may_succeed():
    store = RacingStore()
    world = World(tally_service(), store=store)
    store.rivals = [lambda: store.overtake("tally/s1")] * 4

    outcomes = world.receive(delivery(Add(1)))

    assert outcomes == [DONE]
    assert store.appends == 5


def test_after_five_conflicts_a_message_is_deferred_with_short_waits_between():
    store = RacingStore()
    world = World(tally_service(), store=store)
    store.rivals = [lambda: store.overtake("tally/s1")] * 100

    (outcome,) = world.receive(delivery(Add(1), attempts=2))

    assert isinstance(outcome, Defer)
    assert outcome.failure.reason == "ConcurrencyConflict"
    assert store.appends == 5
    assert 1 <= len(world.clock.slept) <= 4
    assert world.clock.slept == sorted(world.clock.slept)
    assert 0 < sum(world.clock.slept) < 1


def test_a_conflict_in_the_middle_of_a_split_group_repeats_nothing():
    store = RacingStore()
    world = World(tally_service(inflate), store=store)
    store.rivals = [lambda: None, lambda: store.overtake("tally/s1")]

    outcomes = world.receive(*adds(1, 1, 1, 1))

    assert outcomes == [DONE] * 4
    assert [[entry.id for entry in commit.handled] for commit in world.commits()] == [["m1", "m2"], [], ["m3", "m4"]]
    assert world.totals() == [1, 2, 3, 4]
