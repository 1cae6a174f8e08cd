"""Emulators that make a cloud together go up in order, know of those before them, and come down in reverse."""

import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.emulators import process
from infra.emulators.supervisor import Supervisor
from shared.kernel.errors import ConfigurationError
from tests.support.stand_ins import StandIn, stand_in, three_free_ports

GROUPS = {"cloud": ("store", "broker", "worker")}
THREE = "store", "broker", "worker"


@pytest.fixture
def folder(tmp_path) -> Iterator[Path]:
    yield tmp_path / "emulators"
    for each in tmp_path.glob("emulators/*-*"):
        process.stop(each)


def supervisor(folder: Path, **changes: StandIn) -> Supervisor:
    emulators = {"other": stand_in(name="other"), **{name: stand_in(name=name) for name in THREE}, **changes}
    return Supervisor(folder, emulators, os.environ, GROUPS)


def kill(running) -> None:
    os.kill(running.pid, signal.SIGKILL)
    process.wait(lambda: not process.is_alive(running.place.folder), 5)


def test_a_group_goes_up_in_order_and_each_knows_those_before_it(folder):
    running = supervisor(folder).up_all("cloud")

    assert [each.emulator.name for each in running] == ["store", "broker", "worker"]
    assert all(each.alive for each in running)
    told = [json.loads((each.place.folder / "environment").read_text()) for each in running]
    urls = [{name for name in environment if name.endswith("_URL")} for environment in told]
    assert urls == [set(), {"STORE_URL"}, {"STORE_URL", "BROKER_URL"}]
    assert told[2]["STORE_URL"] == running[0].place.endpoint


def test_a_group_at_a_port_takes_the_ports_after_it(folder):
    port = three_free_ports()

    running = supervisor(folder).up_all("cloud", port)

    assert [each.place.port for each in running] == [port, port + 1, port + 2]


def test_up_again_leaves_what_runs_and_starts_what_has_died(folder):
    emulators = supervisor(folder)
    first = emulators.up_all("cloud")
    kill(first[1])

    second = emulators.up_all("cloud")

    assert [one == two for one, two in zip(first, second, strict=True)] == [True, False, True]
    assert all(each.alive for each in second)


def test_a_group_that_fails_half_way_leaves_only_what_ran_before(folder):
    emulators = supervisor(folder, worker=stand_in(name="worker", code="raise SystemExit('no licence')"))
    before = emulators.up("store")

    with pytest.raises(ConfigurationError, match=r"(?s)ended while it was starting.*no licence"):
        emulators.up_all("cloud")

    assert [(each.emulator.name, each.alive) for each in emulators.status()] == [("store", True), ("worker", False)]
    assert emulators.status()[0] == before


def test_a_group_comes_down_in_reverse_and_leaves_others_alone(folder):
    emulators = supervisor(folder)
    running = emulators.up_all("cloud")
    other = emulators.up("other")

    stopped = emulators.down("cloud")

    assert stopped == running[::-1]
    assert emulators.status() == [other]


def test_a_group_at_a_port_comes_down_alone(folder):
    emulators, port = supervisor(folder), three_free_ports()
    here, there = emulators.up_all("cloud"), emulators.up_all("cloud", port)

    stopped = emulators.down("cloud", port)

    assert stopped == there[::-1]
    assert emulators.down() == here[::-1]


def test_a_port_that_is_taken_is_named_with_a_port_for_the_whole_group(folder):
    emulators, port = supervisor(folder), three_free_ports()
    with socket.create_server(("127.0.0.1", port + 1)), pytest.raises(ConfigurationError) as raised:
        emulators.up_all("cloud", port)

    assert f"can't have port {port + 1} of 127.0.0.1 (Address already in use)" in str(raised.value)
    assert f"trefoil emulators up cloud --port {port + 3}" in str(raised.value)
    assert emulators.status() == []


def test_a_group_does_not_fit_behind_the_last_port(folder):
    with pytest.raises(ConfigurationError, match="3 ports from 65534 on are needed, and 65535 is the last"):
        supervisor(folder).up_all("cloud", 65534)


def test_a_name_that_nobody_has_is_answered_with_groups_too(folder):
    with pytest.raises(ConfigurationError, match="there are: other, store, broker, worker, cloud"):
        supervisor(folder).up_all("clouds")
