"""Which messages are tried again, and when that ends."""

import pytest

from shared.kernel.errors import RuleViolation
from shared.kernel.outcome import DONE, IGNORED, DeadLetter, Retry
from shared.kernel.ports import Delivery
from shared.kernel.service import Limits
from tests.support.kernel_fakes import (
    Add,
    RacingStore,
    Reminded,
    World,
    adds,
    body,
    delivery,
    ignore,
    raising,
    spoiled,
    tally_service,
)

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
    assert forgetful.totals() == [3]


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
