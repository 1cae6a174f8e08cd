"""SQLite's own: the leases of workers that died, and when there is nothing left to do."""

import os

from infra.local.wiring import process_is_alive
from shared.kernel.outcome import DONE, DeadLetter
from tests.support import sqlite as there
from tests.support.contract_catalog import FAILURE, LEDGER, STOCK, TRIES, ids, message, messages
from tests.support.processes import run_until_killed
from tests.support.sqlite import opened


def test_what_a_killed_worker_had_leased_is_free_as_soon_as_somebody_notices(place):
    with opened(place) as sqlite:
        sqlite.broker.publish([message("m1")])
        run_until_killed(there.enlist_lease_and_die, str(place))
        before = sqlite.broker.lease(STOCK, 1, 60.0)

        sqlite.broker.free_leases_of_the_dead(process_is_alive)

        (delivery,) = sqlite.broker.lease(STOCK, 1, 60.0)
        assert (before, delivery.attempts) == ([], 2)


def test_the_leases_of_living_workers_are_theirs(sqlite, other):
    other.broker.enlist(os.getpid())
    sqlite.broker.publish([message("m1")])
    (delivery,) = other.broker.lease(STOCK, 1, 60.0)

    sqlite.broker.free_leases_of_the_dead(process_is_alive)

    assert sqlite.broker.lease(STOCK, 1, 60.0) == []
    other.broker.settle(STOCK, [(delivery, DONE)])
    sqlite.clock.sleep(60.0)
    assert sqlite.broker.lease(STOCK, 1, 60.0) == []


def test_only_the_leases_of_the_dead_are_freed(sqlite, other):
    sqlite.broker.enlist(1001)
    other.broker.enlist(1002)
    sqlite.broker.publish(messages(2))
    sqlite.broker.lease(STOCK, 1, 60.0)
    other.broker.lease(STOCK, 1, 60.0)

    sqlite.broker.free_leases_of_the_dead(lambda pid: pid != 1001)

    assert ids(sqlite.broker.lease(STOCK, 2, 60.0)) == ["m1"]


def test_a_worker_that_retires_gives_back_what_it_holds(sqlite, other):
    sqlite.broker.enlist(1001)
    sqlite.broker.publish([message("m1")])
    sqlite.broker.lease(STOCK, 1, 60.0)

    sqlite.broker.retire(1001)

    assert ids(other.broker.lease(STOCK, 1, 60.0)) == ["m1"]


def test_a_settlement_after_a_lease_was_freed_leaves_the_message_to_its_new_holder(sqlite, other):
    sqlite.broker.enlist(1001)
    sqlite.broker.publish([message("m1")])
    (lost,) = sqlite.broker.lease(STOCK, 1, 60.0)
    other.broker.retire(1001)
    sqlite.clock.sleep(1.0)
    other.broker.lease(STOCK, 1, 60.0)

    sqlite.broker.settle(STOCK, [(lost, DONE)])

    sqlite.clock.sleep(60.0)
    assert ids(other.broker.lease(STOCK, 1, 60.0)) == ["m1"]


def test_nothing_is_kept_of_messages_that_were_settled_or_given_up(sqlite):
    sqlite.broker.publish([message(f"m{number}", to=STOCK) for number in range(3)])
    done, dead, _ = sqlite.broker.lease(STOCK, 3, 60.0)
    sqlite.broker.settle(STOCK, [(done, DONE), (dead, DeadLetter(FAILURE))])
    for _ in range(TRIES + 10):
        sqlite.clock.sleep(60.0)
        sqlite.broker.lease(STOCK, 3, 60.0)

    assert list(sqlite.database.read("select * from messages")) == []
    assert list(sqlite.database.read("select * from leases")) == []
    assert len(list(sqlite.broker.parked(STOCK))) == 2


def test_a_system_is_idle_when_no_channel_holds_anything_that_will_be_delivered(sqlite):
    broker = sqlite.broker
    assert broker.idle()

    broker.publish([message("m1", to=STOCK), message("m2", to=LEDGER)])
    (delivery,) = broker.lease(STOCK, 1, 60.0)
    assert not broker.idle()

    broker.pause(LEDGER)
    assert not broker.idle()  # m1 is being handled

    broker.settle(STOCK, [(delivery, DONE)])
    assert broker.idle()
