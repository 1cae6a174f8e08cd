"""Emulators go up once, come down whole, and leave nothing behind when they fail; a small server stands in for them."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from infra.emulators import process
from infra.emulators.emulator import answers
from infra.emulators.supervisor import Supervisor, free_port
from shared.kernel.errors import ConfigurationError
from tests.support.stand_ins import DEAF, SERVER, StandIn, gone, stand_in


@pytest.fixture
def folder(tmp_path) -> Iterator[Path]:
    yield tmp_path / "emulators"
    for each in tmp_path.glob("emulators/*-*"):
        process.stop(each)


def supervisor(folder: Path, emulator: StandIn) -> Supervisor:
    return Supervisor(folder, {emulator.name: emulator}, os.environ)


def child_of(folder: Path) -> int:
    return int((folder / "child").read_text())


linux = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="does not apply: processes are read from /proc")


def test_what_is_up_answers_and_is_known_to_everyone(folder):
    emulator = stand_in()

    running = supervisor(folder, emulator).up("stand-in")

    (known,) = supervisor(folder, emulator).status()
    assert known == running
    assert (running.alive, running.place.port) == (True, emulator.port)
    assert emulator.ready(running.place)
    assert running.exports == {"STAND_IN_URL": f"http://127.0.0.1:{emulator.port}"}


def test_up_again_leaves_the_emulator_as_it_is(folder):
    emulators = supervisor(folder, stand_in())

    first, second = emulators.up("stand-in"), emulators.up("stand-in")

    assert first == second
    assert len(emulators.status()) == 1


def test_up_by_several_at_once_starts_one(folder):
    @dataclass(frozen=True)
    class Slow(StandIn):
        def command(self, place) -> list[str]:
            time.sleep(0.2)
            return super().command(place)

    made, pids = stand_in(), []
    emulator = Slow(port=made.port, code=made.code)
    threads = [
        threading.Thread(target=lambda: pids.append(supervisor(folder, emulator).up("stand-in").pid)) for _ in range(4)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(pids) == 4
    assert len(set(pids)) == 1


@linux
def test_down_ends_all_its_processes_and_removes_its_files(folder):
    emulators = supervisor(folder, stand_in())
    running = emulators.up("stand-in")
    child = child_of(running.place.folder)

    stopped = emulators.down("stand-in")

    assert stopped == [running]
    assert gone(running.pid, child)
    assert emulators.status() == []
    assert not running.place.folder.exists()
    assert emulators.down() == []


@linux
def test_one_that_does_not_listen_to_reason_is_killed(folder, monkeypatch):
    monkeypatch.setattr(process, "_PATIENCE", 0.3)
    emulators = supervisor(folder, stand_in(code=DEAF + SERVER))
    running = emulators.up("stand-in")

    emulators.down()

    assert gone(running.pid)


@linux
def test_one_that_was_killed_is_noticed_and_its_processes_end_with_it(folder):
    emulators = supervisor(folder, stand_in())
    running = emulators.up("stand-in")
    child = child_of(running.place.folder)
    os.kill(running.pid, signal.SIGKILL)
    process.wait(lambda: not process.is_alive(running.place.folder), 5)

    (seen,) = emulators.status()
    emulators.down()

    assert not seen.alive
    assert gone(child)


def test_one_that_was_killed_is_started_anew(folder):
    emulators = supervisor(folder, stand_in())
    first = emulators.up("stand-in")
    os.kill(first.pid, signal.SIGKILL)
    process.wait(lambda: not process.is_alive(first.place.folder), 5)

    second = emulators.up("stand-in")

    assert second.alive
    assert second.pid != first.pid


def test_a_process_id_that_now_means_another_program_is_left_alone(folder):
    emulators = supervisor(folder, stand_in())
    running = emulators.up("stand-in")
    process.stop(running.place.folder)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True) as another:
        (running.place.folder / "pid").write_text(str(another.pid))

        emulators.down()

        assert another.poll() is None
        another.communicate(b"\n")
    assert another.returncode == 0


def test_a_port_that_somebody_else_has_is_named_with_the_remedy(folder):
    emulator = stand_in()
    with socket.create_server(("127.0.0.1", emulator.port)), pytest.raises(ConfigurationError) as raised:
        supervisor(folder, emulator).up("stand-in")

    text = str(raised.value)
    assert f"can't have port {emulator.port} of 127.0.0.1 (Address already in use)" in text
    assert f"trefoil emulators up stand-in --port {emulator.port + 1}" in text
    assert supervisor(folder, emulator).status() == []


def test_two_at_once_on_different_ports_are_told_apart(folder):
    emulators = supervisor(folder, stand_in())
    ports = sorted([free_port(), free_port()])
    for port in ports:
        emulators.up("stand-in", port)

    emulators.down(port=ports[0])

    (left,) = emulators.status()
    assert (left.place.port, left.alive) == (ports[1], True)
    assert emulators.down("stand-in", ports[0]) == []
    assert emulators.down() == [left]


@linux
def test_one_that_never_gets_ready_is_stopped_and_its_log_is_shown(folder):
    emulator = stand_in(page="/never", seconds=1)

    with pytest.raises(
        ConfigurationError, match=r"The stand-in on port \d+ did not answer within 1 s; its log is "
    ) as raised:
        supervisor(folder, emulator).up("stand-in")

    place = folder / f"stand-in-{emulator.port}"
    assert f"its log is {place / 'log'}" in str(raised.value)
    assert str(raised.value).endswith('"GET /never HTTP/1.1" 404 -')
    assert f"a stand-in on port {emulator.port}" in (place / "log").read_text()
    assert gone(process.pid(place), child_of(place))
    assert not answers(supervisor(folder, emulator).status()[0].place, "/log")


def test_one_that_ends_while_it_starts_is_noticed_at_once(folder):
    emulator = stand_in(code="raise SystemExit('no such licence')", seconds=15)

    with pytest.raises(ConfigurationError, match=r"(?s)ended while it was starting; its log is .*no such licence"):
        supervisor(folder, emulator).up("stand-in")


def test_one_that_runs_but_no_longer_answers_is_not_called_ready(folder):
    emulator = stand_in()
    supervisor(folder, emulator).up("stand-in")
    hasty = StandIn(port=emulator.port, page="/never", seconds=0.2)

    with pytest.raises(ConfigurationError, match=r"did not answer within 0\.2 s"):
        supervisor(folder, hasty).up("stand-in")


@linux
def test_an_interrupted_start_leaves_nothing_running(folder):
    @dataclass(frozen=True)
    class Interrupted(StandIn):
        def ready(self, place) -> bool:
            if not super().ready(place):
                return False
            raise KeyboardInterrupt

    made = stand_in()
    emulator = Interrupted(port=made.port, code=made.code)

    with pytest.raises(KeyboardInterrupt):
        supervisor(folder, emulator).up("stand-in")

    assert gone(process.pid(folder / f"stand-in-{made.port}"))


def test_a_name_that_nobody_has_is_answered_with_those_there_are(folder):
    emulators = supervisor(folder, stand_in())

    for ask in (emulators.up, emulators.down):
        with pytest.raises(ConfigurationError, match="there is no emulator 'azur'; there are: stand-in"):
            ask("azur")


def test_a_free_port_can_be_listened_on():
    with socket.create_server(("127.0.0.1", free_port())) as server:
        assert server.getsockname()[1] > 0
