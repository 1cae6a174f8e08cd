"""The Azure benchmarks still work: each does its work at a tiny scale, and contenders do as they are said to."""

import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from functions.package import ROOT
from functions.zips import Sizes
from infra.azure.clients import Clients
from tests.benchmarks import azure_calls, azure_flow, azure_functions, azure_imports, azure_limits, azure_zips
from tests.benchmarks.azure_calls import FLOW, PAYMENTS, USUAL, as_received
from tests.benchmarks.azure_counts import PUBLISHES, READS, WRITES, Calls, counting
from tests.benchmarks.azure_emulator import MESSAGES, Bus, Turn, connected, fresh
from tests.benchmarks.azure_flow import BARE, EMULATOR, TREFOIL, BareLoop
from tests.benchmarks.azure_shop import Deployment, Functions, triggered
from tests.benchmarks.azure_usual import UnderWay
from tests.benchmarks.azure_zips import PACKAGES, Zip
from tests.benchmarks.done import DONE, Done
from tests.benchmarks.measure import Scale
from tests.benchmarks.samples import captures, purchases
from tests.support.azure_emulators import running

TINY = Scale(rounds=1, records=20, orders=1, starts=1, depths=(), visits=1)


@pytest.fixture(scope="module")
def exports(servicebus_emulator, azurite, tmp_path_factory) -> Iterator[dict[str, str]]:
    around = {name: value for name, value in os.environ.items() if not name.startswith("TREFOIL_")}
    with running(Bus(servicebus_emulator.contract), tmp_path_factory.mktemp("bus"), around) as bus:
        yield {**bus.exports, **azurite.exports}


@pytest.fixture(scope="module")
def clients(exports) -> Iterator[Clients]:
    with connected(exports) as opened:
        yield opened


@pytest.fixture
def zipped(tmp_path) -> Zip:
    """The checkout in place of what the zip holds, and what is installed here in place of what it brings."""
    (tmp_path / PACKAGES).parent.mkdir(parents=True)
    (tmp_path / PACKAGES).symlink_to(Path(pytest.__file__).parents[1])
    (tmp_path / "function_app.py").symlink_to(ROOT / "functions" / "azure" / "function_app.py")
    for name in ("functions", "infra", "shared"):
        (tmp_path / name).symlink_to(ROOT / name)
    return Zip(Path(sys.executable), "of the tests", tmp_path, Sizes(0, {}))


def test_functions_start_out_of_their_zip(zipped):
    whole, added = azure_imports.compare(TINY, zipped)

    assert [row.name for row in whole.rows] == list(azure_imports.STARTS)
    assert min(sample for row in added.rows for sample in row.samples) > 0
    parts, dearest = added.notes[-2:]
    assert all(part in parts for part in ("azure.servicebus", "azure.data.tables", "azure.identity", "shared"))
    assert "azure.core" not in dearest.partition(": ")[2]


def test_sizes_tell_what_the_zip_brings_from_what_is_trefoils(tmp_path):
    brought = tmp_path / PACKAGES / "azure" / "core.py"
    brought.parent.mkdir(parents=True)
    brought.write_bytes(bytes(2**20))

    table = azure_zips.sizes(Zip(Path(), "3", tmp_path, Sizes(2**19, {".python_packages": 2**20, "shared": 2**21})))

    assert [row.median for row in table.rows] == [0.5, 3, 2]
    assert "azure 1.0" in table.notes[0]


def test_calls_are_counted_a_message(clients, tmp_path):
    reads, writes, sends, written = azure_calls.count(TINY, tmp_path, clients)

    def found(name: str) -> list[float]:
        return [table.row(f"{name}, batches of 1").median for table in (reads, writes, sends)]

    assert found(PAYMENTS) == [1, 1, 1]
    assert found(USUAL) == [1, 3, 1]
    # An order's 12 messages, the claims of its two mails, and its timer.
    assert found(FLOW)[:2] == [1, 15 / MESSAGES]
    assert min(row.median for row in written.rows) > 300
    assert list(tmp_path.iterdir()) == []


def test_a_batch_shares_its_send(clients, tmp_path, monkeypatch):
    monkeypatch.setattr(azure_calls, "SHARE", 1)

    calls, messages = azure_calls.payments(clients, 10, 10)

    assert [calls.count(kind) / messages for kind in (READS, WRITES, PUBLISHES)] == [1, 1, 0.1]


@pytest.mark.parametrize("batch", [1, 10])
def test_the_bare_loop_makes_trefoils_calls(clients, batch):
    made = []
    for contender in (BareLoop, Functions):
        loop, calls = contender(fresh(Deployment, clients), batch), Calls()
        loop.send(purchases(2))
        with counting(calls):
            loop.run()
        made.append(dict(calls.made))

    bare, trefoil = made
    assert bare == trefoil


def test_every_contender_handles_every_order(clients, tmp_path, monkeypatch):
    monkeypatch.setattr(azure_flow, "SHARES", {2: 1})

    speed, latency = azure_flow.compare(TINY, tmp_path, clients)

    assert {row.name for row in speed.rows} == {EMULATOR, BARE, TREFOIL}
    assert min(row.median for table in (speed, latency) for row in table.rows) > 0
    assert list(tmp_path.iterdir()) == []


def test_a_message_that_does_not_come_is_an_error(clients, monkeypatch):
    monkeypatch.setattr("tests.benchmarks.azure_loop.PATIENCE", 0.1)
    loop = BareLoop(fresh(Deployment, clients), 1)
    loop.waiting["orders"] = 1

    with pytest.raises(RuntimeError, match="orders: 1 messages did not come"):
        loop.run()


def test_the_usual_function_pays_a_repeated_message_no_second_time(clients):
    function, calls = azure_calls.peer(clients), Calls()
    messages = triggered([as_received(body) for body in captures(1)])

    with counting(calls):
        for _ in range(2):
            function.handle(messages)

    assert calls.count(PUBLISHES) == 1


def test_the_usual_function_takes_a_claim_over_when_nobody_marked_it_in_time(clients):
    remembered = {"PartitionKey": "|orders", "RowKey": "1"}
    function = azure_calls.peer(clients)
    function.remembered.create_entity({**remembered, "until": datetime.now(UTC) + timedelta(minutes=1), "done": False})

    with pytest.raises(UnderWay):
        function.claim(remembered)
    function.remembered.update_entity({**remembered, "until": datetime.now(UTC) - timedelta(minutes=1)})

    assert function.claim(remembered)


def test_the_bare_functions_say_what_they_have_done(exports, clients, monkeypatch, caplog):
    names = fresh(Deployment, clients, alone=True).names
    for name, value in exports.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("infra.azure.wiring.names", lambda _: names)
    from tests.benchmarks import azure_bare_main  # noqa: PLC0415 - it reads its app's names at once

    functions = {each.get_function_name(): each.get_user_function() for each in azure_bare_main.app.get_functions()}
    with caplog.at_level("INFO", "bare"):
        functions["payments"](triggered([as_received(body) for body in captures(3)]))

    assert caplog.text.count(DONE) == 3
    assert len(list(clients.table(names.commits).list_entities())) == 3


def test_what_functions_handled_is_read_from_their_logs_line_by_whole_line(tmp_path):
    done, line = Done(tmp_path), f"{{{DONE}}}\n"
    counts = []
    for written in (line + line[:9], line[9:] + '{"outcome":"Ignored"}\n', "", line):
        with (tmp_path / "payments.log").open("a") as log:
            log.write(written)
        counts.append(done.look())

    assert counts == [1, 2, 2, 3]


def test_functions_of_a_host_are_compared_by_what_they_took():
    class Shop:
        def __init__(self, seconds: float) -> None:
            self.run = lambda orders: orders * seconds

    shops = {azure_functions.BARE: Shop(1), azure_functions.TREFOIL: Shop(2)}

    speed, latency = azure_functions.compare(TINY, shops)

    assert speed.ratio(azure_functions.TREFOIL, azure_functions.BARE) == 0.5
    assert latency.row(f"{azure_functions.TREFOIL}, p50").median == 2000


def test_a_server_that_keeps_nothing_takes_and_gives_messages(servicebus_emulator, tmp_path):
    command = azure_limits.commands(tmp_path)[azure_limits.BARE]

    with azure_limits.serving(*command) as server:
        client = azure_limits.Client(server.port, azure_limits.BATCH)
        rates = [client.send(), client.receive(), client.receive_async()]
        client.close()

    assert min(rates) > 0


def test_a_turns_tables_are_its_own_and_its_queues_are_everybodys():
    first, second = Turn(number=1), Turn(number=2)

    assert first.commits != second.commits
    assert first.queue("orders") == second.queue("orders")
