"""Mistakes in the stack for Google Cloud, made on purpose: each is found, and for its own reason.

Nobody here can apply the stack, so what finds mistakes is the schema and the stack's own tests. This is what they find.
"""

import json
import shutil

import pytest

from tests.support.terraform import ROOT, Stack, failures, initialised
from tests.support.terraform_mistakes import Mistake, by_file, said_by_tests, said_by_validation

pytestmark = pytest.mark.requires(shutil.which("terraform"), install="Terraform 1.11 or newer")


ACCOUNT = "modules/gcp/account/main.tf"
ALARMS = "modules/gcp/function/alarms.tf"
BUS = "modules/gcp/bus/main.tf"
CHANNEL = "modules/gcp/channel/main.tf"
CODE = "modules/gcp/code/main.tf"
FUNCTION = "modules/gcp/function/main.tf"
PERMISSIONS = "modules/gcp/function/permissions.tf"
STACK = "stacks/gcp/main.tf"
STORE = "modules/gcp/store/main.tf"
TIMERS = "modules/gcp/timers/main.tf"
URI = "modules/gcp/function/outputs.tf"

DEAD_LETTERS = """\
  dead_letter_policy {
    dead_letter_topic     = local.dead_letter_id
    max_delivery_attempts = var.delivery_limit
  }
"""
BODY = '  field      = "body"\n'
UNINDEXED = "  index_config {}\n"
EXPIRES = "\n  ttl_config {}\n"
KEPT = "Messages and dead letters are kept for 31 days"

VALIDATION = {
    "an unknown argument": Mistake(CHANNEL, "  ack_deadline_seconds ", "  ack_deadline ", "Unsupported argument"),
    "an unknown block": Mistake(CHANNEL, "  retry_policy {", "  retry {", "Unsupported block type"),
    "an unknown resource": Mistake(TIMERS, '"google_cloud_scheduler_job"', '"google_job"', "Invalid resource type"),
    "an unknown attribute": Mistake(URI, "service_config[0].uri", "service_config[0].url", "Unsupported attribute"),
    "a block too many": Mistake(CHANNEL, "  retry_policy", "  retry_policy {}\n  retry_policy", "Too many retry"),
    "a value of another type": Mistake(FUNCTION, "= var.instances.min", '= "few"', "Incorrect attribute value type"),
    "an argument left out": Mistake(FUNCTION, "  location     = var.account.region", "", "Missing required argument"),
    "a variable left out": Mistake(STACK, '  handler         = "tick"', "", "Missing required argument"),
}
"""What `terraform validate` finds."""

TESTS = {
    "channel": {
        "no dead letters": Mistake(CHANNEL, DEAD_LETTERS, "", "What kills its function goes to the dead-letter topic."),
        "a subscription that expires": Mistake(CHANNEL, 'ttl = ""', 'ttl = "2592000s"', KEPT),
        "messages kept for a week": Mistake(CHANNEL, "31 * 24", "7 * 24", KEPT),
        "dead letters that Pub/Sub may not publish": Mistake(
            CHANNEL, ", pubsub = local.pubsub }", " }", "The function and Pub/Sub publish dead letters, nobody else."
        ),
        "a token for any function": Mistake(
            CHANNEL, "audience              = var.function_uri", "", "It is pushed to the function, with a token"
        ),
        "an older filter that is not drained": Mistake(
            CHANNEL, "merge(var.draining, {", "merge({", "There are the old one and the new one: "
        ),
        "a deployment that resumes": Mistake(
            CHANNEL, "ignore_changes = [push_config]", "", "What an operator has paused stays paused."
        ),
    },
    "function": {
        "a function for all": Mistake(
            PERMISSIONS, '"serviceAccount:${each.value}"', '"allUsers"', "Nobody else may call it."
        ),
        "every database": Mistake(
            PERMISSIONS, '"resource.name == \\"${var.store_id}\\""', '"true"', "It may use one database: "
        ),
        "a function that all can reach": Mistake(
            FUNCTION, "= var.ingress", '= "ALLOW_ALL"', "It has as many instances and requests as it is told"
        ),
        "retries that wake somebody up": Mistake(
            ALARMS, ' AND metric.labels.response_code != \\"503\\"', "", "An alarm watches its errors"
        ),
        "passwords in a plan": Mistake(
            FUNCTION, "= var.environment", "= nonsensitive(var.environment)", "No plan shows the environment"
        ),
        "an account with too long an id": Mistake(
            ACCOUNT, "<= 30", "<= 99", "The account is trefoil-production-no-front-doors, of 33 characters."
        ),
    },
    "state": {
        "commits that expire": Mistake(STORE, BODY, BODY + EXPIRES, "Commits never expire."),
        "timers that expire": Mistake(
            TIMERS, UNINDEXED, UNINDEXED + EXPIRES, "Nothing is indexed that nobody asks for, and no timer expires."
        ),
        "streams that can't be listed": Mistake(
            STORE, '"COLLECTION_GROUP"', '"COLLECTION"', "A body has no index, a stream's name one over all streams."
        ),
        "a database that is only forgotten": Mistake(
            STORE, '"DELETE"', '"ABANDON"', "The database is encrypted with the key and can be restored."
        ),
        "a tick every five minutes": Mistake(TIMERS, '"* * * * *"', '"*/5 * * * *"', "There is a tick every minute."),
        "a bucket for all": Mistake(CODE, '"enforced"', '"inherited"', "The zip lies in a bucket that nobody else"),
        "another project in the same state": Mistake(
            BUS, "self.output == local.place", "true || self.output == null", "The checkable object, terraform_data"
        ),
    },
}
"""What the stack's own tests find."""


@pytest.fixture(scope="module")
def copy(google_provider, tmp_path_factory) -> Stack:
    return initialised(ROOT, tmp_path_factory.mktemp("mistakes"), "gcp", google_provider)


@pytest.mark.parametrize("mistake", VALIDATION.values(), ids=VALIDATION)
def test_validation_finds(copy, mistake):
    found = said_by_validation(copy, mistake)

    assert found.startswith(mistake.said)


@pytest.mark.parametrize(("file", "mistake"), by_file(TESTS))
def test_the_stacks_tests_find(copy, file, mistake):
    found = said_by_tests(copy, file, mistake)

    assert f": {mistake.said}" in found


def test_a_filter_that_pubsub_has_no_room_for_is_found(copy):
    contract = copy.folder / "tests" / "contracts" / "one.json"
    right = contract.read_text()
    wrong = json.loads(right)
    wrong["channels"]["rooms"]["x-trefoil"]["pubsubFilter"] = f'attributes.to="{"r" * 241}"'
    contract.write_text(json.dumps(wrong))

    found = failures(copy.test("-filter=tests/contract.tftest.hcl"))

    contract.write_text(right)
    assert ["filter must be 1 to 256 ASCII characters" in each for each in found] == [True]


def test_without_a_mistake_nothing_is_found(copy):
    validated = json.loads(copy.run("validate", "-json").stdout)
    found = failures(copy.test(*(f"-filter=tests/{file}.tftest.hcl" for file in [*TESTS, "contract"])))

    assert (validated["diagnostics"], found) == ([], [])
