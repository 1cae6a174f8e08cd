"""Terraform's stack for AWS: what it would make for this repository."""

import json
import shutil

import pytest

from tests.support import terraform_plans
from tests.support.terraform_plans import PREFIX, kind

ARN = "arn:aws:{}:eu-central-1:123456789012:{}"

pytestmark = pytest.mark.requires(shutil.which("terraform"), install="Terraform 1.11 or newer")


@pytest.fixture(scope="module")
def services():
    return terraform_plans.services()


@pytest.fixture(scope="module")
def planned(stack):
    """What would be made for this repository: values by address."""
    return terraform_plans.planned(stack)


def test_each_service_has_a_queue_and_dead_letters_under_its_name(planned, services):
    queues = {key: queue["name"] for key, queue in kind(planned, "aws_sqs_queue.this").items()}
    dead_letters = {key: queue["name"] for key, queue in kind(planned, "aws_sqs_queue.dead_letter").items()}

    assert queues == {name: f"{PREFIX}-{name}" for name in services}
    assert dead_letters == {name: f"{PREFIX}-{name}-dead" for name in services}


def test_a_channels_limits_are_its_contracts(planned, services):
    limits = {
        key: (queue["visibility_timeout_seconds"], json.loads(queue["redrive_policy"])["maxReceiveCount"])
        for key, queue in kind(planned, "aws_sqs_queue.this").items()
    }

    assert limits == {name: (told["visibilitySeconds"], told["deliveryLimit"]) for name, told in services.items()}


def test_a_filter_lets_in_what_its_service_handles(planned, services):
    subscriptions = kind(planned, "aws_sns_topic_subscription.this")

    filters = {key: json.loads(subscription["filter_policy"]) for key, subscription in subscriptions.items()}

    assert filters == {name: {"type": told["types"]} for name, told in services.items()}


def test_a_message_stays_hidden_for_six_function_timeouts(planned):
    functions = kind(planned, "aws_lambda_function.this")

    for name, queue in kind(planned, "aws_sqs_queue.this").items():
        assert queue["visibility_timeout_seconds"] >= 6 * functions[name]["timeout"], name


def test_each_service_has_a_function_that_knows_which_it_is(planned, services):
    functions = kind(planned, "aws_lambda_function.this")

    told = {key: function["environment"][0]["variables"] for key, function in functions.items()}

    common = {
        "TREFOIL_CLOUD": "aws",
        "TREFOIL_NAME": "trefoil",
        "TREFOIL_STAGE": "dev",
        "TREFOIL_BUS_ARN": ARN.format("sns", f"{PREFIX}-bus"),
        "POWERTOOLS_METRICS_NAMESPACE": "Trefoil",
    }
    assert {key: function["function_name"] for key, function in functions.items()} == {
        name: f"{PREFIX}-{name}" for name in [*services, "tick"]
    }
    assert told == {"tick": {**common, "POWERTOOLS_SERVICE_NAME": "tick"}} | {
        name: {**common, "TREFOIL_SERVICE": name, "POWERTOOLS_SERVICE_NAME": name} for name in services
    }


def test_functions_enter_the_code_where_it_begins(planned, services):
    functions = kind(planned, "aws_lambda_function.this")

    entries = {key: (function["handler"], function["timeout"]) for key, function in functions.items()}

    assert entries == {"tick": ("functions.aws.handler.tick", 55)} | {
        name: ("functions.aws.handler.handler", told["functionTimeoutSeconds"]) for name, told in services.items()
    }


def test_each_function_reads_its_own_channel(planned, services):
    mappings = kind(planned, "aws_lambda_event_source_mapping.this")

    read = {key: (mapping["event_source_arn"], mapping["batch_size"]) for key, mapping in mappings.items()}

    assert read == {name: (ARN.format("sqs", f"{PREFIX}-{name}"), told["batch"]) for name, told in services.items()}


def test_a_role_allows_what_its_service_needs_and_nothing_else(planned, services):
    policies = kind(planned, "aws_iam_role_policy.this")

    allowed = {name: _allowed(policies[name]) for name in services}

    assert allowed == {name: _needed(name, timers=told["timers"]) for name, told in services.items()}


def _allowed(policy):
    """The triples of action, resource and condition that a policy allows; a statement that denies is an error."""
    statements = json.loads(policy["policy"])["Statement"]
    assert {statement["Effect"] for statement in statements} == {"Allow"}
    return {
        (action, resource, json.dumps(statement.get("Condition")))
        for statement in statements
        for action in statement["Action"]
        for resource in statement["Resource"]
    }


def _needed(name, *, timers):
    queue, dead = ARN.format("sqs", f"{PREFIX}-{name}"), ARN.format("sqs", f"{PREFIX}-{name}-dead")
    own_streams = json.dumps({"ForAllValues:StringLike": {"dynamodb:LeadingKeys": [f"{name}/*"]}})
    reading = ["ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility", "GetQueueAttributes"]
    reading += ["GetQueueUrl", "SendMessage"]
    needed = {(f"sqs:{action}", queue, "null") for action in reading}
    needed |= {("sqs:SendMessage", dead, "null"), ("sqs:GetQueueUrl", dead, "null")}
    needed |= {("sns:Publish", ARN.format("sns", f"{PREFIX}-bus"), "null")}
    commits = ARN.format("dynamodb", f"table/{PREFIX}-commits")
    needed |= {(f"dynamodb:{action}", commits, own_streams) for action in ("PutItem", "Query")}
    needed |= {("dynamodb:PutItem", ARN.format("dynamodb", f"table/{PREFIX}-timers"), "null")} if timers else set()
    return needed | _common(name)


def _common(name):
    log = ARN.format("logs", f"log-group:/aws/lambda/{PREFIX}-{name}:*")
    key = ARN.format("kms", "key/the-key")
    return {(f"logs:{action}", log, "null") for action in ("CreateLogStream", "PutLogEvents")} | {
        (f"kms:{action}", key, "null") for action in ("Decrypt", "GenerateDataKey")
    }


def test_the_tick_may_send_to_every_service_for_it_may_have_set_timers_before(planned, services):
    table = ARN.format("dynamodb", f"table/{PREFIX}-timers")

    allowed = _allowed(planned["module.tick.aws_iam_role_policy.this"])

    assert allowed == _common("tick") | {
        ("dynamodb:Query", table, "null"),
        ("dynamodb:Query", f"{table}/index/by-due", "null"),
        ("dynamodb:DeleteItem", table, "null"),
    } | {
        (f"sqs:{action}", ARN.format("sqs", f"{PREFIX}-{name}"), "null")
        for name in services
        for action in ("SendMessage", "GetQueueUrl")
    }


def test_each_service_has_its_four_alarms_and_the_tick_two(planned, services):
    alarms = {values["alarm_name"] for address, values in planned.items() if "aws_cloudwatch_metric_alarm" in address}

    watched = ("dead-letters", "oldest", "errors", "throttles")
    assert alarms == {f"{PREFIX}-{name}-{what}" for name in services for what in watched} | {
        f"{PREFIX}-tick-errors",
        f"{PREFIX}-tick-silent",
    }


def test_lambda_takes_no_services_deferral_for_a_loop(planned, services):
    configs = [values for address, values in planned.items() if "aws_lambda_function_recursion_config" in address]

    allowed = {config["function_name"]: config["recursive_loop"] for config in configs}

    assert allowed == {f"{PREFIX}-{name}": "Allow" for name in services}


@pytest.mark.parametrize("variables", [{}, {"environment": {"TREFOIL_SMTP_URL": "smtp://ada:secret@mail.example"}}])
def test_a_plan_shows_no_functions_environment(stack, variables):
    hidden = [
        change["change"]["after_sensitive"]["environment"][0]["variables"]
        for change in stack.plan(**variables)
        if change["type"] == "aws_lambda_function"
    ]

    assert hidden
    assert set(hidden) == {True}


def test_whatever_can_be_tagged_is_tagged(planned):
    untagged = {
        address: values["tags"]
        for address, values in planned.items()
        if values is not None and "tags" in values and (values["tags"] or {}).get("Stage") != "dev"
    }

    assert untagged == {}
