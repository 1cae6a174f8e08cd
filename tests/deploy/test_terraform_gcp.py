"""Terraform's stack for Google Cloud: what it would make for this repository.

Nothing here was ever applied: the provider is a stand-in that knows the schema (tests/support/terraform_schemas).
"""

import re
import shutil
from hashlib import sha256

import pytest

from infra.gcp.names import Names
from tests.support import terraform_plans
from tests.support.terraform import ROOT, failures
from tests.support.terraform_gcp import PROJECT, account, dashed
from tests.support.terraform_plans import PREFIX, kind

pytestmark = pytest.mark.requires(shutil.which("terraform"), install="Terraform 1.11 or newer")


@pytest.fixture(scope="module")
def services():
    return terraform_plans.services()


@pytest.fixture(scope="module")
def planned(gcp_stack):
    """What would be made for this repository: values by address."""
    return terraform_plans.planned(gcp_stack)


def test_names_are_those_that_the_code_uses(planned, services):
    names = Names()

    subscriptions = {key: each["name"] for key, each in kind(planned, "google_pubsub_subscription.this").items()}
    dead = {key: each["name"] for key, each in kind(planned, "google_pubsub_subscription.dead_letter").items()}
    topics = {key: each["name"] for key, each in kind(planned, "google_pubsub_topic.dead_letter").items()}

    assert planned["module.bus.google_pubsub_topic.this"]["name"] == names.topic
    assert planned["module.store.google_firestore_database.this"]["name"] == names.database
    assert subscriptions == {name: names.subscription(name, told["pubsubFilter"]) for name, told in services.items()}
    assert dead == topics == {name: names.dead(name) for name in services}


def test_the_ids_of_accounts_are_short_enough_and_differ(gcp_stack, services):
    accounts = kind(
        terraform_plans.planned(gcp_stack, name="n" * 16, stage="s" * 16), "module.account.google_service_account.this"
    )

    ids = {each["account_id"] for each in accounts.values()}

    assert len(ids) == len(services) + len({"tick"})
    assert [each for each in ids if not re.fullmatch(r"[a-z][a-z0-9-]{4,28}[a-z0-9]", each)] == []


def test_a_filter_is_its_contracts_and_names_its_subscription(planned, services):
    subscriptions = kind(planned, "google_pubsub_subscription.this")

    filters = {key: each["filter"] for key, each in subscriptions.items()}

    assert filters == {name: told["pubsubFilter"] for name, told in services.items()}
    for name, expression in filters.items():
        assert subscriptions[name]["name"] == f"{PREFIX}-{name}-{sha256(expression.encode()).hexdigest()[:8]}"


def test_a_channels_limits_are_its_contracts(planned, services):
    limits = {
        key: (
            each["dead_letter_policy"][0]["max_delivery_attempts"],
            each["dead_letter_policy"][0]["dead_letter_topic"],
            each["retry_policy"][0]["minimum_backoff"],
            each["retry_policy"][0]["maximum_backoff"],
        )
        for key, each in kind(planned, "google_pubsub_subscription.this").items()
    }

    assert limits == {
        name: (
            told["deliveryLimit"],
            f"projects/{PROJECT}/topics/{PREFIX}-{name}-dead",
            f"{told['backoff']['base']}s",
            f"{told['backoff']['cap']}s",
        )
        for name, told in services.items()
    }


def test_pubsub_waits_until_a_function_has_certainly_ended(planned):
    functions = kind(planned, "google_cloudfunctions2_function.this")

    for name, subscription in kind(planned, "google_pubsub_subscription.this").items():
        (service,) = functions[name]["service_config"]
        assert subscription["ack_deadline_seconds"] > service["timeout_seconds"], name


def test_each_channel_is_pushed_to_its_own_function(planned, services):
    pushed = {
        key: (each["push_config"][0]["push_endpoint"], each["push_config"][0]["oidc_token"][0])
        for key, each in kind(planned, "google_pubsub_subscription.this").items()
    }

    uris = {name: f"https://{PREFIX}-{name}.example" for name in services}
    assert pushed == {
        name: (uri, {"service_account_email": account("bus-push"), "audience": uri}) for name, uri in uris.items()
    }


def test_each_service_has_a_function_that_knows_which_it_is(planned, services):
    functions = kind(planned, "google_cloudfunctions2_function.this")

    told = {key: each["service_config"][0]["environment_variables"] for key, each in functions.items()}

    common = {
        "TREFOIL_CLOUD": "gcp",
        "TREFOIL_NAME": "trefoil",
        "TREFOIL_STAGE": "dev",
        "GOOGLE_CLOUD_PROJECT": PROJECT,
    }
    assert {key: each["name"] for key, each in functions.items()} == {
        name: f"{PREFIX}-{dashed(name)}" for name in [*services, "tick"]
    }
    assert told == {"tick": {**common, "TREFOIL_SECONDS": "55", "THREADS": "1"}} | {
        name: {
            **common,
            "TREFOIL_SERVICE": name,
            "TREFOIL_SECONDS": str(told["functionTimeoutSeconds"]),
            "THREADS": str(told["batch"]),
        }
        for name, told in services.items()
    }


def test_functions_have_the_entries_and_limits_of_their_contract(planned, services):
    limits = {
        key: (
            each["build_config"][0]["entry_point"],
            each["service_config"][0]["timeout_seconds"],
            each["service_config"][0]["max_instance_count"],
            each["service_config"][0]["max_instance_request_concurrency"],
        )
        for key, each in kind(planned, "google_cloudfunctions2_function.this").items()
    }

    assert limits == {"tick": ("tick", 55, 1, 1)} | {
        name: ("receive", told["functionTimeoutSeconds"], told["concurrency"], told["batch"])
        for name, told in services.items()
    }


def test_nothing_in_the_store_expires_and_only_what_is_asked_for_is_indexed(planned):
    fields = [values for address, values in planned.items() if "google_firestore_field" in address]

    told = {
        (each["collection"], each["field"]): (each["ttl_config"], each["index_config"][0]["indexes"]) for each in fields
    }

    by_stream = {"order": "ASCENDING", "query_scope": "COLLECTION_GROUP", "array_config": None}
    assert told == {
        ("commits", "body"): ([], []),
        ("commits", "stream"): ([], [by_stream]),
        ("due", "attributes"): ([], []),
        ("due", "body"): ([], []),
    }


def test_no_file_speaks_of_a_time_to_live():
    texts = {path: path.read_text() for path in (ROOT / "terraform" / "modules" / "gcp").rglob("*.tf")}

    assert [path for path, text in texts.items() if "ttl_config" in text] == []


def test_each_service_has_its_three_alarms_and_the_tick_two(planned, services):
    alarms = {
        values["display_name"] for address, values in planned.items() if "google_monitoring_alert_policy" in address
    }

    assert alarms == {f"{PREFIX}-{name}-{what}" for name in services for what in ("dead-letters", "oldest")} | {
        f"{PREFIX}-{dashed(name)}-errors" for name in [*services, "tick"]
    } | {f"{PREFIX}-tick-silent"}


@pytest.mark.parametrize("variables", [{}, {"environment": {"TREFOIL_SMTP_URL": "smtp://ada:secret@mail.example"}}])
def test_a_plan_shows_no_functions_environment(gcp_stack, variables):
    hidden = [
        change["change"]["after_sensitive"]["service_config"][0]["environment_variables"]
        for change in gcp_stack.plan(**variables)
        if change["type"] == "google_cloudfunctions2_function"
    ]

    assert hidden
    assert set(hidden) == {True}


def test_whatever_can_be_labelled_is_labelled(planned):
    unlabelled = {
        address: values[key]
        for address, values in planned.items()
        for key in ("labels", "user_labels")
        if key in values and (values[key] or {}).get("stage") != "dev"
    }

    assert unlabelled == {}


def test_an_older_filter_keeps_its_subscription_until_it_is_drained(gcp_stack, services):
    older = 'attributes.to="users"'
    hash_ = sha256(older.encode()).hexdigest()[:8]

    planned = terraform_plans.planned(gcp_stack, draining={"users": {hash_: older}})

    subscriptions = kind(planned, "google_pubsub_subscription.this")
    assert {each["filter"] for each in subscriptions.pop("users")} == {older, services["users"]["pubsubFilter"]}
    assert {type(each) for each in subscriptions.values()} == {dict}


def test_names_that_cloud_run_has_no_room_for_are_refused(gcp_stack):
    words = ["-var=name=nnnnnnnnnnnnnnnnnnnn", "-var=stage=ssssssssssssssssssss"]

    found = failures(gcp_stack.test("-filter=tests/repository.tftest.hcl", *words))

    assert found
    assert all("name must be 2 to 49 small letters" in each for each in found)
