"""The benchmarks still work: each does its work at a tiny scale. How long that takes is no test's business."""

import sqlite3
from contextlib import closing

import msgspec
import pytest

from shared.catalog import CATALOG
from tests.benchmarks import growth, imports, kernel, sqlite_flow
from tests.benchmarks.__main__ import main
from tests.benchmarks.bare_loop import BareLoop
from tests.benchmarks.measure import Case, Row, Scale, Table, check, interleave
from tests.benchmarks.samples import purchases
from tests.benchmarks.script import note
from tests.benchmarks.shop import WITHOUT_MAILS, Shop
from tests.benchmarks.wal import kept, written

TINY = Scale(rounds=1, records=20, orders=1, starts=1, depths=(200, 400), visits=100)


def names(table: Table) -> set[str]:
    return {row.name for row in table.rows if all(sample > 0 for sample in row.samples)}


def test_trefoil_and_the_hand_written_loop_handle_every_record(tmp_path):
    tables = kernel.measure(TINY, tmp_path)

    assert [names(table) >= {kernel.HAND, kernel.TREFOIL} for table in tables] == [True, True]


def test_trefoil_and_the_bare_loops_handle_every_order(tmp_path):
    tables = sqlite_flow.measure(TINY, tmp_path)

    plain, full = tables[:3], tables[3:]
    assert [names(table) >= {sqlite_flow.MINIMAL, sqlite_flow.BARE, sqlite_flow.TREFOIL} for table in plain] == [
        True
    ] * 3
    assert [names(table) for table in full] == [{sqlite_flow.BARE, sqlite_flow.TREFOIL}] * 3
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("catalog", [WITHOUT_MAILS, CATALOG], ids=["without mails", "all services"])
@pytest.mark.parametrize("batch", [1, 10])
def test_the_bare_loop_writes_what_trefoil_writes(tmp_path, catalog, batch):
    costs = []
    for loop in (BareLoop(tmp_path, catalog, note(catalog), batch), Shop(tmp_path, catalog, batch)):
        with loop, kept(loop.database):
            loop.send(purchases(4))
            before = written(loop.database)
            loop.run()
            costs.append(written(loop.database) - before)

    bare, trefoil = costs
    assert bare.pages == pytest.approx(trefoil.pages, rel=0.1, abs=8)
    assert bare.transactions == pytest.approx(trefoil.transactions, abs=3)  # a worker enlists and retires


def test_the_log_of_a_database_tells_pages_and_transactions(tmp_path):
    path = tmp_path / "some.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript("pragma journal_mode=wal; create table numbers (number integer primary key)")
        with kept(path):
            before = written(path)
            for start in (0, 10, 20):
                connection.execute("begin")
                connection.executemany("insert into numbers values (?)", [(start + n,) for n in range(10)])
                connection.execute("commit")

            cost = written(path) - before

    assert (cost.pages, cost.transactions) == (3, 3)


def test_imports_are_told_from_the_interpreter_that_pays_for_them(tmp_path):
    (table,) = imports.measure(TINY, tmp_path)

    assert len(table.rows) == 5
    assert table.notes[0].count(", ") == imports.DEAREST


def test_every_depth_handles_what_it_was_sent(tmp_path):
    sending, handling = growth.measure(TINY, tmp_path)

    assert names(sending) == names(handling) == {"200 waiting", "400 waiting"}


def test_contenders_take_turns_and_every_second_round_goes_backwards():
    order = []
    cases = [Case(name, lambda name=name: order.append(name) or 1.0) for name in "ABC"]

    rows = interleave(cases, 3)

    assert "".join(order) == "ABCCBAABC"
    assert [row.samples for row in rows] == [[1.0] * 3] * 3


def test_a_ratio_is_the_median_of_the_ratios_within_the_rounds():
    table = Table(title="", unit="", rows=[Row("slow", [2.0, 40.0, 9.0]), Row("fast", [1.0, 10.0, 3.0])])

    assert table.ratio("slow", "fast") == 3.0


def test_a_contender_that_did_not_do_the_work_is_not_measured():
    with pytest.raises(RuntimeError, match="done: 9 instead of 10; nothing was measured"):
        check("done", 9, 10)


def test_the_command_shows_tables_and_keeps_every_sample(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("tests.benchmarks.__main__.QUICK", TINY)
    json = tmp_path / "found" / "samples.json"

    main(["--quick", "--only", "kernel", "--json", str(json), "--folder", str(tmp_path)])

    found = msgspec.json.decode(json.read_bytes())
    assert [table["title"] for table in found["tables"]] == [f"Kernel, in memory, batches of {n}" for n in (10, 100)]
    assert found["machine"]["cores"] > 0
    assert "hand-written loop" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == [json.parent]
