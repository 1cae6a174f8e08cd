"""Who may do what on Google Cloud: all that Terraform's stack would grant, and nothing else."""

import json
import shutil

import pytest

from infra.gcp.names import Names
from tests.support import terraform_plans
from tests.support.terraform_gcp import PROJECT, account, dashed
from tests.support.terraform_plans import PREFIX, kind

PUBSUB = "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com"
"""Pub/Sub's own account."""

pytestmark = pytest.mark.requires(shutil.which("terraform"), install="Terraform 1.11 or newer")


@pytest.fixture(scope="module")
def services():
    return terraform_plans.services()


@pytest.fixture(scope="module")
def planned(gcp_stack):
    """What would be made for this repository: values by address."""
    return terraform_plans.planned(gcp_stack)


def granted(planned):
    """All grants: to whom, which role, on what, on which condition."""
    conditions = {
        address: [each["expression"] for each in values["condition"]]
        for address, values in planned.items()
        if "_iam_" in address
    }
    return {
        (planned[address]["member"], planned[address]["role"], _on(planned[address]), *found)
        for address, found in conditions.items()
    }


def _on(values):
    """What a role is granted on; the project where nothing smaller is named."""
    return next(values[key] for key in ("subscription", "topic", "repository", "name", "project") if values.get(key))


def of_function(name, *, caller):
    member, store = f"serviceAccount:{account(name)}", f"projects/{PROJECT}/databases/{PREFIX}-store"
    return {
        (member, "roles/pubsub.publisher", f"projects/{PROJECT}/topics/{PREFIX}-bus"),
        (member, "roles/datastore.user", PROJECT, f'resource.name == "{store}"'),
        (f"serviceAccount:{account(caller)}", "roles/run.invoker", f"{PREFIX}-{name}"),
    }


def of_channel(name, filter_):
    dead = f"{PREFIX}-{name}-dead"
    return {
        (f"serviceAccount:{account(dashed(name))}", "roles/pubsub.publisher", dead),
        (PUBSUB, "roles/pubsub.publisher", dead),
        (PUBSUB, "roles/pubsub.subscriber", Names().subscription(name, filter_)),
    }


def of_build():
    member = f"serviceAccount:{account('code-build')}"
    zips = " || ".join(
        f'resource.name.startsWith("projects/_/buckets/{name}")'
        for name in (f"{PREFIX}-code-123456789012", "gcf-v2-sources-123456789012-")
    )
    return {
        (member, "roles/artifactregistry.writer", f"{PREFIX}-code"),
        (member, "roles/logging.logWriter", PROJECT),
        (member, "roles/storage.objectViewer", PROJECT, zips),
    }


def test_services_publish_and_use_their_store_and_only_the_bus_calls_them(planned, services):
    expected = of_build() | of_function("tick", caller="tick-schedule")
    for name, told in services.items():
        expected |= of_function(dashed(name), caller="bus-push") | of_channel(name, told["pubsubFilter"])

    found = granted(planned)

    assert found == expected


def test_each_function_acts_in_the_name_of_its_own_account(planned, services):
    accounts = {
        key: each["service_config"][0]["service_account_email"]
        for key, each in kind(planned, "google_cloudfunctions2_function.this").items()
    }

    assert accounts == {name: account(dashed(name)) for name in [*services, "tick"]}


def test_no_key_is_used_that_the_user_does_not_name(planned):
    keys = [
        (address, values[key])
        for address, values in planned.items()
        for key in ("kms_key_name", "cmek_config", "encryption")
        if values.get(key)
    ]

    assert keys == []
    assert [address for address in planned if "kms" in address] == []


def test_the_key_that_the_user_names_encrypts_whatever_can_be(gcp_stack):
    key = f"projects/{PROJECT}/locations/europe-west3/keyRings/shop/cryptoKeys/trefoil"

    planned = terraform_plans.planned(gcp_stack, key_id=key)

    kinds = {
        "google_pubsub_topic",
        "google_cloudfunctions2_function",
        "google_artifact_registry_repository",
        "google_storage_bucket",
        "google_firestore_database",
    }
    stored = {
        address: values for address, values in planned.items() if address.split(".")[-2].partition("[")[0] in kinds
    }
    assert {address.split(".")[-2] for address in stored} == kinds
    assert [address for address, values in stored.items() if key not in json.dumps(values)] == []
