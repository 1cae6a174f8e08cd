"""The port `Timers`, and the tick that publishes what is due."""

import pytest

from shared.kernel.ports import Timer
from shared.kernel.timers import tick
from tests.support.contract_catalog import LEDGER, STOCK, Opened, ids, message


def timer(id_, due, to=STOCK):
    return Timer(due, message(id_, Opened(), to=to))


def names(timers):
    return [each.message.id for each in timers]


@pytest.fixture
def timers(deployed):
    return deployed.system.timers


def test_nothing_is_due_where_nothing_was_set(timers):
    assert timers.due(2_000_000_000.0, 10) == []


def test_a_timer_is_not_due_before_its_time(timers):
    timers.set([timer("t1", 1000.5)])

    assert timers.due(1000.25, 10) == []
    assert names(timers.due(1000.5, 10)) == ["t1"]
    assert names(timers.due(5000.0, 10)) == ["t1"]


def test_a_timer_comes_back_as_it_was_set(timers):
    set_ = [timer("t1", 1000.125), timer("shop/s~1.A_b-c:0000012:3", 1_800_000_000.375, LEDGER)]

    timers.set(set_)

    assert timers.due(2_000_000_000.0, 10) == set_


def test_what_is_due_earliest_comes_first(timers):
    timers.set([timer("t3", 30.0), timer("t1", 10.0)])
    timers.set([timer("t4", 40.5), timer("t2", 20.25), timer("t9", 900.0), timer("t10", 1000.0)])

    assert names(timers.due(5000.0, 10)) == ["t1", "t2", "t3", "t4", "t9", "t10"]


def test_no_more_come_than_were_asked_for_and_they_are_the_earliest(timers):
    timers.set([timer(f"t{number}", float(number)) for number in range(30, 0, -1)])

    assert names(timers.due(100.0, 3)) == ["t1", "t2", "t3"]
    assert len(timers.due(100.0, 29)) == 29


def test_asking_what_is_due_removes_nothing(timers):
    timers.set([timer("t1", 10.0)])

    assert names(timers.due(10.0, 10)) == names(timers.due(10.0, 10)) == ["t1"]


def test_a_timer_that_is_set_stays_as_it_is_when_it_is_set_again(timers):
    timers.set([timer("t1", 10.0, STOCK)])

    timers.set([timer("t1", 99.0, LEDGER), timer("t2", 20.0)])

    assert timers.due(1000.0, 10) == [timer("t1", 10.0, STOCK), timer("t2", 20.0)]


def test_a_timer_that_is_set_twice_in_one_call_is_one_timer(timers):
    timers.set([timer("t1", 10.0), timer("t1", 10.0)])

    assert names(timers.due(1000.0, 10)) == ["t1"]


def test_timers_due_at_the_same_moment_are_all_kept(timers):
    timers.set([timer(f"t{number}", 10.0) for number in range(5)])

    assert sorted(names(timers.due(10.0, 10))) == ["t0", "t1", "t2", "t3", "t4"]


def test_what_was_removed_is_not_due_any_more(timers):
    timers.set([timer("t1", 10.0), timer("t2", 20.0), timer("t3", 30.0)])

    timers.remove([timer("t1", 10.0), timer("t3", 30.0)])

    assert names(timers.due(1000.0, 10)) == ["t2"]


def test_removing_what_is_gone_is_fine(timers):
    timers.set([timer("t1", 10.0)])

    timers.remove([timer("t9", 10.0)])
    timers.remove([timer("t1", 10.0)])
    timers.remove([timer("t1", 10.0)])
    timers.remove([])

    assert timers.due(1000.0, 10) == []


def test_a_timer_that_was_removed_can_be_set_again(timers):
    timers.set([timer("t1", 10.0)])
    timers.remove([timer("t1", 10.0)])

    timers.set([timer("t1", 20.0)])

    assert timers.due(1000.0, 10) == [timer("t1", 20.0)]


def test_setting_nothing_is_fine(timers):
    timers.set([])

    assert timers.due(1000.0, 10) == []


def test_many_timers_are_set_and_removed_in_one_call(timers):
    many = [timer(f"t{number}", float(number)) for number in range(250)]

    timers.set(many)
    found = timers.due(1000.0, 1000)
    timers.remove(many[:249])

    assert found == many
    assert names(timers.due(1000.0, 1000)) == ["t249"]


# -- the tick


def test_a_tick_publishes_what_is_due_to_the_one_service_it_is_for(deployed):
    system = deployed.system
    system.timers.set([timer("t1", deployed.now)])

    assert tick(system.timers, system.bus, system.clock) == 1

    (delivery,) = deployed.take(service=STOCK)
    assert (ids([delivery]), delivery.addressed, delivery.attempts) == (["t1"], True, 1)
    assert deployed.take(service=LEDGER) == []


def test_a_tick_leaves_what_is_not_due(deployed):
    system = deployed.system
    system.timers.set([timer("t1", deployed.now + 3600.0)])

    assert tick(system.timers, system.bus, system.clock) == 0

    assert deployed.take() == []
    assert names(system.timers.due(deployed.now + 3600.0, 10)) == ["t1"]


def test_one_tick_after_another_publishes_each_timer_once(deployed):
    system = deployed.system
    system.timers.set([timer(f"t{number}", deployed.now - 10.0 + number) for number in range(5)])

    ticked = [tick(system.timers, system.bus, system.clock, limit=2) for _ in range(4)]

    assert ticked == [2, 2, 1, 0]
    assert sorted(ids(deployed.take(6))) == ["t0", "t1", "t2", "t3", "t4"]
