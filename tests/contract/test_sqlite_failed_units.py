"""SQLite's unit of work after a write in it failed: nothing more counts, until somebody recovers."""

import pytest

from shared.kernel.errors import StoreUnavailable
from shared.kernel.outcome import DONE
from shared.kernel.ports import Timer
from tests.support.contract_catalog import LEDGER, STOCK, ids, message


@pytest.fixture
def unit(sqlite):
    return sqlite.database.unit_of_work


def leased(sqlite, service=STOCK):
    return sqlite.broker.lease(service, 10, 60.0)


def fail(sqlite, *, swallow=True):
    """A write that fails: there is no room for it."""
    sqlite.leave_room_for(0)
    try:
        sqlite.append(99, "x" * 50_000)
    except StoreUnavailable:
        if not swallow:
            raise
    sqlite.leave_room_for(1000)


later = pytest.mark.parametrize(
    "attempt",
    [
        lambda sqlite: sqlite.append(1),
        lambda sqlite: sqlite.versions(),
        lambda sqlite: sqlite.broker.publish([message("m2", to=LEDGER)]),
        lambda sqlite: sqlite.broker.settle(STOCK, []),
        lambda sqlite: sqlite.broker.set([Timer(1.0, message("t1", to=STOCK))]),
        leased,
        lambda sqlite: sqlite.store.flush(),
    ],
    ids=["append", "read", "publish", "settle", "set a timer", "lease", "flush"],
)


@later
def test_after_a_write_failed_nothing_more_counts_in_its_unit(sqlite, other, unit, attempt):
    """Whoever caught the error must not go on as if what came before it were still there."""

    def handle():
        with unit():
            sqlite.broker.publish([message("m1", to=LEDGER)])
            fail(sqlite)
            with pytest.raises(StoreUnavailable, match="full"):
                attempt(sqlite)

    with pytest.raises(StoreUnavailable, match="full"):
        handle()

    assert (other.versions(), leased(other, LEDGER), other.broker.due(2.0, 10)) == ([], [], [])


def test_a_message_is_not_settled_when_its_commit_was_rolled_back(sqlite, other, unit):
    sqlite.broker.publish([message("m1", to=STOCK)])

    def handle():
        with unit():
            (delivery,) = leased(sqlite)
            fail(sqlite)
            sqlite.broker.settle(STOCK, [(delivery, DONE)])

    with pytest.raises(StoreUnavailable):
        handle()

    sqlite.clock.sleep(60.0)
    assert ids(leased(other)) == ["m1"]


def test_the_next_unit_starts_afresh(sqlite, other, unit):
    def handle():
        with unit():
            fail(sqlite, swallow=False)

    with pytest.raises(StoreUnavailable):
        handle()
    sqlite.leave_room_for(1000)

    with unit():
        sqlite.append(1)

    assert other.versions() == [1]


def test_whoever_recovers_within_a_unit_may_go_on_without_what_was_lost(sqlite, other, unit):
    with unit():
        sqlite.append(1)
        fail(sqlite)

        sqlite.database.recover()
        sqlite.append(1, "again")

    assert other.versions() == [1]


def test_a_write_that_was_locked_out_fails_its_unit(sqlite, other, unit):
    def handle():
        with unit():
            sqlite.versions()
            with other.database.unit_of_work():
                other.append(1)
                with pytest.raises(StoreUnavailable, match="another process holds it"):
                    sqlite.broker.publish([message("m1", to=LEDGER)])

    with pytest.raises(StoreUnavailable, match="another process holds it"):
        handle()

    assert (sqlite.versions(), leased(sqlite, LEDGER)) == ([1], [])
