"""The AWS benchmarks still work: each does its work at a tiny scale, and contenders do what they are said to do."""

from contextlib import redirect_stdout
from io import StringIO

import pytest

from infra.emulators.interpreters import find_python
from shared.kernel.errors import ConfigurationError
from tests.benchmarks import aws_calls, aws_flow, aws_functions, aws_imports
from tests.benchmarks.aws_calls import FLOW, PAYMENTS, POWERTOOLS
from tests.benchmarks.aws_counts import PUBLISHES, WRITES, Calls
from tests.benchmarks.aws_emulator import fresh
from tests.benchmarks.aws_flow import BARE, TREFOIL, Flow
from tests.benchmarks.aws_shop import Deployment
from tests.benchmarks.measure import Scale
from tests.benchmarks.powertools import event
from tests.benchmarks.samples import captures
from tests.support.aws import at
from tests.support.aws_pump import Context

TINY = Scale(rounds=1, records=20, orders=1, starts=1, depths=(), visits=1)


@pytest.fixture
def emulator(ministack):
    with at(ministack), redirect_stdout(StringIO()):
        yield ministack


def test_functions_start_out_of_their_zips(tmp_path):
    whole, added, sizes = aws_imports.measure(TINY, tmp_path)

    assert [row.name for row in whole.rows] == list(aws_imports.STARTS)
    assert min(sample for row in added.rows for sample in row.samples) > 0
    assert all(part in added.notes[3] for part in ("botocore", "aws_lambda_powertools", "shared", "making clients"))
    assert "botocore" not in added.notes[4].partition(": ")[2]
    assert sizes.row("powertools, unpacked").median > sizes.row("powertools, packed").median


def test_calls_are_counted_a_message(emulator, tmp_path):
    reads, writes, publishes, written = aws_calls.count(TINY, tmp_path)

    counted = {name: table.row(f"{PAYMENTS}, batches of 10").median for name, table in
               {"reads": reads, "writes": writes, "publishes": publishes}.items()}  # fmt: skip
    assert counted == {"reads": 1, "writes": 1, "publishes": 1}
    # An order's 12 messages, the claims of its two mails, and its timer.
    assert writes.row(f"{FLOW}, batches of 1").median == 15 / 12
    assert writes.row(f"{POWERTOOLS}, batches of 1").median == 3
    assert min(row.median for row in written.rows) > 500
    assert list(tmp_path.iterdir()) == []


def test_ten_messages_of_a_batch_are_published_at_once(emulator, tmp_path):
    calls, messages = aws_calls.payments(tmp_path, 20, 10)

    assert (messages, calls.count(PUBLISHES), calls.count(WRITES)) == (20, 2, 20)


def test_powertools_pays_a_repeated_message_no_second_time(emulator, tmp_path):
    function = aws_calls.peer(fresh(Deployment, tmp_path))
    calls = Calls(function.dynamodb, function.sns)
    twice = captures(1) * 2

    answer = function.handle(event(twice), Context())

    assert answer == {"batchItemFailures": []}
    assert (calls.count(PUBLISHES), calls.made["UpdateItem"]) == (1, 1)


@pytest.mark.parametrize("batch", [1, 10])
def test_the_bare_loop_makes_trefoils_calls(emulator, tmp_path, batch):
    flow = Flow(tmp_path)

    bare, trefoil = (flow.calls(contender, batch, 4) for contender in (flow.bare, flow.trefoil))

    assert bare == pytest.approx(trefoil, rel=0.1)  # which messages of a day share a batch is the emulator's choice
    assert bare["PublishBatch"] > 0


def test_trefoil_and_the_bare_loop_handle_every_order(emulator, tmp_path):
    *speeds, latency = aws_flow.compare(TINY, tmp_path)

    assert [{row.name for row in table.rows} for table in speeds] == [{BARE, TREFOIL}] * 2
    assert min(row.median for table in (*speeds, latency) for row in table.rows) > 0
    assert all(latency.row(f"{name}, p95").median >= latency.row(f"{name}, p50").median for name in (BARE, TREFOIL))
    assert list(tmp_path.iterdir()) == []


def test_real_functions_handle_every_order(emulator, requires, tmp_path):
    python = _python_313()
    requires(python, "Python 3.13")

    shop = aws_functions.deployed(tmp_path, emulator, python)

    assert shop.run(1) > 0  # raises unless every message was handled
    assert list(tmp_path.iterdir()) == []


def _python_313():
    try:
        return find_python("3.13", "", "")
    except ConfigurationError:
        return None
