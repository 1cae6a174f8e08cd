"""The real thing: worker processes on the full sample, killed again and again, then left to finish."""

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

KILLS = 20
ORDERS, CENTS, USERS, READINGS = 6_919, 24_409_194, 2_357, 8_759
SAMPLES = Path(__file__).parents[2] / "functions" / "local" / "samples"


def trefoil(*arguments: str, stdin: bytes | None = None) -> bytes:
    done = subprocess.run(
        [sys.executable, "-m", "functions.local", *arguments], input=stdin, capture_output=True, check=True
    )
    return done.stdout


@pytest.fixture(scope="module")
def survived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder in which the full sample was handled by workers that were killed KILLS times."""
    folder = tmp_path_factory.mktemp("killed")
    data = ["--data", str(folder)]
    trefoil("send", "-", *data, stdin=trefoil("import", "cdnow", str(SAMPLES / "CDNOW_sample.txt")))
    readings = ["import", "temperatures", str(SAMPLES / "sf-temps.csv"), "--sensor", "san-francisco", "--unit", "F"]
    trefoil("send", "-", *data, stdin=trefoil(*readings))
    _work_and_kill(folder)
    trefoil("work", "--until-idle", "--workers", "2", *data)
    return folder


def _work_and_kill(folder: Path) -> None:
    chance = random.Random(2026)
    command = [sys.executable, "-m", "functions.local", "work", "--data", str(folder)]
    workers = [subprocess.Popen(command) for _ in range(2)]
    for _ in range(KILLS):
        time.sleep(chance.uniform(0.2, 1.2))
        victim = chance.randrange(2)
        workers[victim].kill()
        workers[victim].wait()
        workers[victim] = subprocess.Popen(command)
    for worker in workers:
        worker.kill()
        worker.wait()


def test_killed_workers_leave_books_that_balance_to_the_cent(survived: Path) -> None:
    books = json.loads(trefoil("status", "--json", "--data", str(survived)))

    orders, money = books["orders"], books["money"]["USD"]
    assert (orders["placed"], money["placed"]) == (ORDERS, CENTS)
    assert orders["fulfilled"] + orders["cancelled"] == ORDERS
    assert money["captured"] == money["fulfilled"] + money["refunded"]
    assert money["in_flight"] == 0
    assert (books["users"], books["readings"], books["waiting"]) == (USERS, READINGS, 0)


def test_killed_workers_lose_nothing_that_was_committed(survived: Path) -> None:
    found = json.loads(trefoil("audit", "--json", "--data", str(survived)))

    assert found == {"missing": [], "repaired": 0}


def test_killed_workers_send_no_mail_twice_and_name_each_they_can_not_vouch_for(survived: Path) -> None:
    books = json.loads(trefoil("status", "--json", "--data", str(survived)))
    letters = json.loads(trefoil("dead", "list", "--json", "--data", str(survived)))

    files = [path.name for path in (survived / "mails").glob("*.eml")]
    unknown = [letter for letter in letters if letter["reason"] == "OutcomeUnknown"]
    expected = 2 * ORDERS + USERS + books["alerts"]
    assert not [name for name in files if name.endswith(".2.eml")]
    assert letters == unknown
    assert books["mails"] + len(unknown) == expected
    assert books["mails"] <= len(files) <= expected
    assert len(unknown) <= KILLS + 2
