"""The compose file and the locks name the same emulators, at the same ports."""

import re

import pytest
import yaml

from infra.emulators.aws import REGION, LocalStack, MiniStack
from infra.emulators.google import PROJECT, Firestore, PubSub, Software
from infra.emulators.wiring import ROOT

COMPOSE = yaml.safe_load((ROOT / "infra" / "emulators" / "compose.yaml").read_text())["services"]


def pin(lock: str, name: str) -> str:
    (version,) = re.findall(rf"^{name}==(\S+)", (ROOT / "requirements" / lock).read_text(), re.MULTILINE)
    return version


def test_compose_starts_what_the_command_starts():
    assert set(COMPOSE) == {"ministack", "localstack", "pubsub", "firestore"}


@pytest.mark.parametrize("lock", ["test.txt", "emulators.txt"])
def test_ministacks_image_is_of_the_version_that_is_locked(lock):
    assert COMPOSE["ministack"]["image"] == f"ministackorg/ministack:{pin(lock, 'ministack')}-full"


def test_localstacks_image_is_of_the_version_that_is_locked():
    assert COMPOSE["localstack"]["image"] == f"localstack/localstack:{pin('localstack.txt', 'localstack')}"
    assert pin("localstack.txt", "localstack-core") == pin("localstack.txt", "localstack") == "4.14.0"


@pytest.mark.parametrize(
    ("service", "emulator"),
    [
        ("ministack", MiniStack()),
        ("localstack", LocalStack(ROOT)),
        ("pubsub", PubSub(Software())),
        ("firestore", Firestore(Software())),
    ],
    ids=["ministack", "localstack", "pubsub", "firestore"],
)
def test_a_container_listens_where_the_command_does_and_only_on_this_machine(service, emulator):
    assert COMPOSE[service]["ports"] == [f"127.0.0.1:{emulator.port}:{emulator.port}"]


def test_both_are_in_the_region_that_clients_are_told():
    assert COMPOSE["ministack"]["environment"]["MINISTACK_REGION"] == REGION
    assert COMPOSE["localstack"]["environment"]["GATEWAY_LISTEN"] == f"0.0.0.0:{LocalStack(ROOT).port}"


@pytest.mark.parametrize(("service", "port"), [("pubsub", 8085), ("firestore", 8086)])
def test_googles_images_serve_the_project_that_clients_are_told(service, port):
    command = COMPOSE[service]["command"]

    assert f"emulators {service} start --project={PROJECT} --host-port=0.0.0.0:{port}" in command
