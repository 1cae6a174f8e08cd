"""Who may do what on Azure: all that Terraform's stack would grant, and nothing else."""

import json
import shutil

import pytest

from tests.support import terraform_plans
from tests.support.terraform_azure import CODE, DEPLOYER, FUNCTIONS, GROUP, INSIGHTS, KEEPER, KEY, NAMESPACE, STORE
from tests.support.terraform_plans import PREFIX, kind

SENDER, RECEIVER = "Azure Service Bus Data Sender", "Azure Service Bus Data Receiver"
TABLES = "Storage Table Data Contributor"
ADA = "44444444-4444-4444-4444-444444444444"

pytestmark = pytest.mark.requires(shutil.which("terraform"), install="Terraform 1.11 or newer")


@pytest.fixture(scope="module")
def services():
    return terraform_plans.services()


@pytest.fixture(scope="module")
def planned(azure_stack):
    """What would be made for this repository: values by address."""
    return terraform_plans.planned(azure_stack)


def granted(planned):
    """All grants: to whom, which role, on what."""
    grants = [each for address, each in planned.items() if ".azurerm_role_assignment." in address]
    return {(each["principal_id"], each["role_definition_name"], each["scope"]) for each in grants}


def of_channel(name):
    queue = f"{NAMESPACE}/queues/{PREFIX}-{name}"
    return {
        (FUNCTIONS, RECEIVER, queue),
        (FUNCTIONS, SENDER, queue),
        (FUNCTIONS, SENDER, f"{queue}-dead"),
    }


def of_app():
    return {
        (FUNCTIONS, SENDER, f"{NAMESPACE}/topics/{PREFIX}-bus"),
        (FUNCTIONS, TABLES, f"{STORE}/tableServices/default/tables/trefoildevcommits"),
        (FUNCTIONS, TABLES, f"{STORE}/tableServices/default/tables/trefoildevtimers"),
        (FUNCTIONS, "Storage Blob Data Owner", CODE),
        (FUNCTIONS, "Monitoring Metrics Publisher", INSIGHTS),
        (DEPLOYER, "Storage Blob Data Contributor", f"{CODE}/blobServices/default/containers/code"),
    }


def test_the_app_works_with_its_channels_and_its_store(planned, services):
    expected = of_app().union(*map(of_channel, services))

    found = granted(planned)

    assert found == expected


def test_nothing_is_granted_beyond_the_deployments_own_resources(planned):
    scopes = {scope for _, _, scope in granted(planned)}

    assert [scope for scope in scopes if not scope.startswith(f"{GROUP}/providers/")] == []


@pytest.fixture(scope="module")
def with_everything(azure_stack):
    """The same with a key of one's own and an operator."""
    return terraform_plans.planned(azure_stack, key_id=KEY, sku="Premium", operators=[ADA])


def test_operators_work_with_the_namespace_and_the_store_and_one_identity_with_the_key(planned, with_everything):
    assert granted(with_everything) - granted(planned) == {
        (ADA, "Azure Service Bus Data Owner", NAMESPACE),
        (ADA, TABLES, STORE),
        (KEEPER, "Key Vault Crypto Service Encryption User", KEY),
    }


def test_no_key_is_used_that_the_user_does_not_name(planned):
    keys = [address for address, values in planned.items() if values.get("customer_managed_key")]

    assert keys == []
    assert [address for address in planned if "user_assigned_identity" in address] == []


def test_the_key_that_the_user_names_encrypts_whatever_can_be(with_everything):
    accounts = kind(with_everything, "azurerm_storage_account.this")

    stored = {**accounts, **kind(with_everything, "azurerm_servicebus_namespace.this")}

    assert set(stored) == {"bus", "code", "store"}
    assert [name for name, each in stored.items() if "shop.vault.azure.net/keys/trefoil" not in json.dumps(each)] == []
