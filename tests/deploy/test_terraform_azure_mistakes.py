"""Mistakes in the stack for Azure, made on purpose: each is found, and for its own reason."""

import json
import shutil

import pytest

from tests.support.terraform import ROOT, Stack, failures, initialised
from tests.support.terraform_mistakes import Mistake, by_file, said_by_tests, said_by_validation

pytestmark = pytest.mark.requires(shutil.which("terraform"), install="Terraform 1.11 or newer")


ALARMS = "modules/azure/channel/alarms.tf"
BUS = "modules/azure/bus/main.tf"
CHANNEL = "modules/azure/channel/main.tf"
CODE = "modules/azure/code/main.tf"
ERRORS = "modules/azure/function/alarms.tf"
FUNCTION = "modules/azure/function/main.tf"
PERMISSIONS = "modules/azure/function/permissions.tf"
STACK = "stacks/azure/main.tf"
STORE = "modules/azure/store/main.tf"
TABLE = "modules/azure/table/main.tf"

FORWARDED = "  forward_dead_lettered_messages_to = azurerm_servicebus_queue.dead_letter.name\n\n"
NO_DUPLICATES = "requires_duplicate_detection = false"
FOREVER = '"P10675199DT2H48M5.4775807S"'
SUM = " | summarize ticks = count() | where ticks == 0"

VALIDATION = {
    "an unknown argument": Mistake(CHANNEL, "  lock_duration  ", "  lock_seconds  ", "Unsupported argument"),
    "an unknown block": Mistake(ALARMS, "  criteria {", "  condition {", "Unsupported block type"),
    "an unknown resource": Mistake(STORE, '"azurerm_management_lock"', '"azurerm_lock"', "Invalid resource type"),
    "an unknown attribute": Mistake(
        PERMISSIONS, "identity[0].principal_id", "identity[0].object_id", "Unsupported attribute"
    ),
    "a block too many": Mistake(
        FUNCTION, "  site_config {", "  site_config {}\n  site_config {", "Too many site_config"
    ),
    "a value of another type": Mistake(FUNCTION, "= var.memory_mib", '= "much"', "Incorrect attribute value type"),
    "an argument left out": Mistake(FUNCTION, '  sku_name            = "FC1"', "", "Missing required argument"),
    "a variable left out": Mistake(STACK, '  runtime        = "python 3.13"', "", "Missing required argument"),
}
"""What `terraform validate` finds."""

TESTS = {
    "channel": {
        "no dead letters": Mistake(CHANNEL, FORWARDED, "", "What kills its function goes to the dead-letter queue."),
        "messages kept for two weeks": Mistake(CHANNEL, FOREVER, '"P14D"', "Messages, dead letters and the channel"),
        "a lock of a minute": Mistake(CHANNEL, '"PT5M" # the', '"PT1M" # the', "A message is locked for as long as it"),
        "copies taken for duplicates": Mistake(
            CHANNEL, NO_DUPLICATES, "requires_duplicate_detection = true", "A copy is never taken for its original."
        ),
        "dead letters that are given up": Mistake(CHANNEL, "= 2000", "= 10", "Dead letters stay where they are."),
        "everything let in": Mistake(CHANNEL, "= local.filter", '= "1=1"', "The bus lets in what the service handles"),
        "messages of a subscription that vanish": Mistake(
            CHANNEL,
            "  forward_dead_lettered_messages_to         = azurerm_servicebus_queue.dead_letter.name\n",
            "",
            "The subscription forwards messages to the queue",
        ),
        "an alarm for a single message": Mistake(
            ALARMS, '"Minimum"', '"Maximum"', "One alarm watches the dead letters, one a queue"
        ),
        "a deployment that resumes": Mistake(
            CHANNEL, "ignore_changes = [status]", "", "What an operator has paused stays paused."
        ),
    },
    "function": {
        "all of the namespace": Mistake(
            PERMISSIONS, '"Azure Service Bus Data Receiver"', '"Azure Service Bus Data Owner"', "It may do what it must"
        ),
        "an app that all can reach": Mistake(FUNCTION, "= var.ingress", '= "Allow"', "Nobody can reach it"),
        "a password that deploys": Mistake(
            FUNCTION,
            "authentication_enabled = false",
            "authentication_enabled = true",
            "Nobody deploys with a password.",
        ),
        "a connection string without a key": Mistake(
            FUNCTION,
            '    AzureWebJobsStorage                       = ""\n',
            "",
            "The app gets the environment it is given",
        ),
        "another zip that is not noticed": Mistake(
            FUNCTION, "= var.package.hash", '= "1"', "The app gets the environment"
        ),
        "passwords in a plan": Mistake(
            FUNCTION, "merge(var.environment,", "merge(nonsensitive(var.environment),", "No plan shows the environment"
        ),
        "no alarm where there is no row": Mistake(ERRORS, SUM, "", "An alarm goes off when no tick succeeds."),
    },
    "state": {
        "a bus with keys": Mistake(BUS, "local_auth_enabled            = false", "", "Nobody comes in with a key"),
        "a topic that forgets": Mistake(BUS, FOREVER, '"P14D"', "The topic and what it holds never expire."),
        "a store with keys": Mistake(
            STORE, "access_key_enabled       = false", "access_key_enabled = true", "The store lies"
        ),
        "a store that can be deleted": Mistake(
            STORE, '"CanNotDelete"', '"ReadOnly"', "Azure refuses to delete the account."
        ),
        "a zip of another name": Mistake(CODE, '"released-package.zip"', '"azure.zip"', "The zip is the one that Flex"),
        "a container for all": Mistake(CODE, '"private"', '"blob"', "Nobody else can read the container."),
        "a template that deletes the rest": Mistake(
            TABLE, '"Incremental"', '"Complete"', "Its template leaves alone what else is in the group."
        ),
        "another subscription in the same state": Mistake(
            BUS, "self.output == local.place", "true || self.output == null", "The checkable object, terraform_data"
        ),
    },
}
"""What the stack's own tests find."""


@pytest.fixture(scope="module")
def copy(azure_provider, tmp_path_factory) -> Stack:
    return initialised(ROOT, tmp_path_factory.mktemp("mistakes"), "azure", azure_provider)


@pytest.mark.parametrize("mistake", VALIDATION.values(), ids=VALIDATION)
def test_validation_finds(copy, mistake):
    found = said_by_validation(copy, mistake)

    assert found.startswith(mistake.said)


@pytest.mark.parametrize(("file", "mistake"), by_file(TESTS))
def test_the_stacks_tests_find(copy, file, mistake):
    found = said_by_tests(copy, file, mistake)

    assert f": {mistake.said}" in found


def test_a_filter_that_service_bus_has_no_room_for_is_found(copy):
    contract = copy.folder / "tests" / "contracts" / "one.json"
    right = contract.read_text()
    wrong = json.loads(right)
    wrong["channels"]["rooms"]["x-trefoil"]["types"] = [f"rooms.room-{number:03}.v1" for number in range(60)]
    contract.write_text(json.dumps(wrong))

    found = failures(copy.test("-filter=tests/contract.tftest.hcl"))

    contract.write_text(right)
    assert ["types must fit into a filter of 1,024 characters" in each for each in found] == [True]


def test_without_a_mistake_nothing_is_found(copy):
    validated = json.loads(copy.run("validate", "-json").stdout)
    found = failures(copy.test(*(f"-filter=tests/{file}.tftest.hcl" for file in TESTS)))

    assert (validated["diagnostics"], found) == ([], [])
