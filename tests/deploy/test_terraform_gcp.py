"""Terraform's stack for Google Cloud: well formed, checked against the provider's schema, tested with mocks.

Nothing here was ever applied: the provider is a stand-in that knows the schema (tests/support/terraform_schemas).
"""

import json
import os
import re
import shutil
import subprocess
from hashlib import sha256

import pytest

from infra.gcp.names import Names
from tests.support.terraform import ROOT, failures

CHECKOV = ROOT / ".venv-checkov" / "bin" / "checkov"
PREFIX = "trefoil-dev"
PROJECT = "shop-412345"
MEMBER = f"serviceAccount:{{}}@{PROJECT}.iam.gserviceaccount.com"
PUBSUB = "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com"

pytestmark = pytest.mark.requires(shutil.which("terraform"), install="Terraform 1.11 or newer")


@pytest.fixture(scope="module")
def services():
    """What the contract says of each service."""
    channels = json.loads((ROOT / "shared" / "asyncapi.json").read_text())["channels"].values()
    told = [channel["x-trefoil"] for channel in channels]
    return {service["service"]: service for service in told if service["role"] == "service"}


@pytest.fixture(scope="module")
def planned(gcp_stack):
    """What would be made for this repository: values by address."""
    return {change["address"]: change["change"]["after"] for change in gcp_stack.plan()}


def kind(planned, name):
    """The resources of a kind, by service, or by module where there is one of it; of several, a list."""
    place = re.compile(rf'module\.(\w+)(?:\["(\w+)"\])?(?:\.module\.\w+)?\.{re.escape(name)}(?:\["\w+"\])?')
    found = {}
    for address, values in planned.items():
        if match := place.fullmatch(address):
            found.setdefault(match[2] or match[1], []).append(values)
    return {key: values if values[1:] else values[0] for key, values in found.items()}


def dashed(name):
    return name.replace("_", "-")


def test_every_file_is_formatted(gcp_stack):
    done = gcp_stack.run("fmt", "-check", "-recursive", "../..", check=False)

    assert (done.returncode, done.stdout) == (0, "")


def test_the_stack_is_valid(gcp_stack):
    told = json.loads(gcp_stack.run("validate", "-json", check=False).stdout)

    assert (told["valid"], told["diagnostics"]) == (True, [])


def test_terraforms_own_tests_pass(gcp_stack):
    files = sorted(
        path.relative_to(gcp_stack.folder).as_posix() for path in gcp_stack.folder.glob("tests/*.tftest.hcl")
    )

    messages = gcp_stack.test(*(f"-filter={file}" for file in files))

    (summary,) = messages["test_summary"]
    assert failures(messages) == []
    assert summary["test_summary"]["status"] == "pass"
    assert sorted(messages["test_abstract"][0]["test_abstract"]) == files


def test_names_are_those_that_the_code_uses(planned, services):
    names = Names()

    subscriptions = {key: each["name"] for key, each in kind(planned, "google_pubsub_subscription.this").items()}
    dead = {key: each["name"] for key, each in kind(planned, "google_pubsub_subscription.dead_letter").items()}
    topics = {key: each["name"] for key, each in kind(planned, "google_pubsub_topic.dead_letter").items()}

    assert planned["module.bus.google_pubsub_topic.this"]["name"] == names.topic
    assert planned["module.store.google_firestore_database.this"]["name"] == names.database
    assert subscriptions == {name: names.subscription(name, told["pubsubFilter"]) for name, told in services.items()}
    assert dead == topics == {name: names.dead(name) for name in services}


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

    account = MEMBER.format(f"{PREFIX}-bus-push").removeprefix("serviceAccount:")
    uris = {name: f"https://{PREFIX}-{name}.example" for name in services}
    assert pushed == {name: (uri, {"service_account_email": account, "audience": uri}) for name, uri in uris.items()}


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


def test_all_that_is_granted_is_what_each_needs(planned, services):
    granted = {
        (
            values["member"],
            values["role"],
            _on(values),
            json.dumps([each["expression"] for each in values["condition"]]),
        )
        for address, values in planned.items()
        if "_iam_" in address
    }

    assert granted == _build() | _function("tick", caller="tick-schedule") | {
        grant for name in services for grant in _service(name)
    }


def _on(values):
    """What a role is granted on; a project where nothing smaller is named."""
    return next(values[key] for key in ("subscription", "topic", "repository", "name", "project") if values.get(key))


def _service(name):
    member, dead = MEMBER.format(f"{PREFIX}-{dashed(name)}"), f"{PREFIX}-{name}-dead"
    return _function(dashed(name), caller="bus-push") | {
        (member, "roles/pubsub.publisher", dead, "[]"),
        (PUBSUB, "roles/pubsub.publisher", dead, "[]"),
        (PUBSUB, "roles/pubsub.subscriber", _subscription(name), "[]"),
    }


def _subscription(name):
    channels = json.loads((ROOT / "shared" / "asyncapi.json").read_text())["channels"]
    return Names().subscription(name, channels[name]["x-trefoil"]["pubsubFilter"])


def _function(name, *, caller):
    member, store = MEMBER.format(f"{PREFIX}-{name}"), f"projects/{PROJECT}/databases/{PREFIX}-store"
    return {
        (member, "roles/pubsub.publisher", f"projects/{PROJECT}/topics/{PREFIX}-bus", "[]"),
        (member, "roles/datastore.user", PROJECT, json.dumps([f'resource.name == "{store}"'])),
        (MEMBER.format(f"{PREFIX}-{caller}"), "roles/run.invoker", f"{PREFIX}-{name}", "[]"),
    }


def _build():
    member, buckets = MEMBER.format(f"{PREFIX}-code-build"), "projects/_/buckets"
    zips = " || ".join(
        f'resource.name.startsWith("{buckets}/{name}")'
        for name in (f"{PREFIX}-code-123456789012", "gcf-v2-sources-123456789012-")
    )
    return {
        (member, "roles/artifactregistry.writer", f"{PREFIX}-code", "[]"),
        (member, "roles/logging.logWriter", PROJECT, "[]"),
        (member, "roles/storage.objectViewer", PROJECT, json.dumps([zips])),
    }


def test_each_function_acts_in_the_name_of_its_own_account(planned, services):
    accounts = {
        key: each["service_config"][0]["service_account_email"]
        for key, each in kind(planned, "google_cloudfunctions2_function.this").items()
    }

    assert accounts == {
        name: MEMBER.format(f"{PREFIX}-{dashed(name)}").removeprefix("serviceAccount:") for name in [*services, "tick"]
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

    planned = {
        change["address"]: change["change"]["after"] for change in gcp_stack.plan(draining={"users": {hash_: older}})
    }

    subscriptions = kind(planned, "google_pubsub_subscription.this")
    assert {each["filter"] for each in subscriptions.pop("users")} == {older, services["users"]["pubsubFilter"]}
    assert {type(each) for each in subscriptions.values()} == {dict}


def test_names_that_cloud_run_has_no_room_for_are_refused(gcp_stack):
    words = ["-var=name=nnnnnnnnnnnnnnnnnnnn", "-var=stage=ssssssssssssssssssss"]

    found = failures(gcp_stack.test("-filter=tests/repository.tftest.hcl", *words))

    assert found
    assert all("name must be 2 to 49 small letters" in each for each in found)


@pytest.mark.requires(CHECKOV.exists(), install="checkov: make tools")
def test_checkov_finds_nothing_that_is_not_explained(gcp_stack, tmp_path):
    tree = gcp_stack.folder.parents[1] / "modules" / "gcp"
    options = ["--framework=terraform", "--output=json", "--quiet", "--skip-download"]
    offline = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LOG_LEVEL": "ERROR"}

    done = subprocess.run(
        [CHECKOV, "--directory", tree, *options], env=offline, check=False, capture_output=True, text=True, timeout=120
    )

    told = json.loads(done.stdout)
    assert [f"{found['check_id']} {found['resource']}" for found in told["results"]["failed_checks"]] == []
    assert told["summary"]["parsing_errors"] == 0
    assert told["summary"]["resource_count"] > len({"bus", "channel", "code", "function", "store", "timers"})
