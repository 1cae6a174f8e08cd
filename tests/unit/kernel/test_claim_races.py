"""At most once, while others commit to the same stream."""

import pytest

from shared.kernel.errors import ProviderUnavailable
from shared.kernel.outcome import DONE, Defer, Retry
from tests.support.kernel_fakes import (
    Add,
    RacingStore,
    delivery,
)
from tests.unit.kernel.printer import Printer, printing


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
    assert second[0].failure.reason == "OutcomeUnknown"
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


@pytest.mark.parametrize(("conflicts", "printed"), [(4, ["m1"]), (5, [])])
def test_a_claim_is_tried_five_times(conflicts, printed):
    store = RacingStore()
    printer = Printer()
    world = printing(printer, store)
    store.rivals = [lambda: store.overtake("tally/s1")] * conflicts

    (outcome,) = world.receive(delivery(Add(3)))

    assert outcome == DONE if printed else isinstance(outcome, Defer)
    assert printer.printed == printed


def test_of_two_workers_with_copies_one_has_the_effect():
    store = RacingStore()
    printer = Printer()
    world, rival = printing(printer, store), printing(printer, store)
    store.rivals = [lambda: rival.receive(delivery(Add(3)))]

    outcomes = world.receive(delivery(Add(3)))

    assert outcomes == [DONE]
    assert printer.printed == ["m1"]
