"""What all services share in the SAM template: key, bus, tables, and the tick that looks after timers."""

from collections.abc import Iterable

from infra.aws.sam.values import (
    CODE,
    Json,
    alarm,
    allow,
    function_alarm,
    function_metric,
    function_role,
    given,
    log_and_key,
    log_group,
    named,
    policy,
    ref,
    role,
    sub,
    tags,
)

KEY_DELETION_DAYS = 30
"""The longest in which KMS lets its deletion be called off."""

SILENT_SECONDS = 300
"""Five ticks."""


def shared_resources() -> Json:
    """The key, the bus and the two tables."""
    return {
        "Key": _key(),
        "KeyAlias": {
            "Type": "AWS::KMS::Alias",
            "Properties": {"AliasName": sub("alias/${Name}-${Stage}"), "TargetKeyId": ref("Key")},
        },
        "Bus": {
            "Type": "AWS::SNS::Topic",
            "Properties": {"TopicName": named("bus"), "KmsMasterKeyId": given("Key"), "Tags": tags()},
        },
        # No time to live: a commit's key is never deleted, or its message could take effect twice.
        "Commits": _table("commits", stream="S", version="N"),
        "Timers": _timers(),
    }


def tick_resources(services: Iterable[str]) -> Json:
    """The function that every minute sends what is due to the services that set it."""
    # Every service's: one that sets no timers today may have set some before, which are due yet.
    channels = [given(f"{logical(name)}Queue") for name in services]
    statements = [
        *log_and_key("TickLogGroup"),
        allow(["dynamodb:Query"], [given("Timers"), sub("${Timers.Arn}/index/by-due")]),
        allow(["dynamodb:DeleteItem"], given("Timers")),
        *([allow(["sqs:SendMessage", "sqs:GetQueueUrl"], channels)] if channels else []),
    ]
    return {
        "TickLogGroup": log_group("tick"),
        "TickRole": function_role("tick", policy(*statements)),
        "TickFunction": {
            "Type": "AWS::Serverless::Function",
            "Properties": {
                "FunctionName": named("tick"),
                "Description": "Sends what is due to the services that set it",
                **CODE,
                "Handler": "functions.aws.handler.tick",
                "Timeout": 55,  # it ends before the next one begins
                "Role": given("TickRole"),
                "LoggingConfig": {"LogGroup": ref("TickLogGroup")},
                "Environment": {"Variables": {"POWERTOOLS_SERVICE_NAME": "tick"}},
                "Events": {"EveryMinute": _every_minute()},
            },
        },
        "TickScheduleRole": _schedule_role(),
        "TickErrorsAlarm": function_alarm("tick", "Errors", "TickFunction"),
        "TickSilentAlarm": _silent_alarm(),
    }


def logical(service: str) -> str:
    """A service's name as the beginning of logical ids, which hold letters and digits only: `OrderStatus`."""
    return "".join(word.capitalize() for word in service.split("_"))


def _silent_alarm() -> Json:
    """A function that is not called reports no errors either."""
    return alarm(
        "tick-silent",
        f"The function was not called for {SILENT_SECONDS} s.",
        function_metric("Invocations", "TickFunction"),
        above=1,
        ComparisonOperator="LessThanThreshold",
        Period=SILENT_SECONDS,
        TreatMissingData="breaching",  # Lambda reports calls, not their absence
    )


def _every_minute() -> Json:
    return {
        "Type": "ScheduleV2",
        "Properties": {
            "Name": named("tick"),
            "Description": "Sends what is due to the services that set it",
            "ScheduleExpression": "rate(1 minute)",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            # The next minute's tick does all that a missed one would have done.
            "RetryPolicy": {"MaximumEventAgeInSeconds": 60, "MaximumRetryAttempts": 0},
            "RoleArn": given("TickScheduleRole"),
        },
    }


def _schedule_role() -> Json:
    ours = {
        "StringEquals": {
            "aws:SourceAccount": ref("AWS::AccountId"),
            # A schedule's group: the scheduler does not say which schedule it acts for.
            "aws:SourceArn": sub(
                "arn:${AWS::Partition}:scheduler:${AWS::Region}:${AWS::AccountId}:schedule-group/default"
            ),
        }
    }
    may = policy(allow(["lambda:InvokeFunction"], ref("TickFunction.Alias")))
    return role("scheduler.amazonaws.com", "Lets the schedule call the tick function", may, Condition=ours)


def _key() -> Json:
    in_account = {"StringEquals": {"aws:SourceAccount": ref("AWS::AccountId")}}
    return {
        "Type": "AWS::KMS::Key",
        "Properties": {
            "Description": sub("What ${Name}-${Stage} stores: messages, commits, timers"),
            "EnableKeyRotation": True,
            "PendingWindowInDays": KEY_DELETION_DAYS,
            # In a key's policy, `*` is the key itself.
            "KeyPolicy": policy(
                # Without it the key could never be changed again; roles' own policies decide who may use it.
                _key_statement("Account", {"AWS": sub("arn:${AWS::Partition}:iam::${AWS::AccountId}:root")}, "kms:*"),
                # SNS writes to encrypted queues.
                _key_statement(
                    "Bus", {"Service": "sns.amazonaws.com"}, ["kms:GenerateDataKey*", "kms:Decrypt"], in_account
                ),
            ),
            "Tags": tags(),
        },
    }


def _key_statement(sid: str, principal: Json, action: str | list[str], condition: Json | None = None) -> Json:
    statement = {"Sid": sid, "Effect": "Allow", "Principal": principal, "Action": action, "Resource": "*"}
    return statement if condition is None else {**statement, "Condition": condition}


def _timers() -> Json:
    table = _table("timers", shard="S", id="S")
    properties = table["Properties"]
    properties["AttributeDefinitions"].append({"AttributeName": "due", "AttributeType": "N"})
    # Local, because only a local index can be read consistently: a tick sees every timer set before it.
    properties["LocalSecondaryIndexes"] = [
        {
            "IndexName": "by-due",
            "KeySchema": _keys("shard", "due"),
            "Projection": {"ProjectionType": "ALL"},
        }
    ]
    return table


def _table(name: str, **attributes: str) -> Json:
    """A table whose key is the two attributes, given with their types."""
    return {
        "Type": "AWS::DynamoDB::Table",
        "DeletionPolicy": "Delete",
        "UpdateReplacePolicy": "Retain",
        "Properties": {
            "TableName": named(name),
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": key, "AttributeType": kind} for key, kind in attributes.items()],
            "KeySchema": _keys(*attributes),
            "DeletionProtectionEnabled": ref("DeletionProtection"),
            "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
            "SSESpecification": {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": given("Key")},
            "Tags": tags(),
        },
    }


def _keys(partition: str, sort: str) -> list[Json]:
    return [{"AttributeName": partition, "KeyType": "HASH"}, {"AttributeName": sort, "KeyType": "RANGE"}]
