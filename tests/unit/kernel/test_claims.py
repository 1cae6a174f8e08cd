"""At most once: an effect without an idempotency key is claimed first and never asked for twice."""

from datetime import timedelta
from typing import Any

import pytest

from infra.local.memory import MemoryStore
from shared.kernel.errors import OutcomeUnknown, ProviderUnavailable, RuleViolation, StoreUnavailable
from shared.kernel.outcome import DONE, DeadLetter, Defer, Outcome, Retry
from tests.support.kernel_fakes import (
    NOW,
    Add,
    FailingStore,
    FakeClock,
    RacingStore,
    World,
    delivery,
)
from tests.unit.kernel.printer import Printer, printing


def dying(world: World, **attributes: Any) -> None:
    """Handle a message in a worker that dies in the middle of the call."""
    with pytest.raises(SystemExit):
        world.receive(delivery(Add(1), **attributes))


def reason(outcome: Outcome) -> str:
    return outcome.failure.reason


def test_the_claim_is_committed_before_the_effect():
    claims = []
    printer = Printer(before=lambda: claims.append([claim.id for claim in world.commits()[-1].claims]))
    world = printing(printer)

    outcomes = world.receive(delivery(Add(3)))

    assert outcomes == [DONE]
    assert claims == [["m1"]]
    assert [[handled.id for handled in commit.handled] for commit in world.commits()] == [[], ["m1"]]
    assert world.totals() == [3]


def test_a_claim_and_its_answer_take_one_append_each():
    store = RacingStore()

    printing(Printer(), store).receive(delivery(Add(1), id="a"), delivery(Add(1), id="b"))

    assert store.appends == 4


def test_the_claim_is_flushed_before_the_effect():
    class BufferingStore(MemoryStore):
        """Counts how often it was asked to make sure."""

        flushed = 0

        def flush(self) -> None:
            self.flushed += 1

    store = BufferingStore()
    flushes = []

    printing(Printer(before=lambda: flushes.append(store.flushed)), store).receive(delivery(Add(3)))

    assert flushes == [1]


def test_a_redelivery_does_not_repeat_the_effect():
    printer = Printer()
    world = printing(printer)

    outcomes = world.receive(delivery(Add(3))) + world.receive(delivery(Add(3), 2))

    assert outcomes == [DONE, DONE]
    assert printer.printed == ["m1"]
    assert world.totals() == [3, 3]


def test_each_message_of_a_batch_is_claimed_and_answered_in_turn():
    claimed_before = []
    printer = Printer(before=lambda: claimed_before.append(sum(len(commit.claims) for commit in world.commits())))
    world = printing(printer)

    outcomes = world.receive(delivery(Add(1), id="a"), delivery(Add(2), id="b"), delivery(Add(1), id="a"))

    assert outcomes == [DONE] * 3
    assert printer.printed == ["a", "b"]
    assert claimed_before == [1, 2]


def test_a_claim_that_is_young_may_still_be_at_work():
    world = printing(Printer(SystemExit()))
    dying(world)
    world.clock.time += 20

    (outcome,) = world.receive(delivery(Add(1), 2))

    assert isinstance(outcome, Retry | Defer)
    assert 10 <= outcome.after < 12
    assert "another worker has claimed this message" in outcome.failure.text


def test_a_claim_older_than_the_handler_s_limit_has_an_unknown_outcome():
    printer = Printer(SystemExit())
    world = printing(printer)
    dying(world)
    world.clock.time += 31

    (outcome,) = world.receive(delivery(Add(1), 2))

    assert isinstance(outcome, DeadLetter)
    assert reason(outcome) == "OutcomeUnknown"
    assert printer.printed == []


def test_a_claim_says_nothing_about_another_content():
    world = printing(Printer(SystemExit()))
    dying(world)

    (outcome,) = world.receive(delivery(Add(2), 2))

    assert reason(outcome) == "IdReused"


def test_what_did_not_happen_for_certain_may_be_tried_again():
    printer = Printer(ProviderUnavailable("paper jam"))
    world = printing(printer)

    outcomes = world.receive(delivery(Add(3))) + world.receive(delivery(Add(3), 2))

    assert isinstance(outcomes[0], Retry)
    assert reason(outcomes[0]) == "ProviderUnavailable"
    assert outcomes[1] == DONE
    assert printer.printed == ["m1"]


def test_what_is_refused_for_good_may_be_replayed_by_a_person():
    printer = Printer(RuleViolation("no such paper"))
    world = printing(printer)

    outcomes = world.receive(delivery(Add(3))) + world.receive(delivery(Add(3), addressed=True))

    assert reason(outcomes[0]) == "RuleViolation"
    assert outcomes[1] == DONE
    assert printer.printed == ["m1"]


def test_what_may_have_happened_is_never_tried_again():
    printer = Printer(OutcomeUnknown("the light went out"))
    world = printing(printer)

    outcomes = world.receive(delivery(Add(3)))
    world.clock.time += 31
    outcomes += world.receive(delivery(Add(3), 2))

    assert [reason(outcome) for outcome in outcomes] == ["OutcomeUnknown"] * 2
    assert printer.printed == []


def test_after_a_bug_nobody_knows_what_happened():
    printer = Printer(ZeroDivisionError())
    world = printing(printer)

    outcomes = world.receive(delivery(Add(3)))
    world.clock.time += 31
    outcomes += world.receive(delivery(Add(3), 2))

    assert isinstance(outcomes[0], Retry)
    assert reason(outcomes[1]) == "OutcomeUnknown"
    assert printer.printed == []


def test_a_claim_that_could_not_be_made_leaves_the_effect_alone():
    printer, store = Printer(), FailingStore()
    store.append_error = StoreUnavailable("no answer")

    (outcome,) = printing(printer, store).receive(delivery(Add(3)))

    assert isinstance(outcome, Retry)
    assert reason(outcome) == "StoreUnavailable"
    assert printer.printed == []


def test_without_a_claim_the_effect_is_not_asked_for_even_if_nothing_stands_in_its_way_any_more():
    class Restless(FakeClock):
        """Twenty minutes pass whenever somebody looks."""

        def now(self) -> float:
            self.time += 20 * 60
            return self.time

    printer = Printer()
    world = printing(printer, clock=Restless())

    (outcome,) = world.receive(delivery(Add(3), time=NOW + timedelta(days=1, minutes=70)))

    assert isinstance(outcome, Defer)
    assert printer.printed == []


def test_what_cannot_be_started_in_time_is_not_even_claimed():
    world = printing(Printer())

    (outcome,) = world.receive(delivery(Add(3)), deadline=NOW.timestamp() + 29)

    assert reason(outcome) == "OutOfTime"
    assert world.commits() == []


def test_a_claim_given_back_is_not_in_the_snapshot():
    snapshots, outcomes = [], []

    for number in range(12):
        printer = Printer()
        world = printing(printer)
        world.receive(*[delivery(Add(1), id=f"n{each}") for each in range(number)])
        printer.errors = [ProviderUnavailable("paper jam")]
        world.receive(delivery(Add(1)))
        snapshots.append(world.commits()[-1].snapshot is not None)
        outcomes += world.receive(delivery(Add(1), 2))

    assert any(snapshots)
    assert outcomes == [DONE] * 12


def test_a_claim_forgotten_by_a_snapshot_is_found_all_the_same():
    printer = Printer(SystemExit())
    world = printing(printer)
    dying(world, time=NOW.replace(hour=1))
    for number in range(300):
        world.receive(delivery(Add(1), id=f"n{number}", time=NOW.replace(hour=2)))
    world.clock.time += 31

    (outcome,) = world.receive(delivery(Add(1), 2, time=NOW.replace(hour=1)))

    assert any(commit.snapshot for commit in world.commits())
    assert reason(outcome) == "OutcomeUnknown"
    assert "m1" not in printer.printed
