"""A disk that is full, for data, for logs, for mails and for output: a sentence, and nothing is lost."""

import subprocess
import sys
from pathlib import Path

import pytest

from functions.local.sending import Sender
from functions.local.worker import Worker
from infra.local.wiring import local
from shared.catalog import CATALOG
from shared.kernel.errors import StoreUnavailable
from shared.kernel.telemetry import Counters
from tests.local.driver import (
    COMMAND,
    ROOT,
    SAMPLES,
    Finished,
    Shop,
    fails_in_one_sentence,
    lines,
    place,
    register,
    trefoil_process,
)

LIMITED = """
import resource, sys
import functions.local.worker as worker
from functions.local.cli import main

limit, patience = int(sys.argv[1]), int(sys.argv[2])
worker.TROUBLE_NAP_SECONDS, worker.GIVE_UP_AFTER = 0.01, patience
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
sys.argv = ["trefoil", *sys.argv[3:]]
main()
"""
"""The command line on a disk that takes files of a limited size only, with little patience."""


# -- data


def limited(limit: int, *arguments: str | Path, stdin: bytes = b"", patience: int = 3) -> Finished:
    return trefoil_process(str(limit), str(patience), *arguments, stdin=stdin, command=(sys.executable, "-c", LIMITED))


def size(shop: Shop) -> int:
    return max(path.stat().st_size for path in shop.folder.glob("trefoil.db*"))


def test_a_full_disk_refuses_what_is_sent_and_takes_it_when_there_is_room(shop):
    shop.handle(register("ada"))
    many = lines(*(register(f"user-{number}") for number in range(500)))

    full = limited(size(shop), "send", "-", "--data", shop.folder, stdin=many)

    fails_in_one_sentence(full, str(shop.folder / "trefoil.db"))
    assert shop("send", "-", stdin=many).out == "500 sent, 0 refused\n"
    shop.work()
    assert (shop.status()["users"], shop.missing(), len(shop.mails())) == (501, [], 501)


@pytest.fixture
def busy(shop) -> Shop:
    """A shop with orders to handle; mails wait, because one that is cut off is nobody's business here."""
    shop("pause", "notifications")
    shop.send(*(place(f"o{number}") for number in range(100)))
    return shop


def goes_on(shop: Shop) -> None:
    """With room on the disk again, everything is handled, once."""
    shop.work()
    status = shop.status()
    assert status["orders"] == {"placed": 100, "fulfilled": 100, "cancelled": 0, "open": 0}
    assert status["money"]["USD"]["captured"] == 100_000
    assert (shop.missing(), shop.letters()) == ([], [])


def test_a_worker_on_a_full_disk_gives_up_and_loses_neither_messages_nor_their_tries(busy):
    full = limited(size(busy) // 2, "work", "--until-idle", "--data", busy.folder, patience=20)

    fails_in_one_sentence(full, str(busy.folder / "trefoil.db"))
    ((tries,),) = busy.query(
        "select max(attempts) from (select attempts from leases union select attempts from messages)"
    )
    assert tries <= 1
    goes_on(busy)


def test_the_remedy_of_a_full_disk_is_named(shop):
    many = lines(*(register(f"user-{number}") for number in range(2_000))).splitlines()
    with local(shop.folder) as opened:
        opened.database._connection.execute("pragma max_page_count = 40")

        with pytest.raises(StoreUnavailable, match="database or disk is full; free some space and start again"):
            list(Sender(CATALOG, opened.broker).send(many))

    assert shop.status()["channels"]["users"]["waiting"] in (0, 1000)


# -- logs, output, mails


def test_a_log_that_can_not_be_written_does_not_stop_the_work(shop, tmp_path):
    (tmp_path / "users").write_bytes(lines(register("ada")))
    shop.send(register("bob"))
    shop.folder.joinpath("log.jsonl").symlink_to("/dev/full")

    done = trefoil_process("run", "--users", tmp_path / "users", "--workers", "1", "--json", "--data", shop.folder)

    assert "Traceback" not in done.both
    assert shop.status()["users"] + shop.status()["waiting"] == 2


@pytest.mark.requires(Path("/dev/full").exists(), install="Linux: there is no /dev/full here")
@pytest.mark.parametrize("command", ["import cdnow sample", "status", "status --json"])
def test_an_output_that_can_not_be_written_is_an_error(shop, command):
    shop.handle(place("a"))
    words = [str(SAMPLES / "CDNOW_sample.txt") if word == "sample" else word for word in command.split()]
    data = ["--data", shop.folder] if words[0] == "status" else []

    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*COMMAND, *words, *data], stdout=full, stderr=subprocess.PIPE, cwd=ROOT, text=True, check=False
        )

    assert done.returncode != 0
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reader_that_has_had_enough_is_no_error_worth_a_traceback():
    line = [*COMMAND, "import", "cdnow", str(SAMPLES / "CDNOW_sample.txt")]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as process:
        process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read()

    assert said == b""


def test_a_folder_of_mails_that_can_not_be_written_costs_no_mail(shop):
    shop.send(register("ada"))
    (shop.folder / "mails").write_text("in the way")
    some_rounds = iter([False] * 50)

    with local(shop.folder) as opened:
        Worker(opened, Counters()).run(until_idle=True, stopped=lambda: next(some_rounds, True))
    (shop.folder / "mails").unlink()
    shop.change("update messages set due = 0")
    shop.work()

    assert (shop.mails(), shop.status()["mails"]) == (["welcome%3Ausers%2Fada%3A1%3A0.eml"], 1)
    assert shop.letters() == []
