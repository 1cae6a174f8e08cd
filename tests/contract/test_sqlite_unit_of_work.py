"""SQLite's unit of work: lease, append, publish and settle count together, or not at all."""

import time

import pytest

from shared.kernel.errors import ConcurrencyConflict
from shared.kernel.outcome import DeadLetter
from shared.kernel.ports import Timer
from tests.support import sqlite as there
from tests.support.contract_catalog import FAILURE, LEDGER, STOCK, ids, message
from tests.support.processes import run_until_killed
from tests.support.sqlite import opened


class Crash(Exception):
    """Something went wrong half-way."""


@pytest.fixture
def unit(sqlite):
    return sqlite.database.unit_of_work


def leased(sqlite, service=STOCK):
    return sqlite.broker.lease(service, 10, 60.0)


# -- all of it


def test_what_is_done_in_a_unit_is_seen_by_others_at_its_end_and_all_at_once(sqlite, other, unit):
    sqlite.broker.publish([message("m1", to=STOCK)])

    with unit():
        (delivery,) = leased(sqlite)
        for _ in sqlite.handle(delivery):
            assert (other.versions(), leased(other, LEDGER), other.broker.depth(STOCK).leased) == ([], [], 1)

    assert (other.versions(), ids(leased(other, LEDGER)), other.broker.depth(STOCK).leased) == ([1], ["caused"], 0)


def test_a_unit_sees_what_it_did_itself(sqlite, unit):
    with unit():
        sqlite.append(1)
        sqlite.broker.set([Timer(1.0, message("t1", to=STOCK))])

        assert sqlite.versions() == [1]
        assert [timer.message.id for timer in sqlite.broker.due(2.0, 10)] == ["t1"]


def test_outside_a_unit_each_write_counts_by_itself(sqlite, other, unit):
    with unit():
        sqlite.append(1)

    sqlite.append(2)

    assert other.versions() == [1, 2]


def test_units_may_follow_one_another_even_if_they_do_nothing(sqlite, other, unit):
    with unit():
        pass
    with unit():
        sqlite.versions()
    with unit():
        sqlite.append(1)

    assert other.versions() == [1]
    other.append(2)


# -- or none of it


@pytest.mark.parametrize("step", ["append", "publish", "settle"])
def test_a_process_that_is_killed_in_a_unit_leaves_everything_as_it_was(place, step):
    with opened(place) as sqlite:
        sqlite.broker.publish([message("m1", to=STOCK)])

        run_until_killed(there.die_after, str(place), step)

        time.sleep(0.05)  # the lease
        assert (sqlite.versions(), leased(sqlite, LEDGER)) == ([], [])
        assert [delivery.attempts for delivery in leased(sqlite)] == [2]


@pytest.mark.parametrize("step", ["append", "publish", "settle"])
def test_an_exception_that_leaves_a_unit_takes_everything_back(sqlite, other, unit, step):
    sqlite.broker.publish([message("m1", to=STOCK)])

    def handle():
        with unit():
            (delivery,) = leased(sqlite)
            for done in sqlite.handle(delivery):
                if done == step:
                    raise Crash

    with pytest.raises(Crash):
        handle()

    sqlite.clock.sleep(60.0)
    assert (other.versions(), leased(other, LEDGER)) == ([], [])
    assert ids(leased(other)) == ["m1"]


def test_everything_else_is_taken_back_too(sqlite, other, unit):
    sqlite.broker.publish([message("m1", to=STOCK), message("m2", to=STOCK)])
    sqlite.broker.set([Timer(1.0, message("t1", to=STOCK))])
    one, two = leased(sqlite)
    sqlite.broker.settle(STOCK, [(one, DeadLetter(FAILURE))])
    (letter,) = sqlite.broker.parked(STOCK)

    def decide():
        with unit():
            sqlite.broker.replay(letter)
            sqlite.broker.settle(STOCK, [(two, DeadLetter(FAILURE))])
            sqlite.broker.remove(sqlite.broker.due(2.0, 10))
            sqlite.broker.set([Timer(1.0, message("t2", to=STOCK))])
            sqlite.broker.pause(LEDGER)
            raise Crash

    with pytest.raises(Crash):
        decide()

    assert ids(list(other.broker.parked(STOCK))) == ["m1"]
    assert [timer.message.id for timer in other.broker.due(2.0, 10)] == ["t1"]
    assert (other.broker.depth(STOCK).leased, other.broker.depth(LEDGER).paused) == (1, False)


def test_work_goes_on_after_a_unit_that_was_taken_back(sqlite, other, unit):
    def crash():
        with unit():
            sqlite.append(1, "lost")
            raise Crash

    with pytest.raises(Crash):
        crash()

    sqlite.append(1, "kept")
    with unit():
        sqlite.append(2)
    assert other.versions() == [1, 2]
    assert [commit.released[0][1] for commit in other.store.read("stock/s1")] == ["", "kept"]


# -- flush and lease count at once


def test_what_was_flushed_outlives_a_process_that_is_killed_and_what_came_after_does_not(sqlite, place):
    run_until_killed(there.die_after_flush, str(place))

    assert sqlite.versions() == [1, 2]


def test_a_lease_makes_what_came_before_it_count(sqlite, other, unit):
    sqlite.broker.publish([message("m1", to=STOCK)])

    with unit():
        sqlite.append(1)
        before = other.versions()
        leased(sqlite)
        after = other.versions()

    assert (before, after) == ([], [1])


def test_a_lease_is_known_to_others_before_it_is_worked_on(sqlite, other, unit):
    sqlite.broker.publish([message("m1", to=STOCK)])

    with unit():
        assert ids(leased(sqlite)) == ["m1"]

        assert leased(other) == []


def test_a_lease_that_finds_nothing_costs_no_transaction_of_its_own(sqlite, other, unit):
    with unit():
        sqlite.append(1)
        leased(sqlite)

        assert other.versions() == []

    assert other.versions() == [1]


# -- others meanwhile


def test_a_conflict_in_a_unit_takes_back_its_own_append_only(sqlite, other, unit):
    other.append(1, "theirs")

    with unit():
        sqlite.broker.publish([message("m1", to=LEDGER)])
        with pytest.raises(ConcurrencyConflict):
            sqlite.append(1, "mine")
        sqlite.append(2, "mine")

    assert [commit.released[0][1] for commit in other.store.read("stock/s1")] == ["mine", "theirs"]
    assert ids(leased(other, LEDGER)) == ["m1"]


def test_reads_in_a_unit_see_one_moment_up_to_its_next_write(sqlite, other, unit):
    with unit():
        before = sqlite.versions()
        other.append(1, "theirs")
        same_moment = sqlite.versions()
        with pytest.raises(ConcurrencyConflict):
            sqlite.append(1, "mine")
        after_the_write = sqlite.versions()

    assert (before, same_moment, after_the_write) == ([], [], [1])


def test_a_unit_that_only_reads_keeps_nobody_from_writing(sqlite, other, unit):
    with unit():
        sqlite.versions()

        other.append(1)
        other.broker.publish([message("m1")])

    assert sqlite.versions() == [1]
