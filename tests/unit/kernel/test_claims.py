"""At most once: an effect without an idempotency key is claimed first and never asked for twice."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from infra.local.memory import MemoryStore
from shared.kernel.errors import OutcomeUnknown, ProviderUnavailable, RuleViolation, StoreUnavailable
from shared.kernel.message import Emission, Message
from shared.kernel.outcome import DONE, DeadLetter, Defer, Outcome, Retry
from shared.kernel.service import Limits
from tests.support.kernel_fakes import (
    NOW,
    Add,
    Added,
    FailingStore,
    RacingStore,
    Tally,
    World,
    delivery,
    tally_service,
)


class Printer:
    """Prints; what is printed can't be unprinted. Fails first with each of the given errors."""

    def __init__(self, *errors: BaseException, before: Callable[[], object] = lambda: None) -> None:
        self.errors = list(errors)
        self.printed: list[str] = []
        self.before = before

    def print(self, id_: str) -> None:
        self.before()
        if self.errors:
            raise self.errors.pop(0)
        self.printed.append(id_)


def print_it(tally: Tally, message: Message[Add], printer: Printer) -> Iterable[Emission]:
    printer.print(message.id)
    return [Added(message.data.amount, tally.total + message.data.amount)]


def printing(printer: Printer, store: MemoryStore | None = None) -> World:
    service = tally_service(
        handles={Add: print_it},
        emits={Added: Tally.added},
        provider=Printer,
        at_most_once=True,
        limits=Limits(handler_seconds=30),
    )
    return World(service, provider=printer, store=store)


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


@pytest.mark.parametrize("conflicts", [1, 2, 3, 4])
def test_a_conflict_after_the_effect_appends_again_and_calls_nobody(conflicts):
    store = RacingStore()
    printer = Printer()
    world = printing(printer, store)
    store.rivals = [lambda: None, *[lambda: store.overtake("tally/s1")] * conflicts]

    outcomes = world.receive(delivery(Add(3)))

    assert outcomes == [DONE]
    assert printer.printed == ["m1"]
    assert world.totals() == [3]


def test_an_effect_that_could_not_be_committed_is_not_repeated():
    store = RacingStore()
    printer = Printer()
    world = printing(printer, store)
    store.rivals = [lambda: None, *[lambda: store.overtake("tally/s1")] * 5]

    first = world.receive(delivery(Add(3)))
    world.clock.time += 31
    second = world.receive(delivery(Add(3), 2))

    assert isinstance(first[0], Defer)
    assert reason(second[0]) == "OutcomeUnknown"
    assert printer.printed == ["m1"]


def test_a_conflict_after_a_refusal_gives_the_claim_back_and_calls_nobody():
    store = RacingStore()
    printer = Printer(ProviderUnavailable("paper jam"))
    world = printing(printer, store)
    store.rivals = [lambda: None, lambda: store.overtake("tally/s1")]

    first = world.receive(delivery(Add(3)))
    between = list(printer.printed)
    second = world.receive(delivery(Add(3), 2))

    assert isinstance(first[0], Retry)
    assert between == []
    assert second == [DONE]
    assert printer.printed == ["m1"]


def test_a_conflict_at_the_claim_claims_anew():
    store = RacingStore()
    printer = Printer()
    world = printing(printer, store)
    store.rivals = [lambda: store.overtake("tally/s1")]

    assert world.receive(delivery(Add(3))) == [DONE]
    assert printer.printed == ["m1"]


def test_of_two_workers_with_copies_one_has_the_effect():
    store = RacingStore()
    printer = Printer()
    world, rival = printing(printer, store), printing(printer, store)
    store.rivals = [lambda: rival.receive(delivery(Add(3)))]

    outcomes = world.receive(delivery(Add(3)))

    assert outcomes == [DONE]
    assert printer.printed == ["m1"]


def test_a_claim_that_could_not_be_made_leaves_the_effect_alone():
    printer, store = Printer(), FailingStore()
    store.append_error = StoreUnavailable("no answer")

    (outcome,) = printing(printer, store).receive(delivery(Add(3)))

    assert isinstance(outcome, Retry)
    assert reason(outcome) == "StoreUnavailable"
    assert printer.printed == []


def test_what_cannot_be_started_in_time_is_not_even_claimed():
    world = printing(Printer())

    (outcome,) = world.receive(delivery(Add(3)), deadline=NOW.timestamp() + 29)

    assert reason(outcome) == "OutOfTime"
    assert world.commits() == []


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
