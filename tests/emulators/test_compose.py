"""The compose file and the locks name the same emulators, at the same ports."""

import json
import re

import pytest
import yaml

from infra.emulators.aws import REGION, LocalStack, MiniStack
from infra.emulators.azure import Azurite, ServiceBus
from infra.emulators.google import PROJECT, Firestore, PubSub, Software
from infra.emulators.wiring import ROOT

COMPOSE = yaml.safe_load((ROOT / "infra" / "emulators" / "compose.yaml").read_text())["services"]


def pin(lock: str, name: str) -> str:
    (version,) = re.findall(rf"^{name}==(\S+)", (ROOT / "requirements" / lock).read_text(), re.MULTILINE)
    return version


def test_compose_starts_what_the_command_starts():
    ours = {"ministack", "localstack", "pubsub", "firestore", "servicebus", "azurite"}
    assert set(COMPOSE) == {*ours, "sqlserver"}


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
        ("servicebus", ServiceBus(ROOT)),
        ("azurite", Azurite(ROOT)),
    ],
    ids=["ministack", "localstack", "pubsub", "firestore", "servicebus", "azurite"],
)
def test_a_container_listens_where_the_command_does_and_only_on_this_machine(service, emulator):
    assert COMPOSE[service]["ports"] == [f"127.0.0.1:{emulator.port}:{emulator.port}"]


def test_both_are_in_the_region_that_clients_are_told():
    assert COMPOSE["ministack"]["environment"]["MINISTACK_REGION"] == REGION
    assert COMPOSE["localstack"]["environment"]["GATEWAY_LISTEN"] == f"0.0.0.0:{LocalStack(ROOT).port}"


def test_azurites_image_is_of_the_version_that_is_locked():
    wanted = json.loads((ROOT / "requirements" / "azurite" / "package.json").read_text())["dependencies"]

    assert COMPOSE["azurite"]["image"] == f"mcr.microsoft.com/azure-storage/azurite:{wanted['azurite']}"


def test_microsofts_emulator_is_told_the_contracts_entities_and_nobody_else_reaches_its_database():
    service, database = COMPOSE["servicebus"], COMPOSE["sqlserver"]

    (volume,) = service["volumes"]
    source, target, _ = volume.split(":")
    assert (ROOT / "infra" / "emulators" / source).is_file()
    assert target == "/ServiceBus_Emulator/ConfigFiles/Config.json"
    assert "ports" not in database
    password = "MSSQL_SA_PASSWORD"  # noqa: S105 - its name
    assert service["environment"][password] == database["environment"][password]


@pytest.mark.parametrize(("service", "port"), [("pubsub", 8085), ("firestore", 8086)])
def test_googles_images_serve_the_project_that_clients_are_told(service, port):
    command = COMPOSE[service]["command"]

    assert f"emulators {service} start --project={PROJECT} --host-port=0.0.0.0:{port}" in command
