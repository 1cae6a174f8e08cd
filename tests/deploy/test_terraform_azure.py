"""Terraform's stack for Azure: what it would make for this repository.

Nothing here was ever applied: the provider is a stand-in that knows the schema (tests/support/terraform_schemas).
"""

import json
import os
import re
import shutil
import subprocess

import pytest

from infra.azure.names import Names
from infra.emulators import azure_resources
from infra.emulators.servicebus.broker.message import Message
from infra.emulators.servicebus.broker.sql import compiled
from shared.kernel.topology_limits import LEASE_SECONDS
from tests.support import terraform_plans
from tests.support.terraform import ROOT, _without_user
from tests.support.terraform_azure import CODE, GROUP, HASH, NAMESPACE, STORE
from tests.support.terraform_plans import PREFIX, kind

pytestmark = pytest.mark.requires(shutil.which("terraform"), install="Terraform 1.11 or newer")

NAMED = {
    "azurerm_servicebus_namespace": r"[a-z][a-z0-9-]{4,48}[a-z0-9]",
    "azurerm_storage_account": r"[a-z0-9]{3,24}",
    "azurerm_function_app_flex_consumption": r"[a-z0-9][a-z0-9-]{0,58}[a-z0-9]",
    "azurerm_resource_group_template_deployment": r"[a-z][a-z0-9]{2,62}",
    "azurerm_servicebus_queue": r"[a-z0-9_-]{1,260}",
}
"""Names that Azure allows ("Naming rules and restrictions"); a template is called as the table that it makes."""


@pytest.fixture(scope="module")
def services():
    return terraform_plans.services()


@pytest.fixture(scope="module")
def planned(azure_stack):
    """What would be made for this repository: values by address."""
    return terraform_plans.planned(azure_stack)


@pytest.fixture(scope="module")
def emulated():
    """What the emulator would be told to make of the same contract."""
    contract = json.loads((ROOT / "shared" / "asyncapi.json").read_text())
    (namespace,) = azure_resources.config(contract, PREFIX)["UserConfig"]["Namespaces"]
    return namespace


def test_names_are_those_that_the_code_uses(planned, services):
    names = Names()

    queues = {key: each["name"] for key, each in kind(planned, "azurerm_servicebus_queue.this").items()}
    dead = {key: each["name"] for key, each in kind(planned, "azurerm_servicebus_queue.dead_letter").items()}
    subscriptions = {key: each["name"] for key, each in kind(planned, "azurerm_servicebus_subscription.this").items()}

    assert planned["module.bus.azurerm_servicebus_topic.this"]["name"] == names.topic
    assert queues == {name: names.queue(name) for name in services}
    assert dead == {name: names.dead(name) for name in services}
    assert subscriptions == {name: name for name in services}
    assert _tables(planned) == {f"trefoildevstore{HASH}/default/{table}" for table in (names.commits, names.timers)}


def _tables(planned):
    contents = [each["template_content"] for address, each in planned.items() if "template_deployment" in address]
    return {resource["name"] for content in contents for resource in json.loads(content)["resources"]}


def test_the_longest_names_are_not_too_long(azure_stack):
    planned = terraform_plans.planned(azure_stack, name="n" * 20, stage="s" * 20)

    found = {name: [each["name"] for address, each in planned.items() if f".{name}." in address] for name in NAMED}

    assert all(found.values())
    assert [each for name, pattern in NAMED.items() for each in found[name] if not re.fullmatch(pattern, each)] == []


def test_queues_are_those_of_the_emulator(planned, emulated):
    queues = [each for address, each in planned.items() if ".azurerm_servicebus_queue." in address]

    made = {
        each["name"]: {
            "LockDuration": each["lock_duration"],
            "MaxDeliveryCount": each["max_delivery_count"],
            "DeadLetteringOnMessageExpiration": each["dead_lettering_on_message_expiration"],
            **({"ForwardDeadLetteredMessagesTo": to} if (to := each["forward_dead_lettered_messages_to"]) else {}),
        }
        for each in queues
    }

    assert made == {each["Name"]: each["Properties"] for each in emulated["Queues"]}


def test_subscriptions_forward_as_those_of_the_emulator(planned, emulated):
    rules = kind(planned, "azurerm_servicebus_subscription_rule.this")

    made = {
        each["name"]: (
            each["forward_to"],
            each["forward_dead_lettered_messages_to"],
            rules[key]["name"],
            rules[key]["sql_filter"],
        )
        for key, each in kind(planned, "azurerm_servicebus_subscription.this").items()
    }

    (topic,) = emulated["Topics"]
    assert made == {
        each["Name"]: (
            each["Properties"]["ForwardTo"],
            each["Properties"]["ForwardDeadLetteredMessagesTo"],
            each["Rules"][0]["Name"],
            each["Rules"][0]["Properties"]["SqlFilter"]["SqlExpression"],
        )
        for each in topic["Subscriptions"]
    }


def test_a_filter_lets_in_what_its_service_handles(planned, services):
    everything = {type_ for told in services.values() for type_ in told["types"]}

    for name, rule in kind(planned, "azurerm_servicebus_subscription_rule.this").items():
        lets_in = compiled(rule["sql_filter"])
        admitted = {type_ for type_ in everything if lets_in(Message(properties={"type": type_}))}

        assert admitted == set(services[name]["types"]), name


def test_a_channels_limits_are_its_contracts(planned, services):
    limits = {key: each["max_delivery_count"] for key, each in kind(planned, "azurerm_servicebus_queue.this").items()}

    assert limits == {name: told["deliveryLimit"] for name, told in services.items()}


def test_a_lock_lasts_until_a_function_has_certainly_ended(planned, services):
    host = json.loads((ROOT / "functions" / "azure" / "host.json").read_text())

    locks = {each["lock_duration"] for each in kind(planned, "azurerm_servicebus_queue.this").values()}

    assert locks == {f"PT{LEASE_SECONDS // 60}M"}
    assert host["functionTimeout"] == f"00:0{LEASE_SECONDS // 60}:00"
    assert max(told["functionTimeoutSeconds"] for told in services.values()) <= LEASE_SECONDS


def test_one_app_holds_a_function_for_each_service(planned, services):
    (app,) = [each for address, each in planned.items() if "function_app" in address]

    assert app["app_settings"] == {
        "APPLICATIONINSIGHTS_AUTHENTICATION_STRING": "Authorization=AAD",
        "AzureWebJobsStorage": "",
        "AzureWebJobsStorage__accountName": CODE.rpartition("/")[2],
        "TREFOIL_CLOUD": "azure",
        "TREFOIL_NAME": "trefoil",
        "TREFOIL_PACKAGE": app["app_settings"]["TREFOIL_PACKAGE"],
        "TREFOIL_SERVICEBUS__fullyQualifiedNamespace": f"{NAMESPACE.rpartition('/')[2]}.servicebus.windows.net",
        "TREFOIL_STAGE": "dev",
        "TREFOIL_TABLES__tableServiceUri": f"https://{STORE.rpartition('/')[2]}.table.core.windows.net",
    }
    assert (app["runtime_name"], app["runtime_version"]) == ("python", "3.13")
    assert app["maximum_instance_count"] == sum(told["concurrency"] for told in services.values()) + 1


def test_nobody_comes_in_with_a_key(planned):
    accounts = [each for address, each in planned.items() if ".azurerm_storage_account." in address]

    namespace = planned["module.bus.azurerm_servicebus_namespace.this"]

    assert [(each["shared_access_key_enabled"], each["min_tls_version"]) for each in accounts] == [
        (False, "TLS1_2")
    ] * 2
    assert (namespace["local_auth_enabled"], namespace["minimum_tls_version"]) == (False, "1.2")


def test_everything_lies_in_the_one_group(planned):
    groups = {values["resource_group_name"] for values in planned.values() if "resource_group_name" in values}

    assert groups == {planned["azurerm_resource_group.this"]["name"]} == {GROUP.rpartition("/")[2]}


def test_each_service_has_its_two_alarms_and_the_app_two(planned, services):
    alarms = {
        values["name"]
        for address, values in planned.items()
        if "azurerm_monitor_metric_alert" in address or "azurerm_monitor_scheduled" in address
    }

    assert alarms == {f"{PREFIX}-{name}-{what}" for name in services for what in ("dead-letters", "oldest")} | {
        f"{PREFIX}-errors",
        f"{PREFIX}-tick-silent",
    }


@pytest.mark.parametrize("variables", [{}, {"environment": {"TREFOIL_SMTP_URL": "smtp://ada:secret@mail.example"}}])
def test_a_plan_shows_no_functions_environment(azure_stack, variables):
    hidden = [
        change["change"]["after_sensitive"]["app_settings"]
        for change in azure_stack.plan(**variables)
        if change["type"] == "azurerm_function_app_flex_consumption"
    ]

    assert hidden == [True]


def test_whatever_can_be_tagged_is_tagged(planned):
    untagged = {
        address: values["tags"]
        for address, values in planned.items()
        if "tags" in values and (values["tags"] or {}).get("stage") != "dev"
    }

    assert untagged == {}


def test_a_protected_deployment_is_not_destroyed_until_the_protection_is_off(tmp_path):
    """Terraform itself, with its state: a lock alone it would remove, because it has made it."""
    guard = ROOT / "terraform" / "modules" / "azure" / "guard"
    (tmp_path / "main.tf").write_text(
        'variable "on" {}\n\nresource "terraform_data" "store" {}\n\nmodule "guard" {\n'
        f'  source = "{guard}"\n\n  of = ["the-store"]\n  deletion_protection = var.on\n'
        "  depends_on = [terraform_data.store]\n}\n"
    )

    def run(*words):
        command = ["terraform", f"-chdir={tmp_path}", *words]
        return subprocess.run(command, env=_without_user(os.environ), capture_output=True, text=True, check=False)

    codes = [run(*words).returncode for words in (["init"], ["apply", "-auto-approve", "-var=on=true"])]
    refused = run("destroy", "-auto-approve", "-var=on=true")
    left = run("state", "list").stdout.split()
    codes += [run(*words, "-auto-approve", "-var=on=false").returncode for words in (["apply"], ["destroy"])]

    assert (codes, refused.returncode) == ([0, 0, 0, 0], 1)
    assert "turn it off and apply" in refused.stderr + refused.stdout
    assert left == ["terraform_data.store", "module.guard.terraform_data.this"]
