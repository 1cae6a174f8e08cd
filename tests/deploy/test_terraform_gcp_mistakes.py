"""Mistakes in the stack for Google Cloud, made on purpose: each is found, and for its own reason.

Nobody here can apply the stack, so what finds mistakes is the schema and the stack's own tests. This is what they find.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import pytest

from tests.support.terraform import ROOT, Stack, failures, initialised

pytestmark = pytest.mark.requires(shutil.which("terraform"), install="Terraform 1.11 or newer")


class Mistake(NamedTuple):
    """A text in a file, what is written instead, and what must be said of it."""

    file: str
    text: str
    instead: str
    said: str


CHANNEL = "modules/gcp/channel/main.tf"
CODE = "modules/gcp/code/main.tf"
FUNCTION = "modules/gcp/function/main.tf"
PERMISSIONS = "modules/gcp/function/permissions.tf"
STACK = "stacks/gcp/main.tf"
STORE = "modules/gcp/store/main.tf"
TIMERS = "modules/gcp/timers/main.tf"

SCHEMA = {
    "an argument that is not there": Mistake(
        CHANNEL, "  ack_deadline_seconds       = var", "  ack_deadline = var", "Unsupported argument"
    ),
    "a block that is not there": Mistake(CHANNEL, "  retry_policy {", "  retry {", "Unsupported block type"),
    "a block too many": Mistake(
        CHANNEL, "  retry_policy {", "  retry_policy {}\n  retry_policy {", "Too many retry_policy blocks"
    ),
    "a resource that is not there": Mistake(
        TIMERS, 'resource "google_cloud_scheduler_job"', 'resource "google_scheduler_job"', "Invalid resource type"
    ),
    "an attribute that is not there": Mistake(
        "modules/gcp/function/outputs.tf", "service_config[0].uri", "service_config[0].url", "Unsupported attribute"
    ),
    "a value of another type": Mistake(FUNCTION, "= var.instances.min", '= "few"', "Incorrect attribute value type"),
    "an argument left out": Mistake(
        STORE, '  type                              = "FIRESTORE_NATIVE"\n', "", "Missing required argument"
    ),
    "a variable left out": Mistake(
        STACK,
        "  runtime         = var.runtime\n  memory_mib      = var.memory_mib\n  cpu             = var.cpu\n  timeout_seconds = 55",
        "  timeout_seconds = 55",
        "Missing required argument",
    ),
}
"""What `terraform validate` finds."""

CHANNEL_TEST, FUNCTION_TEST, STATE_TEST = (f"tests/{name}.tftest.hcl" for name in ("channel", "function", "state"))

MEANING = {
    "no dead letters": (
        CHANNEL_TEST,
        Mistake(
            CHANNEL,
            "  dead_letter_policy {\n    dead_letter_topic     = local.dead_letter_id\n    max_delivery_attempts = var.delivery_limit\n  }\n",
            "",
            "What kills its function goes to the dead-letter topic.",
        ),
    ),
    "a subscription that expires": (
        CHANNEL_TEST,
        Mistake(CHANNEL, 'ttl = ""', 'ttl = "2592000s"', "Messages and dead letters are kept for 31 days, subscriptions for ever."),
    ),
    "messages kept for a week": (
        CHANNEL_TEST,
        Mistake(CHANNEL, "31 * 24", "7 * 24", "Messages and dead letters are kept for 31 days, subscriptions for ever."),
    ),
    "dead letters that Pub/Sub may not publish": (
        CHANNEL_TEST,
        Mistake(CHANNEL, ", pubsub = local.pubsub }", " }", "The function and Pub/Sub publish dead letters, nobody else."),
    ),
    "a token for any function": (
        CHANNEL_TEST,
        Mistake(CHANNEL, "      audience              = var.function_uri\n", "", "It is pushed to the function, with a token for that function only."),
    ),
    "an older filter that is not drained": (
        CHANNEL_TEST,
        Mistake(CHANNEL, "merge(var.draining, {", "merge({", "There are the old one and the new one: "),
    ),
    "a deployment that resumes": (
        CHANNEL_TEST,
        Mistake(CHANNEL, "    ignore_changes = [push_config]\n", "", "What an operator has paused stays paused."),
    ),
    "commits that expire": (
        STATE_TEST,
        Mistake(STORE, '  field      = "body"\n', '  field      = "body"\n\n  ttl_config {}\n', "Commits never expire."),
    ),
    "streams that can't be listed": (
        STATE_TEST,
        Mistake(STORE, '"COLLECTION_GROUP"', '"COLLECTION"', "A body has no index, a stream's name one over all streams."),
    ),
    "timers that expire": (
        STATE_TEST,
        Mistake(TIMERS, "  index_config {}\n", "  index_config {}\n\n  ttl_config {}\n", "Nothing is indexed that nobody asks for, and no timer expires."),
    ),
    "a tick every five minutes": (
        STATE_TEST, Mistake(TIMERS, '"* * * * *"', '"*/5 * * * *"', "There is a tick every minute."),
    ),
    "a bucket for all": (
        STATE_TEST,
        Mistake(CODE, '"enforced"', '"inherited"', "The zip lies in a bucket that nobody else can read, encrypted with the key."),
    ),
    "another project in the same state": (
        STATE_TEST,
        Mistake("modules/gcp/bus/main.tf", "self.output == local.place", "self.output != null", "terraform_data.place, was expected to report an error"),
    ),
    "a function for all": (
        FUNCTION_TEST,
        Mistake(PERMISSIONS, '"serviceAccount:${each.value}"', '"allUsers"', "Nobody else may call it."),
    ),
    "every database": (
        FUNCTION_TEST,
        Mistake(PERMISSIONS, 'resource.name == \\"${var.store_id}\\"', "true", "It may use one database: "),
    ),
    "retries that wake somebody up": (
        FUNCTION_TEST,
        Mistake("modules/gcp/function/alarms.tf", ' AND metric.labels.response_code != \\"503\\"', "", "An alarm watches its errors, and takes no retry for one."),
    ),
    "passwords in a plan": (
        FUNCTION_TEST,
        Mistake(FUNCTION, "= var.environment", "= nonsensitive(var.environment)", "No plan shows the environment: it may hold passwords."),
    ),
    "a function without its name's limit": (
        FUNCTION_TEST,
        Mistake("modules/gcp/function/variables.tf", "{0,47}", "{0,99}", "var.name, was expected to report an error"),
    ),
    "an account with too long an id": (
        FUNCTION_TEST,
        Mistake("modules/gcp/account/main.tf", "<= 30", "<= 99", "The account is trefoil-production-no-front-doors, of 33 characters."),
    ),
}  # fmt: skip
"""What the stack's tests find: which of them, and in what words."""


@pytest.fixture(scope="module")
def copy(google_provider, tmp_path_factory) -> Stack:
    return initialised(ROOT, tmp_path_factory.mktemp("mistakes"), "gcp", google_provider)


@contextmanager
def made(copy: Stack, mistake: Mistake) -> Iterator[None]:
    """Make a mistake in the copy, and then unmake it."""
    path = copy.folder.parents[1] / mistake.file
    right = path.read_text()
    assert mistake.text in right
    path.write_text(right.replace(mistake.text, mistake.instead))
    try:
        yield
    finally:
        path.write_text(right)


@pytest.mark.parametrize("mistake", SCHEMA.values(), ids=SCHEMA)
def test_the_schema_finds(copy, mistake):
    with made(copy, mistake):
        told = json.loads(copy.run("validate", "-json", check=False).stdout)

    assert {each["summary"] for each in told["diagnostics"]} == {mistake.said}


@pytest.mark.parametrize(("file", "mistake"), MEANING.values(), ids=MEANING)
def test_the_stacks_tests_find(copy, file, mistake):
    with made(copy, mistake):
        found = failures(copy.test(f"-filter={file}"))

    assert mistake.said in next(iter(found), "nothing")  # the first; others follow from it


def test_a_filter_that_pubsub_has_no_room_for_is_found(copy):
    contract = copy.folder / "tests" / "contracts" / "one.json"
    right = contract.read_text()
    contract.write_text(right.replace('rooms.book-room.v1\\"', f'rooms.{"book-" * 50}room.v1\\"'))

    found = failures(copy.test("-filter=tests/contract.tftest.hcl"))

    contract.write_text(right)
    assert ["filter must be 1 to 256 ASCII characters" in each for each in found] == [True]


def test_without_a_mistake_nothing_is_found(copy):
    files = (CHANNEL_TEST, FUNCTION_TEST, STATE_TEST, "tests/contract.tftest.hcl")

    assert json.loads(copy.run("validate", "-json").stdout)["diagnostics"] == []
    assert failures(copy.test(*(f"-filter={file}" for file in files))) == []
