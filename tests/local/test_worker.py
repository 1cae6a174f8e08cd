"""The worker: it ends when told to, hands on what the dead held, and publishes timers when they are due."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from infra.local.wiring import local, process_is_alive
from shared.kernel.ports import Outgoing, Timer
from tests.local.driver import COMMAND, ROOT, Shop, cloud_event, eventually, lines, place, register, started, trefoil

HOLD = """
import os, sys, time
from pathlib import Path
from infra.local.wiring import local

with local(Path(sys.argv[1])) as opened:
    opened.broker.enlist(os.getpid())
    held = opened.broker.lease("users", 10, 3600)
    print(len(held), flush=True)
    {then}
"""
"""A worker that takes messages of the users' channel, and then does something else."""


@contextmanager
def working(shop: Shop, *options: str) -> Iterator[subprocess.Popen[str]]:
    """A worker in a process of its own, which has begun to work."""
    shop.send(register("first"))
    with started("work", *options, "--data", shop.folder) as process:
        eventually(lambda: shop.status()["users"] == 1, "the first user is registered")
        yield process


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """How a process ended, and what it said."""
    out, err = process.communicate(timeout=20)
    return process.returncode, out + err


# -- until idle


def test_with_nothing_to_do_a_worker_ends_at_once(shop):
    assert shop("work", "--until-idle") == (0, "", "")


def test_until_idle_does_not_wait_for_timers_that_are_not_due(shop):
    shop.handle(place("a"))

    assert (shop.status()["timers"], shop.status()["waiting"]) == (1, 0)


def test_until_idle_does_not_wait_for_what_is_paused(shop):
    shop("pause", "users")

    shop.handle(register("ada"))

    assert shop.status()["waiting"] == 1


def test_until_idle_waits_for_what_is_to_be_tried_again(shop):
    shop.send(register("ada"))
    shop.change("update messages set attempts = 1, due = ?", time.time() + 0.3)

    shop.work()

    assert shop.status()["users"] == 1


@pytest.mark.parametrize("batch", [1, 7, 1000])
def test_a_batch_may_have_any_size(shop, batch):
    shop.send(*(register(f"user-{number}") for number in range(20)))

    done = shop("work", "--until-idle", "--batch", str(batch))

    assert done.code == 0
    assert shop.status()["users"] == 20


def test_two_workers_share_the_work(shop):
    shop.send(*(register(f"user-{number}") for number in range(20)))

    done = shop("work", "--until-idle", "--workers", "2")

    assert done.code == 0
    assert (shop.status()["users"], shop.status()["mails"], len(shop.mails())) == (20, 20, 20)


# -- what it says


def test_a_worker_logs_what_went_wrong(shop):
    shop.send(place("a", 1, id="one"), place("a", 2, id="two"))

    done = shop("work", "--until-idle")

    assert done.code == 0
    assert len(done.err.splitlines()) == 1
    assert '"reason":"RuleViolation"' in done.err


@pytest.mark.parametrize(("level", "count"), [("INFO", 3), ("WARNING", 0), ("ERROR", 0)])
def test_a_worker_logs_as_much_as_it_is_told_to(shop, level, count):
    shop.send(register("ada"))

    done = shop("work", "--until-idle", "--log", level)

    assert (done.out, len(done.err.splitlines())) == ("", count - (count > 0))


@pytest.mark.parametrize("options", [["--log", "info"], ["--batch", "0"], ["--batch", "1001"], ["--workers", "65"]])
def test_an_option_out_of_bounds_is_an_error_of_usage(shop, options):
    done = shop("work", "--until-idle", *options)

    assert (done.code, done.out) == (2, "")
    assert options[0] in done.err


# -- signals


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_signal_ends_a_worker_cleanly(shop, number):
    with working(shop) as process:
        process.send_signal(number)

        assert ended(process) == (0, "")

    assert shop.query("select * from workers") == []
    assert shop.query("select * from leases where until > 0") == []


def test_a_worker_that_is_told_to_end_amid_its_work_loses_and_repeats_nothing(shop):
    with working(shop, "--batch", "10") as process:
        shop.send(*(register(f"user-{number}") for number in range(500)))
        eventually(lambda: shop.status()["users"] > 20, "some users are registered")
        process.send_signal(signal.SIGTERM)

        assert ended(process) == (0, "")

    assert shop.status()["channels"]["users"]["leased"] == 0
    shop.work()
    status = shop.status()
    assert (status["users"], status["mails"], len(shop.mails())) == (501, 501, 501)
    assert (status["dead_letters"], shop.missing()) == (0, [])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_signal_ends_all_workers(shop, number):
    with working(shop, "--workers", "2") as process:
        workers = [pid for (pid,) in shop.query("select pid from workers")]
        process.send_signal(number)
        code, said = ended(process)

        assert (code, "Traceback" in said) == (0, False)
        eventually(lambda: not any(process_is_alive(pid) for pid in workers), "the workers are gone")


def test_workers_do_not_outlive_the_one_that_started_them(shop):
    with working(shop, "--workers", "2") as process:
        workers = eventually(lambda: shop.query("select pid from workers"), "the workers have begun")
        process.kill()
        process.wait()

        eventually(lambda: not any(process_is_alive(pid) for (pid,) in workers), "the workers are gone")


# -- the dead


def test_what_a_killed_worker_held_is_handled_by_the_next_at_once(shop):
    shop.send(register("ada"), register("bob"))
    with started(shop.folder, command=(sys.executable, "-c", HOLD.format(then="time.sleep(600)"))) as process:
        assert process.stdout.readline() == "2\n"
        assert shop.status()["channels"]["users"]["leased"] == 2
        process.kill()
        process.wait()

    begun = time.monotonic()
    shop.work()

    assert time.monotonic() - begun < 20
    assert shop.status()["users"] == 2
    assert shop.query("select * from workers") == []


def test_a_worker_that_has_the_number_of_a_killed_one_frees_its_leases_too(shop):
    shop.send(register("ada"))
    again = "os.execv(sys.executable, [sys.executable, *sys.argv[2:]])"
    worker = [*COMMAND[1:], "work", "--until-idle", "--data", str(shop.folder)]

    with started(shop.folder, *worker, command=(sys.executable, "-c", HOLD.format(then=again))) as process:
        assert ended(process) == (0, "1\n")

    assert shop.status()["users"] == 1


def test_what_a_living_worker_holds_is_left_to_it(shop):
    shop.send(register("ada"))
    with started(shop.folder, command=(sys.executable, "-c", HOLD.format(then="time.sleep(600)"))) as process:
        assert process.stdout.readline() == "1\n"
        with started("work", "--data", shop.folder):
            shop.send(place("a"))
            eventually(lambda: shop.status()["orders"]["fulfilled"], "the second worker works")

            assert shop.status()["channels"]["users"]["leased"] == 1


def test_a_process_is_alive_until_it_is_gone():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        alive = process_is_alive(process.pid)
        process.kill()

    assert (alive, process_is_alive(process.pid), process_is_alive(os.getpid()), process_is_alive(1)) == (
        True,
        False,
        True,
        True,
    )


# -- time


def test_a_payment_that_is_never_answered_times_out_and_is_refunded_should_it_come(shop):
    shop("pause", "payments")
    shop.handle(place("a", 700))
    shop.change("update timers set due = 0")

    shop.work()
    timed_out = shop.state("orders", "a")["status"]
    shop("resume", "payments")
    shop.work()

    assert timed_out == "cancelled"
    assert shop.state("order_status", "a")["detail"] == "payment timed out"
    money = shop.status()["money"]["USD"]
    assert (money["captured"], money["refunded"], money["in_flight"]) == (700, 700, 0)
    assert (shop.status()["timers"], shop.missing()) == (0, [])


def test_a_timer_that_was_set_in_the_past_is_due_at_once(shop):
    shop("pause", "payments")
    shop.handle(place("a"))
    body = lines(cloud_event("orders.payment-timed-out.v1", "a", {}, id="late", source="/orders")).strip()
    late = Timer(time.time() - 1, Outgoing("late", "orders.payment-timed-out.v1", "a", body, "orders"))
    with local(shop.folder) as opened:
        opened.broker.set([late])

    shop.work()

    assert shop.state("orders", "a")["status"] == "cancelled"
    assert shop.status()["timers"] == 1


def test_a_timer_is_handled_when_its_time_has_come(shop):
    shop("pause", "payments")
    with working(shop) as process:
        shop.send(place("a"))
        eventually(lambda: shop.status()["timers"], "the timer is set")
        shop.change("update timers set due = ?", time.time() + 0.3)

        eventually(lambda: shop.status()["orders"]["cancelled"], "the order is cancelled")
        process.send_signal(signal.SIGTERM)
        ended(process)

    shop.work()
    assert shop.state("order_status", "a")["detail"] == "payment timed out"


def test_more_timers_than_one_tick_takes_are_all_handled(shop):
    shop("pause", "payments")
    shop.handle(*(place(f"o{number}") for number in range(250)))
    shop.change("update timers set due = 0")

    shop.work()

    assert shop.status()["orders"] == {"placed": 250, "fulfilled": 0, "cancelled": 250, "open": 0}


# -- several at the start


def test_many_commands_may_begin_a_new_folder_together(tmp_path: Path):
    line = [*COMMAND, "status", "--json", "--data", str(tmp_path / "new")]
    pipe = subprocess.PIPE

    together = [subprocess.Popen(line, cwd=ROOT, stdout=pipe, stderr=pipe, text=True) for _ in range(4)]
    said = [process.communicate(timeout=30)[1] for process in together]

    assert [(process.returncode, err) for process, err in zip(together, said, strict=True)] == [(0, "")] * 4
    assert trefoil("status", "--data", tmp_path / "new").code == 0
