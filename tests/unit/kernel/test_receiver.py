"""Batches on their way from the channel to the bus."""

from collections.abc import Iterable

import pytest

from shared.kernel.errors import OutOfOrder, ProviderUnavailable, RuleViolation, StoreUnavailable
from shared.kernel.message import After, Emission, Message
from shared.kernel.outcome import DONE, Retry
from shared.kernel.receiver import SUSPECT_AFTER
from shared.kernel.service import Limits
from shared.kernel.timers import tick
from tests.support.kernel_fakes import (
    Add,
    FailingStore,
    Noted,
    Reminded,
    Tally,
    World,
    add,
    adds,
    body,
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


def test_a_suspect_that_kills_the_process_takes_nobody_with_it():
    world = World(tally_service(raising(SystemExit())))

    with pytest.raises(SystemExit):
        world.receive(delivery(Add(-1), 3, id="suspect"), *adds(1, 2))

    assert [outcome for batch in world.settled for _, outcome in batch] == [DONE, DONE]
    assert world.totals() == [1, 3]


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
    assert world.totals() == [1, 3]


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
    assert world.totals() == [3]


def test_a_dead_letter_s_replay_is_handled_when_the_reason_is_gone():
    broken = World(tally_service(raising(ValueError("bug")), limits=Limits(tries=1)))
    broken.work(body(Add(-1)))
    (letter,) = broken.parked()
    mended = World(tally_service(), store=broken.store)

    mended.broker.replay(letter)
    mended.work()

    assert mended.totals() == [-1]


# -- timers


def test_a_timer_comes_back_to_its_own_service_when_it_is_due():
    calls = []

    def notice(_: Tally, message: Message[Reminded]) -> Iterable[Emission]:
        calls.append(message.id)
        return []

    service = tally_service(handles={Add: lambda _, __: [After(60, Reminded())], Reminded: notice})
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
