"""The port `Store` under many writers, and after one that was killed."""

import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from tests.support import contenders
from tests.support.processes import run, run_together, run_until_killed

WRITERS = 4


def versions(commits):
    return [commit.version for commit in commits]


def written(store, stream):
    """Who appended what, oldest first."""
    return [tuple(commit.released[0]) for commit in store.read(stream)][::-1]


@pytest.fixture
def compete(deployed):
    """Run a writer's function WRITERS times at once: in threads, or in processes."""

    def in_threads(function, amount):
        barrier = Barrier(WRITERS)

        def contend(writer):
            barrier.wait()
            return function(deployed.system.store, "shop/s1", writer, amount)

        usual = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            with ThreadPoolExecutor(WRITERS) as pool:
                return list(pool.map(contend, "abcd"))
        finally:
            sys.setswitchinterval(usual)

    def in_processes(function, amount):
        there = {
            contenders.append_own: contenders.append_own_there,
            contenders.append_each: contenders.append_each_there,
        }
        place = deployed.adapter.name, str(deployed.place), "shop/s1"
        return run_together(there[function], [(*place, writer, amount) for writer in "abcd"])

    return {"threads": in_threads, "several_processes": in_processes}


wherever_writers_run = pytest.mark.parametrize(
    "where", [pytest.param(where, marks=pytest.mark.needs(where)) for where in ("threads", "several_processes")]
)


@wherever_writers_run
def test_many_writers_of_one_stream_lose_nothing_and_leave_no_gap(store, compete, where):
    compete[where](contenders.append_own, 60)

    assert versions(store.read("shop/s1")) == list(range(WRITERS * 60, 0, -1))
    assert sorted(written(store, "shop/s1")) == sorted((writer, str(n)) for writer in "abcd" for n in range(60))


@wherever_writers_run
def test_of_many_writers_each_finds_its_own_commits_in_its_own_order(store, compete, where):
    compete[where](contenders.append_own, 30)

    for writer in "abcd":
        assert [number for w, number in written(store, "shop/s1") if w == writer] == [str(n) for n in range(30)]


@wherever_writers_run
def test_of_many_writers_of_one_version_one_wins_and_the_others_are_told(store, compete, where):
    won = compete[where](contenders.append_each, 100)

    assert sorted(version for each in won for version in each) == list(range(1, 101))
    winners = {version: writer for writer, each in zip("abcd", won, strict=True) for version in each}
    assert [writer for writer, _ in written(store, "shop/s1")] == [winners[version] for version in range(1, 101)]


# -- flush


@pytest.mark.needs("several_processes")
def test_what_was_flushed_outlives_a_process_that_is_killed(deployed):
    place = deployed.adapter.name, str(deployed.place)

    run_until_killed(contenders.append_flush_and_die, *place, "shop/s1", 5)

    assert versions(deployed.system.store.read("shop/s1")) == [5, 4, 3, 2, 1]
    assert run(contenders.append_own_there, *place, "shop/s1", "next", 1) == 0


def test_flushing_nothing_is_fine(store):
    store.flush()
    store.flush()

    assert list(store.read("shop/s1")) == []
