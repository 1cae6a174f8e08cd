from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.kernel.errors import OutOfOrder, ProviderUnavailable, RuleViolation, StoreUnavailable
from shared.kernel.message import After, Emission, Message
from shared.kernel.outcome import DONE, IGNORED, DeadLetter, Defer, Retry
from shared.kernel.ports import Delivery
from shared.kernel.receiver import SUSPECT_AFTER
from shared.kernel.service import Limits
from shared.kernel.timers import tick
from tests.support.kernel_fakes import (
    NOW,
    Add,
    Added,
    FailingStore,
    Noted,
    RacingStore,
    Reminded,
    Tally,
    World,
    add,
    body,
    delivery,
    ignore,
    spoiled,
    tally_service,
)


def adds(*amounts: int, **attributes: Any) -> list[Delivery]:
    return [delivery(Add(amount), id=f"m{number}", **attributes) for number, amount in enumerate(amounts, 1)]


def totals(world: World) -> list[int]:
    return [msgspec.json.decode(made.data, type=Added).total for made in world.published()]


def recording(calls: list[str]) -> Any:
    """The usual handler, which notes whom it was called for."""

    def add_and_note(tally: Tally, message: Message[Add]) -> Iterable[Emission]:
        calls.append(message.id)
        return add(tally, message)

    return add_and_note


def raising(error: BaseException) -> Any:
    """A handler that raises for amounts below zero, and is the usual one for others."""

    def add_or_raise(tally: Tally, message: Message[Add]) -> Iterable[Emission]:
        if message.data.amount < 0:
            raise error
        return add(tally, message)

    return add_or_raise


# -- one message


def test_a_message_is_handled_committed_and_published():
    world = World(tally_service())

    outcomes = world.receive(delivery(Add(3)))

    assert outcomes == [DONE]
    assert [handled.id for commit in world.commits() for handled in commit.handled] == ["m1"]
    assert totals(world) == [3]


def test_state_lasts_from_batch_to_batch():
    world = World(tally_service())

    for number in range(1, 5):
        world.receive(delivery(Add(number), id=f"m{number}"))

    assert totals(world) == [1, 3, 6, 10]


def test_each_subject_has_a_stream_of_its_own():
    world = World(tally_service())

    world.receive(delivery(Add(1), id="m1", subject="a"), delivery(Add(2), id="m2", subject="b"))

    assert totals(world) == [1, 2]
    assert [len(world.commits(f"tally/{subject}")) for subject in "ab"] == [1, 1]


def test_an_empty_batch_is_nothing():
    world = World(tally_service())

    assert world.receive() == []
    assert world.settled == []


def test_a_message_is_settled_only_after_what_it_caused_was_published():
    world = World(tally_service())
    seen = []

    world.receiver.receive([delivery(Add(1))], lambda _: seen.append(len(world.broker.published)))

    assert seen == [1]


def test_a_message_is_published_only_after_it_was_committed():
    store = FailingStore()
    store.append_error = StoreUnavailable("no answer")
    world = World(tally_service(), store=store)

    (outcome,) = world.receive(delivery(Add(1)))

    assert isinstance(outcome, Retry)
    assert world.published() == []


def test_a_handler_may_be_a_generator():
    def generate(tally: Tally, message: Message[Add]) -> Iterable[Emission]:
        yield Noted("first")
        yield from add(tally, message)

    world = World(tally_service(generate))

    world.receive(delivery(Add(3)))

    assert len(world.commits()[0].messages) == 2


def test_a_handler_that_says_nothing_is_called_once_all_the_same():
    calls = []
    world = World(tally_service(lambda _, message: calls.append(message.id) or []))

    outcomes = world.receive(delivery(Add(1))) + world.receive(delivery(Add(1)))

    assert outcomes == [DONE, DONE]
    assert calls == ["m1"]


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
    assert totals(world) == [3]


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
    assert totals(world) == [3, 7]


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
    assert totals(world) == [3]


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
    def inflate(tally: Tally, _: Message[Add]) -> Iterable[Emission]:
        return [Added(1, tally.total + 1, "x" * 150_000)]

    world = World(tally_service(inflate, limits=Limits(memory=1)))
    for number in range(6):
        world.receive(delivery(Add(1), id=f"before{number}", time=NOW.replace(minute=30)))
    old = {"id": "old", "time": NOW.replace(minute=1)}
    others = [delivery(Add(1), id=f"m{number}", time=NOW.replace(minute=40)) for number in range(4)]

    world.receive(delivery(Add(1), **old), *others, delivery(Add(1), **old))

    assert [handled.id for commit in world.commits() for handled in commit.handled].count("old") == 1


@given(
    st.lists(st.lists(st.tuples(st.integers(0, 15), st.integers(0, 5)), max_size=6), max_size=10),
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
    assert max(totals(world), default=0) == sum(2**number for number in minutes)


# -- several at once


def test_in_a_group_each_handler_sees_what_its_predecessors_emitted():
    world = World(tally_service())

    world.receive(*adds(1, 2, 3))

    assert totals(world) == [1, 3, 6]
    assert len(world.commits()) == 1


@pytest.mark.parametrize("error", [ValueError("bug"), RuleViolation("refused"), OutOfOrder("too early")])
def test_one_failure_leaves_the_rest_of_its_batch_alone(error):
    world = World(tally_service(raising(error)))

    outcomes = world.receive(*adds(1, -1, 2), delivery(Add(5), id="m9", subject="s2"))

    assert [outcomes[0], outcomes[2], outcomes[3]] == [DONE] * 3
    assert outcomes[1].failure.error == type(error).__name__
    assert totals(world) == [1, 3, 5]


def test_a_stream_that_cannot_be_read_is_its_own_messages_trouble_only():
    store = FailingStore()
    store.unreadable["tally/s1"] = StoreUnavailable("no answer")
    world = World(tally_service(), store=store)

    outcomes = world.receive(delivery(Add(1)), delivery(Add(2), id="m2", subject="s2"))

    assert isinstance(outcomes[0], Retry)
    assert outcomes[1] == DONE


def test_a_bug_in_the_store_is_its_own_messages_trouble_only():
    store = FailingStore()
    store.unreadable["tally/s1"] = KeyError("bug")
    world = World(tally_service(), store=store)

    outcomes = world.receive(delivery(Add(1)), delivery(Add(2), id="m2", subject="s2"))

    assert outcomes[0].failure.error == "KeyError"
    assert outcomes[1] == DONE


def test_a_bug_in_a_key_is_its_own_message_s_trouble_only():
    world = World(tally_service(key=lambda message: f"k{6 // message.data.amount}"))

    outcomes = world.receive(*adds(0, 2))

    assert outcomes[0].failure.error == "ZeroDivisionError"
    assert outcomes[1] == DONE


def test_what_failed_waits_for_the_append_to_count():
    store = FailingStore()
    store.append_error = StoreUnavailable("no answer")
    world = World(tally_service(raising(RuleViolation("refused"))), store=store)

    outcomes = world.receive(*adds(1, -1))

    assert [outcome.failure.error for outcome in outcomes] == ["StoreUnavailable"] * 2


def test_an_append_whose_answer_was_lost_is_found_by_the_redelivery():
    calls, store = [], FailingStore()
    world = World(tally_service(recording(calls)), store=store)
    store.append_error, store.applied_all_the_same = StoreUnavailable("no answer"), True

    lost = world.receive(delivery(Add(3)))
    store.append_error = None
    found = world.receive(delivery(Add(3), attempts=2))

    assert isinstance(lost[0], Retry)
    assert found == [DONE]
    assert calls == ["m1"]
    assert totals(world) == [3]


# -- suspects


def test_from_the_third_receive_a_message_is_handled_alone_and_last():
    calls = []
    world = World(tally_service(recording(calls)))
    suspect = delivery(Add(1), SUSPECT_AFTER, id="suspect")

    outcomes = world.receive(suspect, *adds(1, 2))

    assert SUSPECT_AFTER == 3
    assert outcomes == [DONE] * 3
    assert calls == ["m1", "m2", "suspect"]
    assert [[delivered.attempts for delivered, _ in batch] for batch in world.settled] == [[1, 1], [3]]


def test_each_suspect_is_handled_apart_from_the_others():
    world = World(tally_service())

    world.receive(*[delivery(Add(1), 3 + number, id=f"m{number}") for number in range(3)])

    assert [len(batch) for batch in world.settled] == [1, 1, 1]


def test_a_suspect_that_kills_the_process_takes_nobody_with_it():
    world = World(tally_service(raising(SystemExit())))

    with pytest.raises(SystemExit):
        world.receive(delivery(Add(-1), 3, id="suspect"), *adds(1, 2))

    assert [outcome for batch in world.settled for _, outcome in batch] == [DONE, DONE]
    assert totals(world) == [1, 3]


# -- types


def test_a_type_not_handled_here_is_ignored():
    world = World(tally_service())

    outcomes = world.receive(Delivery(spoiled(type="weather.changed.v1")), delivery(Add(1), id="m2"))

    assert outcomes == [IGNORED, DONE]


def test_a_type_not_handled_here_is_dead_lettered_when_it_was_addressed_here():
    (outcome,) = World(tally_service()).receive(Delivery(spoiled(type="weather.changed.v1"), addressed=True))

    assert isinstance(outcome, DeadLetter)
    assert outcome.failure.reason == "UnknownType"
    assert "'weather.changed.v1' is not a known message type" in outcome.failure.text


@pytest.mark.parametrize("attempts", [1, 4])
def test_a_version_newer_than_this_code_is_tried_again(attempts):
    (outcome,) = World(tally_service()).receive(Delivery(spoiled(type="tally.add.v2"), attempts))

    assert isinstance(outcome, Retry)
    assert outcome.failure.error == "UnknownVersion"


def test_a_version_newer_than_this_code_is_dead_lettered_in_the_end():
    (outcome,) = World(tally_service()).receive(Delivery(spoiled(type="tally.add.v2"), 5))

    assert isinstance(outcome, DeadLetter)
    assert (outcome.failure.reason, outcome.failure.error) == ("TriesExhausted", "UnknownVersion")


def test_what_was_handled_before_is_done_even_if_this_code_can_no_longer_read_it():
    before = World(tally_service())
    before.receive(delivery(Add(3)))
    forgetful = World(tally_service(handles={Reminded: ignore}), store=before.store)

    outcomes = forgetful.receive(delivery(Add(3)))

    assert outcomes == [DONE]
    assert totals(forgetful) == [3]


# -- bugs and tries


def test_a_bug_in_a_handler_is_tried_again_with_its_traceback():
    world = World(tally_service(raising(ZeroDivisionError("by zero"))))

    (outcome,) = world.receive(delivery(Add(-1)))

    assert isinstance(outcome, Retry)
    assert outcome.failure.handler == "add_or_raise"
    assert "in add_or_raise" in outcome.failure.text
    assert outcome.failure.text.endswith("ZeroDivisionError: by zero\n")
    assert world.commits() == []


def test_a_bug_is_dead_lettered_on_the_last_try():
    world = World(tally_service(raising(ZeroDivisionError("by zero")), limits=Limits(tries=2)))

    outcomes = world.receive(delivery(Add(-1), 1)) + world.receive(delivery(Add(-1), 2))

    assert isinstance(outcomes[0], Retry)
    assert isinstance(outcomes[1], DeadLetter)
    assert (outcomes[1].failure.reason, outcomes[1].failure.error) == ("TriesExhausted", "ZeroDivisionError")
    assert outcomes[1].failure.text.endswith("ZeroDivisionError: by zero\n")


def test_tries_are_used_up_one_by_one_and_the_letter_tells_how_many():
    world = World(tally_service(raising(ValueError("bug"))))

    world.work(body(Add(-1)))
    for _ in range(10):
        world.clock.sleep(3600)
        world.work()

    (letter,) = world.parked()
    assert (letter.attempts, letter.failure.reason) == (5, "TriesExhausted")
    assert letter.body == body(Add(-1))
    assert world.waiting() == []


def test_a_permanent_error_is_dead_lettered_after_one_attempt():
    world = World(tally_service(raising(RuleViolation("refused"))))

    world.work(body(Add(-1)))

    (letter,) = world.parked()
    assert (letter.attempts, letter.failure.reason, letter.failure.text) == (1, "RuleViolation", "refused")


def test_a_deferral_uses_no_try():
    store = RacingStore()
    world = World(tally_service(), store=store)

    store.rivals = [lambda: store.overtake("tally/s1")] * 5 * 8
    world.work(body(Add(1)))
    for _ in range(8):
        world.clock.sleep(3600)
        world.work()

    assert world.counters.counts["tally", "Defer"] == 8
    assert world.counters.counts["tally", "Done"] == 1
    assert world.parked() == []


def test_an_error_that_nobody_can_put_into_words_is_a_bug_like_any_other():
    world = World(tally_service(raising(ValueError("file \udcff not found"))))

    outcomes = world.receive(*adds(1, -1, 2))

    assert [outcomes[0], outcomes[2]] == [DONE, DONE]
    assert isinstance(outcomes[1], Retry)


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
    assert totals(world) == [1, 3]


def test_what_was_handled_before_is_done_even_when_time_is_short():
    world = World(tally_service())
    world.receive(delivery(Add(1)))

    assert world.receive(delivery(Add(1)), deadline=NOW.timestamp()) == [DONE]


# -- somebody was first


def test_a_conflict_is_handled_anew_on_what_the_other_left():
    store = RacingStore()
    calls = []
    world, rival = World(tally_service(recording(calls)), store=store), World(tally_service(), store=store)
    store.rivals = [lambda: rival.receive(delivery(Add(10), id="rival"))]

    outcomes = world.receive(delivery(Add(1)))

    assert outcomes == [DONE]
    assert totals(world) == [11]
    assert calls == ["m1", "m1"]


def test_a_conflict_with_a_copy_of_itself_takes_effect_once():
    store = RacingStore()
    world, rival = World(tally_service(), store=store), World(tally_service(), store=store)
    store.rivals = [lambda: rival.receive(delivery(Add(3)))]

    outcomes = world.receive(delivery(Add(3)))

    assert outcomes == [DONE]
    assert len(world.commits()) == 1
    assert totals(world) == totals(rival) == [3]


def test_after_four_conflicts_the_fifth_attempt_may_succeed():
    store = RacingStore()
    world = World(tally_service(), store=store)
    store.rivals = [lambda: store.overtake("tally/s1")] * 4

    outcomes = world.receive(delivery(Add(1)))

    assert outcomes == [DONE]
    assert store.appends == 5


def test_after_five_conflicts_a_message_is_deferred_with_jittered_waits_between():
    store = RacingStore()
    world = World(tally_service(), store=store, jitter=0.5)
    store.rivals = [lambda: store.overtake("tally/s1")] * 100

    (outcome,) = world.receive(delivery(Add(1), attempts=2))

    assert isinstance(outcome, Defer)
    assert outcome.failure.reason == "ConcurrencyConflict"
    assert store.appends == 5
    assert world.clock.slept == [0.005, 0.01, 0.02, 0.04]


def test_a_conflict_in_the_middle_of_a_split_group_repeats_nothing():
    def inflate(tally: Tally, _: Message[Add]) -> Iterable[Emission]:
        return [Added(1, tally.total + 1, "x" * 150_000)]

    store = RacingStore()
    world = World(tally_service(inflate), store=store)
    store.rivals = [lambda: None, lambda: store.overtake("tally/s1")]

    outcomes = world.receive(*adds(1, 1, 1, 1))

    assert outcomes == [DONE] * 4
    assert [[entry.id for entry in commit.handled] for commit in world.commits()] == [["m1", "m2"], [], ["m3", "m4"]]
    assert totals(world) == [1, 2, 3, 4]


# -- publishing


def test_what_the_bus_did_not_take_is_tried_again_and_then_published():
    world = World(tally_service())
    world.broker.lost = {"tally/s1:1:1"}

    outcomes = world.receive(*adds(1, 2))
    world.broker.lost = set()
    again = world.receive(delivery(Add(2), 2, id="m2"))

    assert outcomes[0] == DONE
    assert isinstance(outcomes[1], Retry)
    assert outcomes[1].failure.error == "PublishFailed"
    assert again == [DONE]
    assert totals(world) == [1, 3]


def test_a_bus_that_is_down_makes_all_try_again_but_those_who_said_nothing():
    world = World(tally_service(lambda tally, message: add(tally, message) if message.data.amount else []))
    world.broker.down = True

    outcomes = world.receive(*adds(1, 0))

    assert isinstance(outcomes[0], Retry)
    assert outcomes[0].failure.error == "PublishFailed"
    assert outcomes[1] == DONE


def test_a_timer_that_could_not_be_set_is_tried_again():
    world = World(tally_service(lambda _, __: [After(60, Reminded())]))
    world.broker.down = True

    (outcome,) = world.receive(delivery(Add(1)))

    assert isinstance(outcome, Retry)
    assert outcome.failure.error == "PublishFailed"


def test_what_can_never_be_published_is_dead_lettered_and_healed_by_its_replay():
    world = World(tally_service(limits=Limits(tries=1)))
    world.broker.lost = {"tally/s1:1:0"}
    world.work(body(Add(3)))
    (letter,) = world.parked()
    published = world.published()
    world.broker.lost = set()

    world.broker.replay(letter)
    world.work()

    assert published == []
    assert letter.failure.reason == "TriesExhausted"
    assert world.parked() == []
    assert totals(world) == [3]


def test_a_dead_letter_s_replay_is_handled_when_the_reason_is_gone():
    handlers = [raising(ValueError("bug")), add]
    world = World(tally_service(lambda tally, message: handlers[0](tally, message), limits=Limits(tries=1)))
    world.work(body(Add(-1)))
    handlers.pop(0)

    world.broker.replay(world.parked()[0])
    world.work()

    assert totals(world) == [-1]


# -- timers


def test_a_timer_comes_back_to_its_own_service_when_it_is_due():
    calls = []
    service = tally_service(
        handles={Add: lambda _, __: [After(60, Reminded())], Reminded: lambda _, message: calls.append(message.id) or []}
    )
    world = World(service)
    world.receive(delivery(Add(1)))

    world.clock.sleep(60)
    tick(world.broker, world.broker, world.clock)
    (due,) = world.broker.lease("tally", 10, 60)
    outcomes = world.receive(due)

    assert due.addressed
    assert outcomes == [DONE]
    assert calls == ["tally/s1:1:0"]


def test_twins_set_one_timer():
    world = World(tally_service(lambda _, __: [After(60, Reminded())]))

    world.receive(delivery(Add(1)), delivery(Add(1)))

    assert len(world.timers()) == 1


# -- a provider


def test_a_handler_in_a_service_with_a_provider_is_given_it():
    given_to = []

    class Provider:
        """Some outside system."""

    def call(_: Tally, __: Message[Add], provider: Provider) -> Iterable[Emission]:
        given_to.append(provider)
        return []

    provider = Provider()
    world = World(tally_service(handles={Add: call}, provider=Provider), provider=provider)

    world.receive(delivery(Add(1)))

    assert given_to == [provider]


def test_a_provider_that_does_not_answer_uses_a_try():
    class Provider:
        """Some outside system."""

    def call(_: Tally, __: Message[Add], ___: Provider) -> Iterable[Emission]:
        raise ProviderUnavailable("no answer")

    world = World(tally_service(handles={Add: call}, provider=Provider), provider=Provider())

    (outcome,) = world.receive(delivery(Add(1)))

    assert isinstance(outcome, Retry)
    assert outcome.failure.error == "ProviderUnavailable"
