"""The SAM template carries all that the contract asks for, and changes only when the contract or its makers do."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from msgspec import Struct

from infra.aws.names import Names
from infra.aws.sam.template import BY_HAND, SETTINGS, template
from infra.aws.sam.yaml import render
from shared.catalog import CATALOG
from shared.kernel.catalog import Catalog
from shared.kernel.errors import ConfigurationError
from shared.kernel.message import Payload, command
from shared.kernel.service import Limits, Service
from shared.kernel.topology import asyncapi
from tests.support.sam_template import Loader

DRIFT = "template.yaml is not what the contract says; run: trefoil topology"

SERVICES = list(CATALOG.services)

NAMES = Names("trefoil", "dev")

PSEUDO = {"AWS::AccountId", "AWS::NoValue", "AWS::Partition", "AWS::Region"}

UNTAGGED = {"AWS::KMS::Alias", "AWS::SNS::Subscription", "AWS::SQS::QueuePolicy"}
"""What CloudFormation has no tags for."""


@command("shop.open-shop.v1")
class OpenShop(Payload, frozen=True):
    """Let people in."""


@command("sign.paint-sign.v1")
class PaintSign(Payload, frozen=True):
    """Say what the shop sells."""


class Nothing(Struct, frozen=True):
    """No state."""


def do_nothing(*_):
    return []


def service(name: str, *handles: type[Payload], **limits: Any) -> Service:
    return Service(
        name=name, state=Nothing, handles=dict.fromkeys(handles, do_nothing), emits={}, limits=Limits(**limits)
    )


def made_of(*services: Service) -> dict[str, Any]:
    return template(asyncapi(Catalog(services)))["Resources"]


def pascal(name: str) -> str:
    return name.title().replace("_", "")


def plain(value: Any) -> Any:
    """The value as it is in the deployment trefoil-dev, as far as parameters decide it."""
    match value:
        case {"Fn::Sub": text}:
            return text.replace("${Name}", "trefoil").replace("${Stage}", "dev")
        case dict():
            return {key: plain(inner) for key, inner in value.items()}
        case list():
            return [plain(inner) for inner in value]
    return value


def statements(policy: dict[str, Any]) -> set[tuple]:
    """Who may do what, in a form that can be compared: actions, resources, condition."""
    return {
        (
            tuple(sorted(statement["Action"])),
            str(statement["Resource"]),
            str(statement.get("Condition", "")),
        )
        for statement in policy["Statement"]
    }


def references(node: Any) -> Iterator[str]:
    """Every parameter and resource that is spoken of."""
    match node:
        case {"Ref": name} | {"Fn::GetAtt": [name, _]}:
            yield name.split(".")[0]
        case {"Fn::Sub": text}:
            yield from (name.split(".")[0] for name in re.findall(r"\$\{([^}]+)\}", text))
        case dict():
            for key, inner in node.items():
                yield from inner if key == "DependsOn" else references(inner)
        case list():
            for inner in node:
                yield from references(inner)


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return asyncapi(CATALOG)


@pytest.fixture(scope="module")
def whole(document) -> dict[str, Any]:
    return template(document)


@pytest.fixture(scope="module")
def properties(whole) -> dict[str, Any]:
    """The properties of each resource in the deployment trefoil-dev."""
    return {name: plain(resource["Properties"]) for name, resource in whole["Resources"].items()}


@pytest.fixture
def ours(document, request) -> dict[str, Any]:
    """What the contract says of the service that the test is about."""
    return document["channels"][request.getfixturevalue("name")]["x-trefoil"]


@pytest.fixture(params=SERVICES)
def name(request) -> str:
    return request.param


@pytest.fixture
def at(name) -> str:
    """What the service's logical ids begin with."""
    return pascal(name)


# -- the file


def test_the_file_is_what_the_contract_says(root, whole):
    written = (root / "template.yaml").read_text(encoding="utf-8")

    assert written == render(whole), DRIFT


def test_the_yaml_says_what_was_meant(whole):
    assert yaml.load(render(whole), Loader=Loader) == whole  # noqa: S506 - it is a SafeLoader


def test_nothing_is_an_anchor_or_an_alias(whole):
    events = list(yaml.parse(render(whole)))

    assert not [event for event in events if isinstance(event, yaml.AliasEvent)]
    assert not [event for event in events if getattr(event, "anchor", None)]


def test_the_file_says_that_it_is_generated_and_by_what(whole):
    comments = [line for line in render(whole).splitlines() if line.startswith("#")]

    assert "shared/asyncapi.json" in "".join(comments)
    assert "`trefoil topology`" in "".join(comments)


def test_the_digest_of_the_parameters_has_one_place_to_go(root, whole):
    assert render(whole).count(f"Configuration: {BY_HAND}\n") == 1
    assert f"s/Configuration: {BY_HAND}/" in (root / "Makefile").read_text()


# -- each service


def test_a_service_has_its_queue(properties, name, at, ours):
    queue = properties[f"{at}Queue"]

    assert queue["QueueName"] == NAMES.queue(name)
    assert queue["VisibilityTimeout"] == ours["visibilitySeconds"] >= 6 * ours["functionTimeoutSeconds"]
    assert queue["MessageRetentionPeriod"] == 14 * 24 * 3600
    assert queue["KmsMasterKeyId"] == {"Fn::GetAtt": ["Key", "Arn"]}


def test_a_service_has_its_dead_letters(properties, name, at, ours):
    dead = {"Fn::GetAtt": [f"{at}DeadLetters", "Arn"]}

    assert properties[f"{at}DeadLetters"]["QueueName"] == NAMES.dead(name)
    assert properties[f"{at}DeadLetters"]["MessageRetentionPeriod"] == 14 * 24 * 3600
    assert properties[f"{at}DeadLetters"]["KmsMasterKeyId"] == {"Fn::GetAtt": ["Key", "Arn"]}
    redrive = {"deadLetterTargetArn": dead, "maxReceiveCount": ours["deliveryLimit"]}
    assert properties[f"{at}Queue"]["RedrivePolicy"] == redrive
    assert properties[f"{at}Subscription"]["RedrivePolicy"] == {"deadLetterTargetArn": dead}


def test_a_service_has_its_filter(properties, at, ours):
    subscription = properties[f"{at}Subscription"]

    assert subscription["FilterPolicy"] == {"type": ours["types"]}
    assert subscription["FilterPolicyScope"] == "MessageAttributes"
    assert subscription["RawMessageDelivery"] is True
    assert subscription["Endpoint"] == {"Fn::GetAtt": [f"{at}Queue", "Arn"]}
    assert subscription["TopicArn"] == {"Ref": "Bus"}


@pytest.mark.parametrize("queue", ["Queue", "DeadLetters"])
def test_only_the_bus_may_send_to_a_queue_and_nobody_in_the_clear(properties, at, queue):
    policy = properties[f"{at}{queue}Policy"]

    allowed, denied = policy["PolicyDocument"]["Statement"]
    assert policy["Queues"] == [{"Ref": f"{at}{queue}"}]
    assert (allowed["Effect"], allowed["Action"]) == ("Allow", "sqs:SendMessage")
    assert allowed["Principal"] == {"Service": "sns.amazonaws.com"}
    assert allowed["Condition"] == {"ArnEquals": {"aws:SourceArn": {"Ref": "Bus"}}}
    assert (denied["Effect"], denied["Principal"], denied["Action"]) == ("Deny", "*", "sqs:*")
    assert denied["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert allowed["Resource"] == denied["Resource"] == {"Fn::GetAtt": [f"{at}{queue}", "Arn"]}


def test_a_service_has_its_function(whole, properties, name, at, ours):
    function = properties[f"{at}Function"]

    assert whole["Globals"]["Function"]["AutoPublishAlias"] == "live"
    assert whole["Globals"]["Function"]["Handler"] == "functions.aws.handler.handler"
    assert function["FunctionName"] == f"trefoil-dev-{name}"
    assert function["Timeout"] == ours["functionTimeoutSeconds"]
    assert function["AutoPublishAliasAllProperties"] is True
    assert function["Environment"]["Variables"] == {"TREFOIL_SERVICE": name, "POWERTOOLS_SERVICE_NAME": name}
    assert function["Role"] == {"Fn::GetAtt": [f"{at}Role", "Arn"]}
    assert function["LoggingConfig"] == {"LogGroup": {"Ref": f"{at}LogGroup"}}
    assert function["RecursiveLoop"] == "Allow", "Lambda would take a deferral for a loop"
    assert properties[f"{at}LogGroup"]["LogGroupName"] == f"/aws/lambda/trefoil-dev-{name}"
    assert properties[f"{at}LogGroup"]["RetentionInDays"] == {"Ref": "LogRetentionDays"}


def test_a_function_reads_its_own_queue_and_settles_each_message(properties, at, ours):
    (event,) = properties[f"{at}Function"]["Events"].values()

    assert event["Type"] == "SQS"
    assert event["Properties"] == {
        "Queue": {"Fn::GetAtt": [f"{at}Queue", "Arn"]},
        "BatchSize": ours["batch"],
        "MaximumBatchingWindowInSeconds": 1 if ours["batch"] > 10 else 0,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "ScalingConfig": {"MaximumConcurrency": ours["concurrency"]},
    }


@pytest.mark.parametrize(("batch", "window"), [(10, 0), (11, 1)])
@pytest.mark.parametrize(("concurrency", "most"), [(1, 2), (2, 2), (3, 3)])
def test_limits_that_lambda_does_not_take_are_bent_to_the_nearest(batch, window, concurrency, most):
    made = made_of(service("shop", OpenShop, batch=batch, concurrency=concurrency))

    event = made["ShopFunction"]["Properties"]["Events"]["Channel"]["Properties"]
    assert event["MaximumBatchingWindowInSeconds"] == window
    assert event["ScalingConfig"] == {"MaximumConcurrency": most}


def test_a_service_has_its_alarms(properties, name, at):
    def measured(alarm: str) -> tuple:
        found = properties[f"{at}{alarm}Alarm"]
        (dimension,) = found["Dimensions"]
        return (found["AlarmName"], found["MetricName"], dimension["Value"], found["Statistic"], found["Threshold"])

    dead, queue = ({"Fn::GetAtt": [f"{at}{which}", "QueueName"]} for which in ("DeadLetters", "Queue"))
    function = {"Ref": f"{at}Function"}
    prefix = f"trefoil-dev-{name}"
    assert [measured(alarm) for alarm in ("DeadLetters", "Oldest", "Errors", "Throttles")] == [
        (f"{prefix}-dead-letters", "ApproximateNumberOfMessagesVisible", dead, "Maximum", 0),
        (f"{prefix}-oldest", "ApproximateAgeOfOldestMessage", queue, "Maximum", {"Ref": "OldestSeconds"}),
        (f"{prefix}-errors", "Errors", function, "Sum", 0),
        (f"{prefix}-throttles", "Throttles", function, "Sum", 0),
    ]


def test_a_role_may_do_what_its_function_does_and_nothing_else(properties, name, at, ours):
    role = properties[f"{at}Role"]

    (policy,) = role["Policies"]

    def arn(resource: str) -> str:
        return str({"Fn::GetAtt": [resource, "Arn"]})

    own_streams = str({"ForAllValues:StringLike": {"dynamodb:LeadingKeys": [f"{name}/*"]}})
    queue = [
        "ChangeMessageVisibility",
        "DeleteMessage",
        "GetQueueAttributes",
        "GetQueueUrl",
        "ReceiveMessage",
        "SendMessage",
    ]
    timers = {(("dynamodb:PutItem",), arn("Timers"), "")} if ours["timers"] else set()
    assert "ManagedPolicyArns" not in role
    assert statements(policy["PolicyDocument"]) == {
        (("logs:CreateLogStream", "logs:PutLogEvents"), arn(f"{at}LogGroup"), ""),
        (("kms:Decrypt", "kms:GenerateDataKey"), arn("Key"), ""),
        (tuple(f"sqs:{action}" for action in queue), arn(f"{at}Queue"), ""),
        (("sqs:GetQueueUrl", "sqs:SendMessage"), arn(f"{at}DeadLetters"), ""),
        (("sns:Publish",), str({"Ref": "Bus"}), ""),
        (("dynamodb:PutItem", "dynamodb:Query"), arn("Commits"), own_streams),
        *timers,
    }


# -- what they share


def test_some_service_sets_timers_and_some_do_not(document):
    """Else half of what the roles are checked for would never be checked."""
    timers = {document["channels"][name]["x-trefoil"]["timers"] for name in SERVICES}

    assert timers == {True, False}


def test_the_tick_may_send_to_every_service_for_it_may_have_set_timers_before(properties):
    (policy,) = properties["TickRole"]["Policies"]

    index = {"Fn::Sub": "${Timers.Arn}/index/by-due"}
    table = {"Fn::GetAtt": ["Timers", "Arn"]}
    may = statements(policy["PolicyDocument"])
    assert (("dynamodb:Query",), str([table, plain(index)]), "") in may
    assert (("dynamodb:DeleteItem",), str(table), "") in may
    queues = str([{"Fn::GetAtt": [f"{pascal(name)}Queue", "Arn"]} for name in SERVICES])
    assert (("sqs:GetQueueUrl", "sqs:SendMessage"), queues, "") in may
    assert len(may) == 5


def test_without_services_the_tick_may_send_to_nobody():
    (policy,) = made_of()["TickRole"]["Properties"]["Policies"]

    may = statements(policy["PolicyDocument"])
    assert [actions for actions, *_ in may if any(action.startswith("sqs:") for action in actions)] == []
    assert all(resource != "[]" for _, resource, _ in may)


def test_the_tick_runs_each_minute_and_never_beside_itself(properties):
    tick = properties["TickFunction"]

    (event,) = tick["Events"].values()
    assert tick["FunctionName"] == "trefoil-dev-tick"
    assert tick["Handler"] == "functions.aws.handler.tick"
    assert tick["Timeout"] == 55
    assert tick["Environment"]["Variables"] == {"POWERTOOLS_SERVICE_NAME": "tick"}
    assert event["Type"] == "ScheduleV2"
    assert event["Properties"]["Name"] == "trefoil-dev-tick"
    assert event["Properties"]["ScheduleExpression"] == "rate(1 minute)"
    assert "RecursiveLoop" not in tick
    assert properties["TickErrorsAlarm"]["AlarmName"] == "trefoil-dev-tick-errors"


def test_a_tick_that_is_not_called_sets_off_an_alarm(properties):
    alarm = properties["TickSilentAlarm"]

    assert alarm["AlarmName"] == "trefoil-dev-tick-silent"
    assert (alarm["MetricName"], alarm["Statistic"]) == ("Invocations", "Sum")
    assert alarm["Dimensions"] == [{"Name": "FunctionName", "Value": {"Ref": "TickFunction"}}]
    assert (alarm["ComparisonOperator"], alarm["Threshold"], alarm["Period"]) == ("LessThanThreshold", 1, 300)
    assert alarm["TreatMissingData"] == "breaching", "no call is no data"


def test_the_tables_have_the_keys_that_the_store_uses(properties):
    def keys(described: dict[str, Any]) -> list[str]:
        return [f"{key['AttributeName']} {key['KeyType']}" for key in described["KeySchema"]]

    def attributes(table: str) -> dict[str, str]:
        return {each["AttributeName"]: each["AttributeType"] for each in properties[table]["AttributeDefinitions"]}

    (index,) = properties["Timers"]["LocalSecondaryIndexes"]
    assert [properties[table]["TableName"] for table in ("Commits", "Timers")] == [NAMES.commits, NAMES.timers]
    assert keys(properties["Commits"]) == ["stream HASH", "version RANGE"]
    assert attributes("Commits") == {"stream": "S", "version": "N"}
    assert keys(properties["Timers"]) == ["shard HASH", "id RANGE"]
    assert (index["IndexName"], keys(index)) == ("by-due", ["shard HASH", "due RANGE"])
    assert index["Projection"] == {"ProjectionType": "ALL"}
    assert attributes("Timers") == {"shard": "S", "id": "S", "due": "N"}


@pytest.mark.parametrize("table", ["Commits", "Timers"])
def test_a_table_forgets_nothing_and_can_be_restored(properties, table):
    described = properties[table]

    assert "TimeToLiveSpecification" not in described
    assert described["BillingMode"] == "PAY_PER_REQUEST"
    assert described["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert described["SSESpecification"]["KMSMasterKeyId"] == {"Fn::GetAtt": ["Key", "Arn"]}
    assert described["DeletionProtectionEnabled"] == {"Ref": "DeletionProtection"}


def test_the_bus_is_encrypted_with_a_key_that_sns_may_use(properties):
    by_sid = {statement["Sid"]: statement for statement in properties["Key"]["KeyPolicy"]["Statement"]}

    assert properties["Bus"]["TopicName"] == NAMES.topic
    assert properties["Bus"]["KmsMasterKeyId"] == {"Fn::GetAtt": ["Key", "Arn"]}
    assert properties["KeyAlias"]["AliasName"] == "alias/trefoil-dev"
    assert by_sid["Bus"]["Principal"] == {"Service": "sns.amazonaws.com"}
    assert by_sid["Bus"]["Action"] == ["kms:GenerateDataKey*", "kms:Decrypt"]
    assert by_sid["Bus"]["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


def test_no_role_has_a_wildcard(properties):
    policies = [policy for described in properties.values() for policy in described.get("Policies", [])]

    wide = [
        statement
        for policy in policies
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Resource"] == "*" or any("*" in action for action in statement["Action"])
    ]

    assert len(policies) == len(SERVICES) + 2
    assert wide == []


def test_everything_that_can_have_tags_has_them(whole):
    expected = {"Application": {"Ref": "Name"}, "Stage": {"Ref": "Stage"}, "ManagedBy": "sam"}

    def tags(resource: dict[str, Any]) -> dict[str, Any]:
        if resource["Type"] == "AWS::Serverless::Function":
            return {**whole["Globals"]["Function"]["Tags"], **resource["Properties"].get("Tags", {})}
        return {tag["Key"]: tag["Value"] for tag in resource["Properties"].get("Tags", [])}

    bare = [
        name
        for name, resource in whole["Resources"].items()
        if resource["Type"] not in UNTAGGED and not expected.items() <= tags(resource).items()
    ]

    assert bare == []


def test_every_reference_leads_somewhere_in_the_template(whole):
    known = {*whole["Parameters"], *whole["Resources"], *PSEUDO}

    found = set(references({key: whole[key] for key in ("Conditions", "Globals", "Resources", "Outputs")}))

    assert found - known == set()
    assert set(whole["Parameters"]) <= found, "a parameter that nothing uses"


def test_every_setting_of_the_providers_has_its_parameter(root, whole):
    wiring = (root / "infra" / "providers" / "wiring.py").read_text()

    wanted = set(re.findall(r'"(TREFOIL_\w+)"', wiring))

    variables = whole["Globals"]["Function"]["Environment"]["Variables"]
    assert set(SETTINGS.values()) == wanted
    for parameter, setting in SETTINGS.items():
        assert variables[setting] == {"Fn::If": [f"Has{parameter}", {"Ref": parameter}, {"Ref": "AWS::NoValue"}]}


def test_a_parameter_that_may_hold_a_password_is_not_shown(whole):
    assert whole["Parameters"]["SmtpUrl"]["NoEcho"] is True


# -- one place


def test_a_new_service_gets_everything_and_changes_whom_the_tick_may_send_to_only():
    shop, sign = service("shop", OpenShop), service("sign", PaintSign)
    before = made_of(shop)

    after = made_of(shop, sign)

    kinds = {name.removeprefix("Shop") for name in before if name.startswith("Shop")}
    assert len(kinds) == 12
    assert after.keys() - before.keys() == {f"Sign{kind}" for kind in kinds}
    assert [name for name in before if after[name] != before[name]] == ["TickRole"]
    assert after["SignSubscription"]["Properties"]["FilterPolicy"] == {"type": ["sign.paint-sign.v1"]}


def test_another_type_is_noticed_in_the_file():
    one = template(asyncapi(Catalog([service("shop", OpenShop)])))

    two = template(asyncapi(Catalog([service("shop", OpenShop, PaintSign)])))

    assert render(one) != render(two)


def test_a_service_can_not_take_the_name_of_the_tick():
    with pytest.raises(ConfigurationError, match="'tick'"):
        made_of(service("tick"))


def test_two_services_that_would_share_a_logical_id_are_refused():
    with pytest.raises(ConfigurationError, match=r"service 'open__shop' would be OpenShop\w+"):
        made_of(service("open_shop"), service("open__shop"))
