"""The pool: workers that die are replaced, and what they left undone is done."""

import multiprocessing
from collections import Counter

import pytest

from functions.local.pool import Pool
from infra.local.wiring import process_is_alive
from shared.kernel.errors import TrefoilError
from tests.local.driver import Shop, place, register

ORDERS = 150


@pytest.fixture
def pool(shop, request) -> Pool:
    """Two workers that go on until they are told to end, in a folder with orders."""
    shop.send(*(place(f"o{number}", 100 + number) for number in range(ORDERS)))
    pool = Pool(shop.folder, 2, 5, until_idle=False)
    yield pool
    pool.stop()


def counted(pool: Pool) -> Counter[tuple[str, str, str]]:
    """All that a pool counts until it ends."""
    counts: Counter[tuple[str, str, str]] = Counter()
    for news in pool.counts():
        counts.update(news)
    return counts


def balance(shop: Shop) -> None:
    """Every order is fulfilled, every cent accounted for, every mail sent once."""
    status = shop.status()
    cents = sum(100 + number for number in range(ORDERS))
    assert status["orders"] == {"placed": ORDERS, "fulfilled": ORDERS, "cancelled": 0, "open": 0}
    assert status["money"]["USD"] == {
        "placed": cents,
        "captured": cents,
        "fulfilled": cents,
        "refunded": 0,
        "in_flight": 0,
    }
    assert shop.missing() == []
    assert not [name for name in shop.mails() if name.endswith(".2.eml")]


@pytest.mark.parametrize("victims", [1, 2])
def test_workers_that_are_killed_are_replaced_and_the_run_completes(shop, victims):
    shop.send(*(place(f"o{number}", 100 + number) for number in range(ORDERS)))
    pool = Pool(shop.folder, 2, 5)
    killed = 0

    for news in pool.counts():
        if news.total() and killed < victims:
            multiprocessing.active_children()[0].kill()
            killed += 1

    # A mail whose sending was cut off is left to a person, everything else is done.
    assert pool.replaced == victims
    assert set(shop.reasons()) <= {"OutcomeUnknown"}
    balance(shop)


def test_what_is_counted_is_what_was_handled(shop):
    shop.send(register("ada"), register("bob"))

    counts = counted(Pool(shop.folder, 2))

    assert counts == {
        ("users", "users.register-user.v1", "Done"): 2,
        ("notifications", "users.user-registered.v1", "Done"): 2,
    }


def test_workers_that_are_killed_again_and_again_are_not_replaced_for_ever(pool, monkeypatch):
    monkeypatch.setattr("functions.local.pool._REPLACEMENTS", 1)

    with pytest.raises(TrefoilError, match="workers keep being killed, the last by signal 9"):
        for _ in pool.counts():
            for child in multiprocessing.active_children():
                child.kill()


def test_a_pool_that_is_stopped_leaves_no_process_and_no_lease(shop, pool):
    for news in pool.counts():
        if news.total():
            break
    workers = [child.pid for child in multiprocessing.active_children()]

    pool.stop()

    assert not any(process_is_alive(pid) for pid in workers)
    assert shop.query("select * from leases where until > 0") == []
    shop.work()
    balance(shop)


def test_an_error_while_watching_stops_the_workers(shop, monkeypatch):
    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("functions.local.progress._Bars.update", fail)

    done = shop("run", "--workers", "2", "--users", _users(shop))

    assert done.code != 0
    assert "Traceback" not in done.both
    assert multiprocessing.active_children() == []


def _users(shop: Shop) -> str:
    shop.folder.mkdir()
    (shop.folder / "users").write_bytes(b"")
    return str(shop.folder / "users")
