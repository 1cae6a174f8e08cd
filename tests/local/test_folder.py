"""Trouble with the data folder: one sentence, a code that is not zero, nothing lost, and no traceback."""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Timer

import pytest

from functions.local.worker import Worker
from infra.local.database import Database
from infra.local.wiring import local
from shared.kernel.errors import StoreUnavailable
from shared.kernel.telemetry import Counters
from tests.local.driver import (
    COMMAND,
    Finished,
    Shop,
    fails_in_one_sentence,
    lines,
    place,
    register,
    trefoil,
    trefoil_process,
)

EVERY_COMMAND = (
    *("run --orders FILE --workers 1", "send FILE", "work --until-idle", "status", "status --json"),
    *("show orders a", "trace a", "pause orders", "resume orders", "replay orders", "audit", "audit --repair"),
    *("dead list", "dead show orders/1", "dead replay --all", "dead drop --all"),
)
WRITING_COMMANDS = ("send FILE", "pause orders", "resume orders", "work --until-idle", "run --orders FILE")


def run(command: str, folder: Path) -> Finished:
    """Run a command on a data folder; FILE stands for a file of orders beside it."""
    file = folder.parent / "orders.jsonl"
    file.write_bytes(lines(place("a")))
    return trefoil(*command.replace("FILE", str(file)).split(), "--data", folder)


# -- what is no database


@pytest.mark.parametrize("command", EVERY_COMMAND)
def test_a_file_that_is_no_database_is_left_alone(tmp_path, command):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "trefoil.db").write_bytes(b"these are my holiday notes\n" * 100)

    done = run(command, folder)

    fails_in_one_sentence(done, f"'{folder}/trefoil.db' is not a Trefoil database", "--data")
    assert (folder / "trefoil.db").read_bytes() == b"these are my holiday notes\n" * 100


@pytest.mark.parametrize("command", ["status", "send FILE"])
def test_a_file_in_place_of_the_folder_is_an_error(tmp_path, command):
    (tmp_path / "data").write_text("not a folder")

    fails_in_one_sentence(run(command, tmp_path / "data"), str(tmp_path / "data"), "--data")


def test_a_folder_in_place_of_the_database_is_an_error(tmp_path):
    (tmp_path / "data" / "trefoil.db").mkdir(parents=True)

    fails_in_one_sentence(run("status", tmp_path / "data"), "trefoil.db")


def test_a_folder_below_a_file_is_an_error(tmp_path):
    (tmp_path / "file").touch()

    fails_in_one_sentence(trefoil("status", "--data", tmp_path / "file" / "data"), str(tmp_path / "file" / "data"))


@pytest.mark.parametrize("layout", [2, 99])
def test_a_database_of_another_layout_is_refused_rather_than_guessed_at(shop, layout):
    shop.handle(register("ada"))
    shop.change(f"pragma user_version = {layout}")

    fails_in_one_sentence(shop("status"), f"has layout {layout}; this version reads 1")


def test_a_database_of_another_program_is_not_written_to(tmp_path):
    with closing(sqlite3.connect(tmp_path / "trefoil.db")) as connection:
        connection.execute("create table messages (text text)")
        connection.commit()

    fails_in_one_sentence(trefoil("status", "--data", tmp_path), "trefoil.db")
    with closing(sqlite3.connect(tmp_path / "trefoil.db")) as connection:
        assert connection.execute("select name from sqlite_master").fetchall() == [("messages",)]


@pytest.mark.parametrize("command", ["status", "show orders o1", "trace o1", "audit", "work --until-idle"])
def test_a_database_that_is_damaged_is_an_error(tmp_path, command):
    shop = Shop(tmp_path / "data")
    shop.handle(*(place(f"o{number}") for number in range(100)))
    shop.query("pragma wal_checkpoint(truncate)")
    file = tmp_path / "data" / "trefoil.db"
    size = file.stat().st_size
    with file.open("r+b") as database:
        database.seek(4096)
        database.write(b"\xa5" * (size - 4096))

    done = run(command, tmp_path / "data")

    fails_in_one_sentence(done, "trefoil.db")


# -- what may not be written

AS_ANYBODY = ("setpriv", "--bounding-set", "-dac_override") if os.geteuid() == 0 else ()
"""Root may write everywhere, unless it is told that it may not."""


@pytest.fixture
def read_only(shop) -> Iterator[Shop]:
    """A data folder, and a database in it, that nobody may write."""
    shop.handle(register("ada"))
    files = list(shop.folder.glob("trefoil.db*"))
    for path in files:
        path.chmod(0o444)
    shop.folder.chmod(0o555)
    yield shop
    shop.folder.chmod(0o755)
    for path in files:
        if path.exists():
            path.chmod(0o644)


@pytest.mark.requires(not AS_ANYBODY or shutil.which("setpriv"), install="util-linux, or be somebody else than root")
@pytest.mark.parametrize("command", ["send -", "work --until-idle", "pause users", "status"])
def test_a_folder_that_may_not_be_written_is_an_error(read_only, command):
    line = [*command.split(), "--data", read_only.folder]

    done = trefoil_process(*line, stdin=lines(register("bob")), command=(*AS_ANYBODY, *COMMAND))

    fails_in_one_sentence(done, str(read_only.folder))


@pytest.mark.requires(not AS_ANYBODY or shutil.which("setpriv"), install="util-linux, or be somebody else than root")
def test_a_folder_that_may_not_be_made_is_an_error(tmp_path):
    tmp_path.chmod(0o555)

    done = trefoil_process("status", "--data", tmp_path / "data", command=(*AS_ANYBODY, *COMMAND))

    tmp_path.chmod(0o755)
    fails_in_one_sentence(done, str(tmp_path / "data"))


# -- what somebody else holds


@pytest.fixture
def impatient(monkeypatch) -> None:
    """Wait for a lock, and between two rounds, for a moment only."""
    monkeypatch.setattr(Database.__init__, "__defaults__", (0.05,))
    monkeypatch.setattr("functions.local.worker.TROUBLE_NAP_SECONDS", 0.01)


@contextmanager
def locked(shop: Shop) -> Iterator[None]:
    """Somebody else's transaction, for as long as the block lasts."""
    with closing(sqlite3.connect(shop.folder / "trefoil.db", isolation_level=None)) as connection:
        connection.execute("begin immediate")
        yield


@contextmanager
def locked_at_work(shop: Shop) -> Iterator[tuple[sqlite3.Connection, Callable[[], bool]]]:
    """A transaction that somebody else begins as soon as a worker, which is given the function, has begun."""
    path = shop.folder / "trefoil.db"
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as connection:
        once = iter(["begin immediate"])

        def stopped() -> bool:
            for statement in once:
                connection.execute(statement)
            return False

        yield connection, stopped


@pytest.mark.parametrize("command", WRITING_COMMANDS)
def test_a_database_that_somebody_else_holds_is_an_error_with_a_remedy(shop, impatient, command):
    shop.send(register("ada"))
    with locked(shop):
        done = run(command, shop.folder)

    fails_in_one_sentence(done, "database is locked", "another process holds it")
    assert len(shop.query("select * from messages")) == 1


@pytest.mark.parametrize("command", ["status", "audit", "dead list"])
def test_a_database_that_somebody_else_writes_can_be_read(shop, impatient, command):
    shop.handle(register("ada"))
    with locked(shop):
        done = run(command, shop.folder)

    assert (done.code, done.err) == (0, "")


def test_a_worker_goes_on_when_the_lock_is_gone(shop, impatient):
    shop.send(register("ada"))

    with local(shop.folder) as opened, locked_at_work(shop) as (other, stopped):
        unlocking = Timer(0.3, other.execute, ["rollback"])
        unlocking.start()
        Worker(opened, Counters()).run(until_idle=True, stopped=stopped)
        unlocking.join()

    assert (shop.status()["users"], shop.missing()) == (1, [])


def test_a_worker_that_is_locked_out_for_long_gives_up_and_leaves_every_message_where_it_was(shop, impatient):
    shop.send(register("ada"))

    with (
        local(shop.folder) as opened,
        locked_at_work(shop) as (_, stopped),
        pytest.raises(StoreUnavailable, match="another process holds it"),
    ):
        Worker(opened, Counters()).run(until_idle=True, stopped=stopped)

    assert shop.query("select service, attempts from messages") == [("users", 0)]
    shop.work()
    assert shop.status()["users"] == 1
