"""Google's emulators as we start them: found, ready when they say so, and gone when they are stopped."""

import json
import os
import signal
import socket
import urllib.request
from pathlib import Path

import pytest

from infra.emulators import process
from infra.emulators.emulator import Place
from infra.emulators.google import Firestore, PubSub, Software
from infra.emulators.supervisor import free_port
from infra.emulators.wiring import google, supervisor
from shared.kernel.errors import ConfigurationError
from tests.support.gcp_emulators import missing
from tests.support.stand_ins import gone

PUBSUB_JAR = "pubsub-emulator/lib/cloud-pubsub-emulator-0.8.20-all.jar"
FIRESTORE_JAR = "cloud-firestore-emulator/cloud-firestore-emulator.jar"
PLACE = Place(1234, Path("/folder"))


def program(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def sdk(tmp_path) -> Path:
    """A gcloud SDK with both components."""
    for jar in (PUBSUB_JAR, FIRESTORE_JAR):
        program(tmp_path / "sdk" / "platform" / jar)
    program(tmp_path / "sdk" / "bin" / "gcloud", "exit 1")
    return tmp_path / "sdk"


@pytest.fixture
def path(tmp_path) -> Path:
    """A folder for programs; Java is there."""
    return program(tmp_path / "bin" / "java").parent


@pytest.fixture
def emulators(tmp_path):
    made = supervisor(tmp_path / "emulators")
    yield made
    made.down()


@pytest.fixture(params=["pubsub", "firestore"])
def name(request, tmp_path, requires) -> str:
    lack = missing({each.name: each for each in google()}[request.param], tmp_path)
    requires(not lack, f"Google's emulators: {lack}")
    return request.param


def page(place: Place, path: str):
    with urllib.request.urlopen(f"{place.endpoint}{path}", timeout=10) as answer:  # noqa: S310 - our own address
        return json.loads(answer.read())


PAGES = {
    "pubsub": "/v1/projects/trefoil-local/topics",
    "firestore": "/v1/projects/trefoil-local/databases/trefoil-dev-store/documents/streams",
}


def test_one_that_is_up_serves_requests_at_once(name, emulators):
    running = emulators.up(name, free_port())

    assert page(running.place, PAGES[name]) == {}
    assert emulators.up(name, running.place.port) == running
    assert emulators.status() == [running]


def test_down_leaves_no_process_and_no_file(name, emulators):
    running = emulators.up(name, free_port())

    stopped = emulators.down(name)

    assert stopped == [running]
    assert gone(running.pid)
    assert not running.place.folder.exists()


def test_one_that_was_killed_is_cleared_away(name, emulators):
    running = emulators.up(name, free_port())
    os.kill(running.pid, signal.SIGKILL)
    process.wait(lambda: not process.is_alive(running.place.folder), 5)

    (stopped,) = emulators.down()

    assert not stopped.alive
    assert gone(running.pid)
    with pytest.raises(OSError, match="refused"):
        page(running.place, PAGES[name])


def test_it_writes_nothing_outside_its_folder_and_listens_on_this_machine_only(name, emulators):
    running = emulators.up(name, free_port())

    command = process_command(running.pid)
    assert f"--host=127.0.0.1 --port={running.place.port}" in command
    assert f"-Djava.io.tmpdir={running.place.folder}" in command


def process_command(pid: int) -> str:
    path = Path(f"/proc/{pid}/cmdline")
    if not path.exists():
        pytest.skip("does not apply: processes are read from /proc")
    return path.read_text().replace("\0", " ")


def test_a_port_that_is_taken_is_named(name, emulators):
    port = free_port()
    with socket.create_server(("127.0.0.1", port)), pytest.raises(ConfigurationError, match=f"can't have port {port}"):
        emulators.up(name, port)

    assert emulators.status() == []


def test_clients_are_sent_to_the_emulator_and_to_its_project():
    pubsub, firestore = google()

    assert pubsub.exports(PLACE) == {
        "PUBSUB_EMULATOR_HOST": "127.0.0.1:1234",
        "GOOGLE_CLOUD_PROJECT": "trefoil-local",
    }
    assert firestore.exports(PLACE) == {
        "FIRESTORE_EMULATOR_HOST": "127.0.0.1:1234",
        "GOOGLE_CLOUD_PROJECT": "trefoil-local",
    }


def test_the_users_own_settings_do_not_reach_the_emulator(tmp_path):
    around = {"PATH": "/bin", "GOOGLE_APPLICATION_CREDENTIALS": "/key", "CLOUDSDK_CONFIG": "/mine", "PYTHONPATH": "/p"}

    made = PubSub(Software()).environment(Place(1234, tmp_path), around)

    assert made == {"PATH": "/bin"}


def test_the_sdk_is_found_where_gcloud_on_the_path_really_is(sdk, path):
    (path / "gcloud").symlink_to(sdk / "bin" / "gcloud")
    software = Software(path=str(path))

    found = [software.jar("pubsub-emulator", "pubsub-emulator/lib/*.jar"), Firestore(software).command(PLACE)[5]]

    assert [str(each) for each in found] == [f"{sdk}/platform/{PUBSUB_JAR}", f"{sdk}/platform/{FIRESTORE_JAR}"]


def test_gcloud_is_asked_where_the_one_on_the_path_only_starts_another(sdk, path):
    program(path / "gcloud", f'test "$*" = "info --format=value(installation.sdk_root)" && echo {sdk}')

    command = PubSub(Software(path=str(path))).command(PLACE)

    assert f"{sdk}/platform/{PUBSUB_JAR}" in command


def test_an_sdk_that_is_named_needs_no_gcloud_and_a_java_that_is_named_no_path(sdk, path, tmp_path):
    java = program(tmp_path / "jdk" / "bin" / "java")
    software = Software(sdk=str(sdk), java_home=str(java.parents[1]), path=str(tmp_path / "nothing"))

    command = PubSub(software).command(PLACE)

    assert command[0] == str(java)


def test_without_gcloud_the_remedy_is_named(path):
    with pytest.raises(ConfigurationError, match=r"gcloud is not on the path: install it, or .*CLOUDSDK_ROOT_DIR=PATH"):
        PubSub(Software(path=str(path))).command(PLACE)


def test_a_gcloud_that_does_not_say_where_it_is_is_named(path):
    program(path / "gcloud", "exit 1")

    with pytest.raises(ConfigurationError, match="gcloud does not say where its SDK is: name its folder"):
        PubSub(Software(path=str(path))).command(PLACE)


@pytest.mark.parametrize(
    ("make", "component", "package"),
    [
        (PubSub, "pubsub-emulator", "google-cloud-cli-pubsub-emulator"),
        (Firestore, "cloud-firestore-emulator", "google-cloud-cli-firestore-emulator"),
    ],
)
def test_a_component_that_is_missing_is_named_with_what_installs_it(make, component, package, tmp_path, path):
    software = Software(sdk=str(tmp_path / "empty"), path=str(path))

    with pytest.raises(ConfigurationError) as raised:
        make(software).command(PLACE)

    assert f"gcloud components install {component} (Debian: {package})" in str(raised.value)


def test_without_java_the_remedy_is_named(sdk, tmp_path):
    for java_home, where in (
        ("", "it is not on the path"),
        (str(tmp_path), f"JAVA_HOME is {tmp_path}, which has none"),
    ):
        software = Software(sdk=str(sdk), java_home=java_home, path=str(tmp_path / "nothing"))

        with pytest.raises(ConfigurationError, match=f"need Java 17 or newer, and {where}: install it"):
            PubSub(software).command(PLACE)
