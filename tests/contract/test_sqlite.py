"""SQLite's own: its file, its locks, a disk that is full, and workers that died."""

import os
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from threading import Timer

import pytest

from infra.local.database import Database
from shared.kernel.errors import ConfigurationError, StoreUnavailable
from tests.support import sqlite as there
from tests.support.contract_catalog import LEDGER, STOCK, ids, message, messages
from tests.support.processes import run, run_together, running
from tests.support.sqlite import FILE, opened

# -- the file


def test_a_commit_survives_a_power_cut_and_readers_go_on_beside_the_writer(sqlite):
    full = 2

    assert list(sqlite.database.read("pragma journal_mode")) == [("wal",)]
    assert list(sqlite.database.read("pragma synchronous")) == [(full,)]


def test_a_folder_that_is_missing_is_made(place):
    with opened(place / "new" / "folder") as sqlite:
        sqlite.append(1)

    assert (place / "new" / "folder" / FILE).is_file()


def test_a_file_that_is_opened_again_holds_what_it_held(sqlite, place):
    sqlite.append(1)
    sqlite.broker.publish([message("m1")])
    sqlite.database.close()

    with opened(place, sqlite.clock) as again:
        assert again.versions() == [1]
        assert ids(again.broker.lease(STOCK, 10, 60.0)) == ["m1"]


def test_workers_that_start_together_on_a_new_folder_all_find_it_ready(place):
    folders = [str(place / str(number)) for number in range(20)]

    troubles = run_together(there.open_each, [[folders, 0.04]] * 4)

    assert troubles == [[], [], [], []]


def not_a_database(path):
    path.write_text("Dear diary, " * 500)


def a_folder(path):
    path.mkdir()


def below_a_file(path):
    path.parent.rmdir()
    path.parent.write_text("a file")


def cut_short(path):
    Database(path).close()
    os.truncate(path, 5000)


@pytest.mark.parametrize("spoil", [not_a_database, a_folder, below_a_file, cut_short], ids=lambda spoil: spoil.__name__)
def test_a_file_that_cannot_be_used_is_named_with_the_remedy(place, spoil):
    path = place / "data" / FILE
    path.parent.mkdir()
    spoil(path)

    with pytest.raises(ConfigurationError, match="--data") as raised:
        Database(path)

    assert f"'{path}'" in str(raised.value)


@pytest.fixture
def foreign_folder():
    """A folder that other users can reach; pytest's own are closed to them."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)
        Path(folder).chmod(0o700)


def test_a_folder_that_may_not_be_written_is_named_with_the_remedy(foreign_folder):
    foreign_folder.chmod(0o555)

    trouble = run(there.open_as_nobody, str(foreign_folder))

    assert f"'{foreign_folder / FILE}'" in trouble
    assert "--data" in trouble


def test_a_file_that_may_not_be_written_is_refused_at_the_start(foreign_folder):
    Database(foreign_folder / FILE).close()
    (foreign_folder / FILE).chmod(0o444)
    foreign_folder.chmod(0o777)

    trouble = run(there.open_as_nobody, str(foreign_folder))

    assert f"'{foreign_folder / FILE}'" in trouble
    assert "--data" in trouble


@pytest.mark.parametrize("layout", [7, -1, 2**31 - 1])
def test_a_file_of_another_layout_is_refused_and_left_as_it_is(place, layout):
    Database(place / FILE).close()
    with sqlite3.connect(place / FILE) as connection:
        connection.execute(f"pragma user_version={layout}")
    connection.close()
    before = (place / FILE).read_bytes()

    with pytest.raises(ConfigurationError, match=f"layout {layout}.*--data"):
        Database(place / FILE)

    assert (place / FILE).read_bytes() == before


# -- locks


def test_a_write_that_another_process_blocks_fails_and_says_so(sqlite, place):
    with running(there.hold_lock, str(place)):
        for write in (lambda: sqlite.append(1), lambda: sqlite.broker.publish([message("m1")])):
            with pytest.raises(StoreUnavailable, match=f"'{place / FILE}'.*locked.*another process holds it"):
                write()

    sqlite.append(1)
    assert sqlite.versions() == [1]


def test_reads_go_on_while_another_process_writes(sqlite, place):
    sqlite.append(1)

    with running(there.hold_lock, str(place)):
        assert sqlite.versions() == [1]
        assert list(sqlite.broker.parked(STOCK)) == []
        assert sqlite.broker.lease(STOCK, 10, 60.0) == []


def test_a_write_goes_on_while_another_process_reads(sqlite, other):
    sqlite.append(1)
    sqlite.append(2)
    reading = other.store.read("stock/s1")
    next(reading)

    sqlite.append(3)

    assert [commit.version for commit in reading] == [1]


def test_a_short_lock_is_waited_out(sqlite, place):
    with opened(place, busy_seconds=10.0) as patient, sqlite.database.unit_of_work():
        sqlite.append(1)
        soon = Timer(0.1, sqlite.store.flush)
        soon.start()

        patient.broker.publish([message("m1")])

        soon.join()
        assert patient.versions() == [1]


def test_a_write_that_breaks_off_for_another_reason_holds_no_lock_and_leaves_nothing_behind(sqlite, other):
    nobody = "a_service_that_is_gone"
    sqlite.broker.publish([message("m1", to=nobody)])

    with pytest.raises(ConfigurationError, match=nobody):
        sqlite.broker.lease(nobody, 1, 60.0)

    other.append(1)
    assert sqlite.versions() == [1]


# -- a disk that is full


def test_a_full_disk_is_said_to_be_full_and_takes_nothing_from_what_is_there(sqlite):
    sqlite.leave_room_for(5)

    trouble = sqlite.run_full()

    assert "full; free some space" in str(trouble)
    confirmed = sqlite.versions()
    assert confirmed == list(range(1, len(confirmed) + 1))
    assert len(confirmed) > 1


def test_work_goes_on_where_it_was_once_there_is_space(sqlite):
    sqlite.leave_room_for(5)
    sqlite.run_full()
    confirmed = len(sqlite.versions())

    sqlite.leave_room_for(1000)
    sqlite.append(confirmed + 1)

    assert sqlite.versions() == list(range(1, confirmed + 2))


def test_a_batch_that_does_not_fit_on_the_disk_is_published_to_nobody(sqlite):
    sqlite.leave_room_for(5)

    with pytest.raises(StoreUnavailable, match="full"):
        sqlite.broker.publish(messages(500))

    assert sqlite.broker.lease(STOCK, 1000, 60.0) == sqlite.broker.lease(LEDGER, 1000, 60.0) == []


def test_a_file_that_the_system_lets_grow_no_further_keeps_every_confirmed_commit(sqlite, place):
    confirmed, trouble = run(there.append_until_the_file_may_not_grow, str(place), 200_000)

    assert (confirmed > 0, str(place / FILE) in trouble) == (True, True)
    assert sqlite.versions() == list(range(1, confirmed + 1))
    assert list(sqlite.database.read("pragma integrity_check")) == [("ok",)]


def test_the_database_of_another_program_is_left_alone(tmp_path):
    path = tmp_path / "theirs.db"
    with closing(sqlite3.connect(path)) as theirs:
        theirs.execute("create table theirs (x)")

    with pytest.raises(ConfigurationError, match="is not a Trefoil database"):
        Database(path)
