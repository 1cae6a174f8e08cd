"""The pool: workers that die are replaced, and what they left undone is done."""

import multiprocessing
import os
import signal
from collections import Counter
from collections.abc import Iterator

import pytest

from functions.local.pool import Pool
from infra.local.wiring import process_is_alive
from shared.kernel.errors import TrefoilError
from tests.local.driver import Shop, eventually, place, register, started

ORDERS = 150


@pytest.fixture
def busy(shop) -> Shop:
    """A shop with orders to handle; mails wait, because one that is cut off is nobody's business here."""
    shop("pause", "notifications")
    shop.send(*(place(f"o{number}", 100 + number) for number in range(ORDERS)))
    return shop


@pytest.fixture
def pool(busy) -> Iterator[Pool]:
    """Two workers that go on until they are told to end."""
    pool = Pool(busy.folder, 2, 5, until_idle=False)
    yield pool
    pool.stop()


def counted(pool: Pool) -> Counter[tuple[str, str, str]]:
    """All that a pool counts until it ends."""
    counts: Counter[tuple[str, str, str]] = Counter()
    for news in pool.counts():
        counts.update(news)
    return counts


def kill_all(pool: Pool) -> None:
    """Kill each worker as soon as it is there."""
    for _ in pool.counts():
        for child in multiprocessing.active_children():
            child.kill()


def balance(shop: Shop) -> None:
    """Every order is fulfilled, and every cent accounted for."""
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
    assert (shop.missing(), shop.letters()) == ([], [])


@pytest.mark.parametrize("victims", [1, 2])
def test_workers_that_are_killed_are_replaced_and_the_run_completes(busy, victims):
    pool = Pool(busy.folder, 2, 5)
    killed = 0

    for news in pool.counts():
        if news.total() and killed < victims:
            multiprocessing.active_children()[0].kill()
            killed += 1

    assert pool.replaced == victims
    balance(busy)


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
        kill_all(pool)


def test_a_pool_that_is_stopped_leaves_no_process_and_no_lease(busy, pool):
    for news in pool.counts():
        if news.total():
            break
    workers = [child.pid for child in multiprocessing.active_children()]

    pool.stop()

    assert not any(process_is_alive(pid) for pid in workers)
    assert busy.query("select * from leases where until > 0") == []
    busy.work()
    balance(busy)


def test_an_error_while_watching_stops_the_workers(shop, tmp_path, monkeypatch):
    (tmp_path / "users").touch()

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("functions.local.progress._Bars.update", fail)

    done = shop("run", "--workers", "2", "--users", tmp_path / "users")

    assert done.code != 0
    assert "Traceback" not in done.both
    assert multiprocessing.active_children() == []


def test_when_one_worker_gives_up_the_others_end_and_a_person_is_told(busy):
    with started("work", "--workers", "2", "--data", busy.folder) as process:
        eventually(lambda: len(busy.query("select pid from workers")) == 2, "both have begun")
        eventually((busy.folder / "log.jsonl").exists, "the log is there")
        (busy.folder / "log.jsonl").rename(busy.folder / "log")
        (busy.folder / "log.jsonl").mkdir()
        os.kill(busy.query("select pid from workers")[0][0], signal.SIGKILL)

        said = process.communicate(timeout=20)[1]

    assert process.returncode == 1
    assert "log.jsonl" in said
    assert "Traceback" not in said
