"""`trefoil emulators` as a person meets it: settings for the shell on one stream, words on the other."""

import os
import re
import shlex
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from infra.emulators import process
from infra.emulators.azure import administration
from infra.emulators.emulator import Place
from infra.emulators.supervisor import free_port
from infra.emulators.wiring import azure, google, supervisor
from tests.local.driver import trefoil
from tests.support.azure_emulators import FUNCTIONS
from tests.support.gcp_emulators import CLOUD_RUN, missing
from tests.support.stand_ins import three_free_ports

ministack = pytest.mark.requires(find_spec("ministack"), install="MiniStack: make emulators")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TREFOIL_EMULATORS", str(tmp_path / "emulators"))
    yield tmp_path / "emulators"
    supervisor().down()


@ministack
def test_a_shell_can_take_the_settings_over(folder):
    port = free_port()
    program = f"{shlex.quote(sys.executable)} -m functions.local emulators"
    line = (
        f'eval "$({program} up aws --port {port})" && echo "$AWS_ENDPOINT_URL $AWS_REGION $AWS_DEFAULT_REGION" && env'
    )

    done = subprocess.run(["sh", "-ec", line], capture_output=True, text=True, check=False, timeout=60)

    first, *environment = done.stdout.splitlines()
    assert (done.returncode, first) == (0, f"http://127.0.0.1:{port} us-east-1 us-east-1")
    assert {"AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test"} <= set(environment)
    assert f"MiniStack is ready at http://127.0.0.1:{port}; its files are in {folder}/aws-{port}" in done.stderr


@ministack
def test_it_goes_up_is_seen_and_goes_down():
    port = free_port()

    up = trefoil("emulators", "up", "aws", "--port", str(port))
    again = trefoil("emulators", "up", "aws", "--port", str(port))
    seen = trefoil("emulators", "status", "--json")
    table = trefoil("emulators", "status")
    down = trefoil("emulators", "down", "aws")
    after = trefoil("emulators", "status")

    assert (up.code, up.out) == (0, again.out)
    (it,) = seen.json
    assert (it["name"], it["endpoint"], it["state"]) == ("aws", f"http://127.0.0.1:{port}", "running")
    assert "running" in table.out
    assert (down.out, down.err) == ("", f"MiniStack on port {port} is stopped\n")
    assert after.out == "No emulator was started.\n"


@ministack
def test_one_that_died_is_called_dead():
    trefoil("emulators", "up", "aws", "--port", str(free_port()))
    (it,) = trefoil("emulators", "status", "--json").json
    os.kill(it["process"], 9)
    process.wait(lambda: not process.is_alive(Path(it["files"])), 5)

    (seen,) = trefoil("emulators", "status", "--json").json
    down = trefoil("emulators", "down")

    assert seen["state"] == "died"
    assert "had died; it is cleared away" in down.err


def test_a_failure_prints_nothing_that_a_shell_would_run():
    refused = trefoil("emulators", "up", "kafka")

    assert (refused.code, refused.out) == (2, "")
    assert (
        "error: there is no emulator 'kafka'; there are: aws, localstack, pubsub, firestore, cloudrun, servicebus,"
        " azurite, azurefunctions, gcp, azure" in refused.err
    )


def test_down_with_nothing_up_is_no_error():
    down = trefoil("emulators", "down")

    assert (down.code, down.err) == (0, "Nothing was running.\n")


def test_a_cloud_of_several_goes_up_and_down_as_one(folder, requires):
    lacks = [missing(each, folder) for each in (*google(), CLOUD_RUN)]
    requires(not any(lacks), f"Google's emulators: {' '.join(lacks)}")
    port = three_free_ports()

    up = trefoil("emulators", "up", "gcp", "--port", str(port))
    seen = trefoil("emulators", "status", "--json")
    down = trefoil("emulators", "down", "gcp", "--port", str(port))

    assert (up.code, up.out.splitlines()) == (
        0,
        [
            f"export PUBSUB_EMULATOR_HOST=127.0.0.1:{port}",
            "export GOOGLE_CLOUD_PROJECT=trefoil-local",
            f"export FIRESTORE_EMULATOR_HOST=127.0.0.1:{port + 1}",
        ],
    )
    assert f'Clients find it after: eval "$(trefoil emulators up gcp --port {port})"' in up.err
    assert {each["name"]: each["state"] for each in seen.json} == dict.fromkeys(
        ("pubsub", "firestore", "cloudrun"), "running"
    )
    assert down.err.splitlines() == [
        f"The stand-in for Cloud Run on port {port + 2} is stopped",
        f"Google's Firestore emulator on port {port + 1} is stopped",
        f"Google's Pub/Sub emulator on port {port} is stopped",
    ]


def test_azure_goes_up_and_down_as_one(folder, requires):
    lacks = [missing(each, folder) for each in (*azure(), FUNCTIONS)]
    requires(not any(lacks), f"Azure's emulators: {' '.join(lacks)}")
    port = three_free_ports()

    up = trefoil("emulators", "up", "azure", "--port", str(port))
    seen = trefoil("emulators", "status", "--json")
    down = trefoil("emulators", "down", "azure", "--port", str(port))

    assert up.code == 0
    assert re.findall(r"(?m)^export (\w+)=.*127\.0\.0\.1:(\d+)", up.out) == [
        ("TREFOIL_SERVICEBUS", str(port)),
        ("TREFOIL_SERVICEBUS_ADMINISTRATION", str(administration(Place(port, folder)))),
        ("TREFOIL_TABLES", str(port + 1)),
    ]
    assert {each["name"]: each["state"] for each in seen.json} == dict.fromkeys(
        ("servicebus", "azurite", "azurefunctions"), "running"
    )
    assert down.err.splitlines() == [
        f"The local Functions host on port {port + 2} is stopped",
        f"Azurite on port {port + 1} is stopped",
        f"The Service Bus emulator on port {port} is stopped",
    ]


def test_the_stand_in_for_cloud_run_alone_says_what_it_stands_on(monkeypatch):
    monkeypatch.delenv("PUBSUB_EMULATOR_HOST", raising=False)

    refused = trefoil("emulators", "up", "cloudrun", "--port", str(free_port()))

    assert (refused.code, refused.out) == (2, "")
    assert "needs PUBSUB_EMULATOR_HOST: start it with the emulators that it stands on" in refused.err
