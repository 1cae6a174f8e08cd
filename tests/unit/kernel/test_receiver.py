"""Batches on their way from the channel to the bus."""

from collections.abc import Iterable
from random import Random

import pytest

from shared.kernel.errors import OutOfOrder, RuleViolation, StoreUnavailable
from shared.kernel.message import Emission, Message
from shared.kernel.outcome import DONE, Retry
from shared.kernel.receiver import SUSPECT_AFTER
from tests.support.kernel_fakes import (
    Add,
    FailingStore,
    Noted,
    Tally,
    World,
    add,
    adds,
    delivery,
    raising,
    recording,
    tally_service,
)

# -- one message


def test_a_message_is_handled_committed_and_published():
    world = World(tally_service())

    outcomes = world.receive(delivery(Add(3)))

    assert outcomes == [DONE]
    assert [handled.id for commit in world.commits() for handled in commit.handled] == ["m1"]
    assert world.totals() == [3]


def test_state_lasts_from_batch_to_batch():
    world = World(tally_service())

    for number in range(1, 5):
        world.receive(delivery(Add(number), id=f"m{number}"))

    assert world.totals() == [1, 3, 6, 10]


def test_each_subject_has_a_stream_of_its_own():
    world = World(tally_service())

    world.receive(delivery(Add(1), id="m1", subject="a"), delivery(Add(2), id="m2", subject="b"))

    assert world.totals() == [1, 2]
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


# -- several at once


def test_in_a_group_each_handler_sees_what_its_predecessors_emitted():
    world = World(tally_service())

    world.receive(*adds(1, 2, 3))

    assert world.totals() == [1, 3, 6]
    assert len(world.commits()) == 1


@pytest.mark.parametrize("error", [ValueError("bug"), RuleViolation("refused"), OutOfOrder("too early")])
def test_one_failure_leaves_the_rest_of_its_batch_alone(error):
    world = World(tally_service(raising(error)))

    outcomes = world.receive(*adds(1, -1, 2), delivery(Add(5), id="m9", subject="s2"))

    assert [outcomes[0], outcomes[2], outcomes[3]] == [DONE] * 3
    assert outcomes[1].failure.error == type(error).__name__
    assert world.totals() == [1, 3, 5]


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
    assert world.totals() == [3]


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


def test_a_suspect_that_kills_every_worker_does_not_always_come_before_the_same_others():
    """Of those that wait behind it, each gets its turn before the broker gives up on it."""
    world = World(tally_service(raising(SystemExit())), random=Random(3).random)
    killer = delivery(Add(-1), SUSPECT_AFTER, id="killer")
    waiting = [killer, *[delivery(Add(1), SUSPECT_AFTER, id=id_) for id_ in "abc"]]

    for _ in range(10):
        with pytest.raises(SystemExit):
            world.receive(*waiting)
        done = [delivered.body for batch in world.settled for delivered, _ in batch]
        waiting = [each for each in waiting if each.body not in done]

    assert waiting == [killer]


def test_a_suspect_that_kills_the_process_takes_nobody_with_it():
    world = World(tally_service(raising(SystemExit())))

    with pytest.raises(SystemExit):
        world.receive(delivery(Add(-1), 3, id="suspect"), *adds(1, 2))

    assert [outcome for batch in world.settled for _, outcome in batch] == [DONE, DONE]
    assert world.totals() == [1, 3]
