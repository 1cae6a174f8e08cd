"""Azure's emulators as we start them: found, ready when they say so, with the contract's entities, and gone again."""

import json
import os
import re
import signal
import socket
from dataclasses import replace
from pathlib import Path

import pytest
from azure.core.exceptions import ResourceExistsError
from azure.data.tables import TableServiceClient
from azure.servicebus import ServiceBusClient, ServiceBusMessage

from infra.azure.names import names
from infra.emulators import process
from infra.emulators.azure import Azurite, ServiceBus
from infra.emulators.azure_resources import OFFICIAL_DELIVERIES, config, official, tables
from infra.emulators.emulator import Place
from infra.emulators.servicebus.config import parse
from infra.emulators.supervisor import free_port
from infra.emulators.wiring import ROOT, azure, supervisor
from infra.naming import Deployment
from shared.catalog import CATALOG
from shared.kernel.errors import ConfigurationError
from shared.kernel.topology import asyncapi
from tests.support.azure_emulators import FUNCTIONS, missing
from tests.support.contract_catalog import CATALOG as SMALL
from tests.support.stand_ins import gone

CONTRACT = asyncapi(CATALOG)
NAMES = names({"TREFOIL_NAME": "shop", "TREFOIL_STAGE": "test"})
NEEDED = {"TREFOIL_SERVICEBUS": "Endpoint=sb://here", "TREFOIL_TABLES": "TableEndpoint=http://here"}


@pytest.fixture
def emulators(tmp_path):
    made = supervisor(tmp_path / "emulators")
    yield made
    made.down()


@pytest.fixture(params=["servicebus", "azurite"])
def name(request, tmp_path, requires) -> str:
    lack = missing({each.name: each for each in azure()}[request.param], tmp_path)
    requires(not lack, f"Azure's emulators: {lack}")
    return request.param


def test_one_that_is_up_is_left_as_it_is(name, emulators):
    running = emulators.up(name, free_port())

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


def test_it_listens_on_this_machine_only(name, emulators):
    port = emulators.up(name, free_port()).place.port

    with socket.create_connection(("127.0.0.1", port)):
        pass
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.2", port))


def test_a_port_that_is_taken_is_named(name, emulators):
    port = free_port()
    with socket.create_server(("127.0.0.1", port)), pytest.raises(ConfigurationError, match=f"can't have port {port}"):
        emulators.up(name, port)

    assert emulators.status() == []


def test_what_is_published_reaches_the_queues_of_those_who_handle_it(servicebus):
    with ServiceBusClient.from_connection_string(servicebus.connection) as client:
        with client.get_topic_sender("trefoil-dev-bus") as sender:
            sender.send_messages(ServiceBusMessage(b"x", application_properties={"type": "users.register-user.v1"}))

        with client.get_queue_receiver("trefoil-dev-users") as receiver:
            (received,) = receiver.receive_messages(5, max_wait_time=5)
            receiver.complete_message(received)
        with client.get_queue_receiver("trefoil-dev-orders") as receiver:
            others = receiver.peek_messages(5)

    assert (b"".join(received.body), others) == (b"x", [])


def test_an_entity_is_inserted_once(azurite):
    with TableServiceClient.from_connection_string(azurite.connection) as client:
        table = client.create_table("anywhere")
        table.create_entity({"PartitionKey": "p", "RowKey": "1"})

        with pytest.raises(ResourceExistsError):
            table.create_entity({"PartitionKey": "p", "RowKey": "1"})


def test_a_functions_host_makes_the_tables(azurefunctions, servicebus, azurite):
    azurefunctions(servicebus, TREFOIL_NAME="tabled")

    with TableServiceClient.from_connection_string(azurite.connection) as client:
        made = {table.name for table in client.list_tables()}
    assert {"tableddevcommits", "tableddevtimers"} <= made


def test_clients_are_sent_to_the_emulators():
    bus, tables_ = azure()
    place = Place(1234, Path("/folder"))

    key = "SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=SAS_KEY_VALUE;UseDevelopmentEmulator=true;"
    assert bus.exports(place) == {
        "TREFOIL_SERVICEBUS": f"Endpoint=sb://127.0.0.1:1234;{key}",
        "TREFOIL_SERVICEBUS_ADMINISTRATION": f"Endpoint=sb://127.0.0.1:2234;{key}",
    }
    assert tables_.exports(place)["TREFOIL_TABLES"].endswith(";TableEndpoint=http://127.0.0.1:1234/devstoreaccount1;")
    assert FUNCTIONS.exports(place) == {}


def test_the_contract_makes_what_the_adapters_look_for():
    (namespace,) = config(CONTRACT, "shop-test")["UserConfig"]["Namespaces"]

    queues = {each["Name"] for each in namespace["Queues"]}
    assert queues == {make(service) for service in CATALOG.services for make in (NAMES.queue, NAMES.dead)}
    (topic,) = namespace["Topics"]
    assert (topic["Name"], {each["Name"] for each in topic["Subscriptions"]}) == (NAMES.topic, set(CATALOG.services))
    assert tables(Deployment("shop", "test")) == [NAMES.commits, NAMES.timers]


def test_a_services_entities_are_as_terraform_makes_them():
    limits = CONTRACT["channels"]["orders"]["x-trefoil"]
    (namespace,) = config(CONTRACT, "shop-test")["UserConfig"]["Namespaces"]
    queues = {each["Name"]: each["Properties"] for each in namespace["Queues"]}

    (subscription,) = [each for each in namespace["Topics"][0]["Subscriptions"] if each["Name"] == "orders"]

    kept = {"LockDuration": "PT5M", "DeadLetteringOnMessageExpiration": True}
    dead = {"ForwardDeadLetteredMessagesTo": "shop-test-orders-dead"}
    allowed = {"MaxDeliveryCount": limits["deliveryLimit"]}
    types = ", ".join(f"'{each}'" for each in limits["types"])
    assert queues["shop-test-orders"] == {**kept, **dead, **allowed}
    assert queues["shop-test-orders-dead"] == {**kept, "MaxDeliveryCount": 2000}
    assert subscription["Properties"] == {**kept, **dead, **allowed, "ForwardTo": "shop-test-orders"}
    assert subscription["Rules"] == [
        {
            "Name": "types",
            "Properties": {"FilterType": "Sql", "SqlFilter": {"SqlExpression": f"type IN ({types})"}},
        }
    ]


def test_another_catalog_has_its_own():
    (namespace,) = config(asyncapi(SMALL), "shop-test")["UserConfig"]["Namespaces"]

    assert [each["Name"] for each in namespace["Queues"]] == [
        f"shop-test-{name}{dead}" for name in ("shop", "stock", "ledger") for dead in ("", "-dead")
    ]


def test_the_file_for_microsofts_emulator_is_what_the_contract_says_within_what_it_allows():
    written = (ROOT / "infra" / "emulators" / "servicebus-config.json").read_text()

    assert written == official(), (
        "run: python -m infra.emulators.azure_resources >infra/emulators/servicebus-config.json"
    )
    counts = [int(each) for each in re.findall(r'"MaxDeliveryCount": (\d+)', written)]
    expressions = re.findall(r'"SqlExpression": "(.*)"', written)
    assert max(counts) <= OFFICIAL_DELIVERIES
    assert (len(expressions) <= 20, max(map(len, expressions)) <= 1024) == (True, True)
    assert len(parse(written.encode()).queues) == 2 * len(CATALOG.services)


def test_the_deployment_that_the_environment_names_is_the_one_that_is_made(tmp_path):
    bus, _ = azure()

    environment = bus.environment(Place(1, tmp_path), {"TREFOIL_NAME": "shop", "TREFOIL_STAGE": "test", "PATH": "/bin"})

    (namespace,) = json.loads((tmp_path / "config.json").read_text())["UserConfig"]["Namespaces"]
    assert namespace["Topics"][0]["Name"] == "shop-test-bus"
    assert environment == {"PATH": "/bin", "PYTHONUNBUFFERED": "1"}


def test_azurite_reports_nothing_to_its_makers_and_sees_no_settings_of_the_users_own(tmp_path):
    program = tmp_path / "node_modules" / "azurite" / "dist" / "src" / "table" / "main.js"
    program.parent.mkdir(parents=True)
    program.touch()
    node = tmp_path / "bin" / "node"
    node.parent.mkdir()
    node.touch(0o755)
    azurite = Azurite(tmp_path, str(node.parent))

    command = azurite.command(Place(1, tmp_path))
    environment = azurite.environment(
        Place(1, tmp_path), {"AZURE_TENANT_ID": "mine", "AZURITE_ACCOUNTS": "a:b", "A": "b"}
    )

    assert command[:2] == [str(node), str(program)]
    assert "--disableTelemetry" in command
    assert environment == {"A": "b"}


def test_azurites_lock_names_no_registry():
    folder = ROOT / "requirements" / "azurite"
    lock = json.loads((folder / "package-lock.json").read_text())

    packages = {name: each for name, each in lock["packages"].items() if name}
    assert [name for name, each in packages.items() if "resolved" in each or "integrity" not in each] == []
    wanted = json.loads((folder / "package.json").read_text())["dependencies"]
    assert wanted == {"azurite": packages["node_modules/azurite"]["version"]}


def test_the_functions_host_wants_the_emulators_that_it_stands_on(tmp_path):
    for lacking in NEEDED:
        around = {name: value for name, value in NEEDED.items() if name != lacking}

        with pytest.raises(ConfigurationError, match=f"needs {lacking}: .* trefoil emulators up azure"):
            FUNCTIONS.environment(Place(1, tmp_path), around)


def test_settings_of_providers_reach_functions_and_settings_of_the_users_own_cloud_do_not(tmp_path):
    around = {
        **NEEDED,
        "PATH": "/bin",
        "TREFOIL_STAGE": "test",
        "TREFOIL_SMTP_URL": "smtp://localhost",
        "TREFOIL_CLOUD": "aws",
        "TREFOIL_SERVICEBUS__fullyQualifiedNamespace": "mine.servicebus.windows.net",
        "AZURE_CLIENT_SECRET": "mine",
        "PYTHONPATH": "/mine",
    }

    made = FUNCTIONS.environment(Place(1, tmp_path), around)

    assert made == {
        **NEEDED,
        "PATH": "/bin",
        "TREFOIL_STAGE": "test",
        "TREFOIL_SMTP_URL": "smtp://localhost",
        "PYTHONUNBUFFERED": "1",
    }


def test_what_is_not_installed_is_named_with_the_target_that_installs_it(monkeypatch, tmp_path):
    place = Place(1, tmp_path)
    with pytest.raises(ConfigurationError, match=r"Azurite needs Node.js 20 or newer: install it, .*make emulators"):
        Azurite(tmp_path, str(tmp_path)).command(place)
    (tmp_path / "node").touch(0o755)
    with pytest.raises(ConfigurationError, match="Azurite is not installed: run `make emulators`"):
        Azurite(tmp_path, str(tmp_path)).command(place)
    monkeypatch.setattr("infra.emulators.azure.find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match="python-qpid-proton is not installed: run `make emulators`"):
        ServiceBus(tmp_path).command(place)


def test_a_worker_that_is_not_installed_is_named_with_the_target_that_installs_it(monkeypatch, tmp_path):
    with pytest.raises(ConfigurationError, match="worker is not installed: run `make azure-functions`"):
        replace(FUNCTIONS, python=tmp_path / "python").command(Place(1, tmp_path))
    monkeypatch.setattr("infra.emulators.azurefunctions.emulator.find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match="azure-servicebus is not installed: run `make emulators`"):
        FUNCTIONS.command(Place(1, tmp_path))
