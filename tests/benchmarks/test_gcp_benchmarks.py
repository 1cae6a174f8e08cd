"""The Google Cloud benchmarks still work: each does its work at a tiny scale, and contenders do as they are said to."""

import sys
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path

import pytest
from functions_framework import create_app

from functions.zips import Sizes
from tests.benchmarks import gcp_calls, gcp_flow, gcp_imports, gcp_push, gcp_trees
from tests.benchmarks.gcp_bare import BareLoop
from tests.benchmarks.gcp_calls import BUSY_DAY, CROWDED, FLOW, PAYMENTS, USUAL
from tests.benchmarks.gcp_counts import PUBLISHES, Calls, counting
from tests.benchmarks.gcp_emulator import DELIVERIES, MESSAGES, fresh, output_to
from tests.benchmarks.gcp_flow import BARE, EMULATOR, TREFOIL
from tests.benchmarks.gcp_limits import following, pushing
from tests.benchmarks.gcp_push import Pushed
from tests.benchmarks.gcp_shop import Deployment, Functions, pushed
from tests.benchmarks.gcp_trees import Trees
from tests.benchmarks.measure import Scale
from tests.benchmarks.samples import captures, purchases
from tests.support.gcp import at_google

TINY = Scale(rounds=1, records=20, orders=1, starts=1, depths=(), visits=1)


@pytest.fixture
def emulators(pubsub, firestore, tmp_path):
    with at_google(pubsub, firestore):
        yield {**pubsub.exports, **firestore.exports}


@pytest.fixture
def quiet(tmp_path):
    """What functions log goes nowhere."""
    with output_to(tmp_path / "log.jsonl"):
        yield


def test_functions_start_out_of_their_zip(tmp_path):
    """On what is installed here, in place of what Cloud Build would install."""
    code, sizes = gcp_trees.unpack(tmp_path)
    installed = Path(pytest.__file__).parents[1]
    trees = Trees(Path(sys.executable), "of the tests", code, installed, sizes)

    whole, added = gcp_imports.compare(TINY, tmp_path, trees)

    assert [row.name for row in whole.rows] == list(gcp_imports.STARTS)
    assert min(sample for row in added.rows for sample in row.samples) > 0
    parts, dearest = added.notes[-2:]
    assert all(part in parts for part in ("google.cloud.firestore_v1", "google.pubsub_v1", "gunicorn", "shared"))
    assert "google" not in dearest.partition(": ")[2]


def test_sizes_leave_bytecode_out(tmp_path):
    for name in ("a/b.py", "a/__pycache__/b.pyc"):
        path = tmp_path / "installed" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(2**20))

    table = gcp_trees.sizes(Trees(Path(), "3", tmp_path, tmp_path / "installed", Sizes(2**20, {"main.py": 2**21})))

    assert [row.median for row in table.rows] == [1, 2, 1]


def test_calls_are_counted_a_message(emulators, tmp_path):
    reads, documents, writes, publishes, written = gcp_calls.count(TINY, tmp_path)

    kinds = (reads, documents, writes, publishes)
    assert [table.row(PAYMENTS).median for table in kinds] == [1, 1, 1, 1]
    assert [table.row(USUAL).median for table in kinds] == [1, 1, 3, 1]
    # An order's 12 messages, the claims of its two mails, and its timer; what is ignored is read, too.
    assert writes.row(FLOW).median == 15 / MESSAGES
    assert reads.row(FLOW).median == DELIVERIES / MESSAGES
    assert writes.row(CROWDED).median >= 15 / MESSAGES
    assert [table.row(BUSY_DAY).median for table in (reads, writes)] == [1, 1]
    assert min(row.median for row in written.rows) > 300
    assert "emulators" not in [path.name for path in tmp_path.iterdir()]


def test_the_bare_loop_makes_trefoils_calls(emulators, quiet, tmp_path):
    made = []
    for contender in (BareLoop, Functions):
        gcp, calls = gcp_calls.counted(tmp_path)
        with contender(gcp, 1) as loop:
            loop.send(purchases(2))
            loop.wait(2 * DELIVERIES)
        made.append({name: count for name, count in calls.made.items() if name in Calls.kinds})

    bare, trefoil = made
    # Trefoil reads the stream of what it ignores, too.
    assert trefoil == {**bare, "RunQuery": bare["RunQuery"] + 2 * (DELIVERIES - MESSAGES)}


@pytest.fixture
def usual(emulators, tmp_path):
    """The peer, and its calls."""
    calls = Calls()
    with counting(calls):
        yield gcp_calls.peer(fresh(Deployment, tmp_path, deployed=True)), calls


def test_the_usual_function_pays_a_repeated_message_no_second_time(usual):
    function, calls = usual
    (body,) = captures(1)

    answers = [function.handle(pushed(body, {})) for _ in range(2)]

    assert answers == [("", HTTPStatus.NO_CONTENT)] * 2
    assert calls.count(PUBLISHES) == 1


def test_the_usual_function_takes_a_claim_over_when_nobody_marked_it_in_time(usual):
    function, _ = usual
    remembered = function._firestore.collection("handled").document("1")
    answers = []
    for until in (timedelta(minutes=1), timedelta(minutes=-1)):
        remembered.set({"until": datetime.now(UTC) + until, "done": False})
        answers.append(function._claim(remembered))

    assert answers == [False, True]


def test_every_contender_handles_every_order_by_pull(emulators, tmp_path, monkeypatch):
    monkeypatch.setattr(gcp_flow, "SHARES", {2: 1})

    alone, speed, latency = gcp_flow.pull(TINY, tmp_path)

    assert {row.name for row in speed.rows} == {EMULATOR, BARE, TREFOIL}
    assert min(row.median for table in (alone, speed, latency) for row in table.rows) > 0
    assert list(tmp_path.iterdir()) == []


def test_the_bare_function_handles_pushes_and_ignores_what_is_none_of_its_service(emulators, tmp_path, monkeypatch):
    names = fresh(Deployment, tmp_path).names
    for name, value in {"NAME": names.name, "STAGE": names.stage, "SERVICE": "payments"}.items():
        monkeypatch.setenv(f"TREFOIL_{name}", value)
    client = create_app("receive", str(gcp_push.BARE), "http").test_client()
    (order,), (capture,) = purchases(1), captures(1)

    with output_to(tmp_path / "payments.log"):
        answers = [client.post("/", json=pushed(body, {})).status_code for body in (order.body, capture)]
        handled = Pushed(None, tmp_path).count()

    assert answers == [HTTPStatus.NO_CONTENT] * 2
    assert handled == 1


def test_what_functions_handled_is_read_from_their_logs_line_by_whole_line(tmp_path):
    shop, done = Pushed(None, tmp_path), b'{"outcome":"Done"}\n'
    counts = []
    for written in (done + done[:9], done[9:] + b'{"outcome":"Ignored"}\n', b"", done):
        with (tmp_path / "payments.log").open("ab") as log:
            log.write(written)
        counts.append(shop.count())

    assert counts == [1, 2, 2, 3]


def test_an_order_is_pushed_with_all_that_follows_from_it(emulators, tmp_path):
    (order,) = purchases(1)

    messages = list(following(order))

    assert len(messages) == len({each.id for each in messages}) == 10
    assert pushing(tmp_path, 1) > 0
