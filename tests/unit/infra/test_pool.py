"""Steps that are taken at the same time."""

import threading

import pytest

from infra.pool import Pool


def test_parts_are_worked_on_at_the_same_time():
    together = threading.Barrier(4)
    done = set()

    def step(part):
        together.wait(10)
        done.add(part)

    Pool(4).run(step, "abcd")

    assert done == set("abcd")


def test_no_more_are_worked_on_at_once_than_there_are_threads():
    lock, under_way, most = threading.Lock(), [], []

    def step(part):
        with lock:
            under_way.append(part)
            most.append(len(under_way))
        threading.Event().wait(0.001)
        with lock:
            under_way.remove(part)

    Pool(2).run(step, range(20))

    assert max(most) <= 2
    assert len(most) == 20


@pytest.mark.parametrize("parts", [[], ["one"]])
def test_a_single_part_takes_no_thread(parts):
    pool, threads = Pool(4), []

    pool.run(lambda part: threads.append(threading.current_thread()), iter(parts))

    assert threads == [threading.current_thread()] * len(parts)
    assert not pool._executor._threads


@pytest.mark.parametrize("count", [1, 5])
def test_what_a_part_raises_reaches_the_caller(count):
    def step(part):
        if part == count - 1:
            raise ValueError(f"part {part}")

    with pytest.raises(ValueError, match=f"part {count - 1}"):
        Pool(2).run(step, range(count))


def test_of_several_failures_the_first_part_s_is_raised():
    second = threading.Event()

    def step(part):
        if part == "second":
            second.set()
        else:
            second.wait(10)
        raise ValueError(part)

    with pytest.raises(ValueError, match="first"):
        Pool(2).run(step, ["first", "second"])


def test_a_pool_works_on_after_a_failure():
    pool, done = Pool(1), []
    with pytest.raises(ZeroDivisionError):
        pool.run(lambda part: 1 / part, [0, 1, 2])

    pool.run(done.append, "ab")

    assert sorted(done) == ["a", "b"]


def test_a_pool_can_be_used_by_several_callers_at_once():
    pool, together, done = Pool(8), threading.Barrier(4), []

    def caller(name):
        together.wait(10)
        pool.run(lambda part: done.append((name, part)), range(10))

    callers = [threading.Thread(target=caller, args=(name,)) for name in range(4)]
    for each in callers:
        each.start()
    for each in callers:
        each.join(10)

    assert sorted(done) == [(name, part) for name in range(4) for part in range(10)]
