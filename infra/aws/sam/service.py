"""One service in the SAM template: its channel, dead letters, filter, function, role and alarms."""

from collections.abc import Mapping
from typing import Any

from infra.aws.sam.shared import logical
from infra.aws.sam.values import (
    CODE,
    Json,
    alarm,
    allow,
    function_alarm,
    function_role,
    given,
    log_and_key,
    log_group,
    named,
    policy,
    ref,
    sub,
    tags,
)

RETENTION_SECONDS = 14 * 24 * 60 * 60
"""The longest that SQS allows."""

LEAST_CONCURRENCY = 2
"""Lambda takes no lower maximum for a queue."""

BATCH_WITHOUT_WINDOW = 10
"""Above it Lambda wants a window in which it collects messages."""


def service_resources(ours: Mapping[str, Any]) -> Json:
    """Everything of one service, from what the contract says of its channel under `x-trefoil`."""
    name = ours["service"]
    at = logical(name)
    return {
        f"{at}Queue": _queue(ours, at),
        f"{at}DeadLetters": _queue_of(name, named(f"{name}-dead")),
        f"{at}QueuePolicy": _queue_policy(f"{at}Queue"),
        f"{at}DeadLettersPolicy": _queue_policy(f"{at}DeadLetters"),
        f"{at}Subscription": _subscription(ours, at),
        f"{at}LogGroup": log_group(name, name),
        f"{at}Role": function_role(name, _permissions(ours, at), name),
        f"{at}Function": _function(ours, at),
        f"{at}DeadLettersAlarm": alarm(
            f"{name}-dead-letters",
            "A message could not be handled; `trefoil dead list` says why.",
            _queue_metric("ApproximateNumberOfMessagesVisible", f"{at}DeadLetters"),
            service=name,
        ),
        f"{at}OldestAlarm": alarm(
            f"{name}-oldest",
            sub("A message has waited longer than ${OldestSeconds} s: the channel is stuck, or too slow."),
            _queue_metric("ApproximateAgeOfOldestMessage", f"{at}Queue"),
            ref("OldestSeconds"),
            service=name,
        ),
        f"{at}ErrorsAlarm": function_alarm(name, "Errors", f"{at}Function", name),
        f"{at}ThrottlesAlarm": function_alarm(name, "Throttles", f"{at}Function", name),
    }


def _queue_of(service: str, queue_name: Json, **more: Any) -> Json:
    return {
        "Type": "AWS::SQS::Queue",
        "Properties": {
            "QueueName": queue_name,
            **more,
            "MessageRetentionPeriod": RETENTION_SECONDS,
            "KmsMasterKeyId": given("Key"),
            "Tags": tags(service),
        },
    }


def _queue(ours: Mapping[str, Any], at: str) -> Json:
    name = ours["service"]
    # Catches crashes only; what the receiver gives up, it sends to the dead-letter queue itself, with the reason.
    redrive = {"deadLetterTargetArn": given(f"{at}DeadLetters"), "maxReceiveCount": ours["deliveryLimit"]}
    return _queue_of(name, named(name), VisibilityTimeout=ours["visibilitySeconds"], RedrivePolicy=redrive)


def _queue_policy(queue: str) -> Json:
    from_bus = {
        "Sid": "Bus",
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": given(queue),
        "Condition": {"ArnEquals": {"aws:SourceArn": ref("Bus")}},
    }
    encrypted = {
        "Sid": "EncryptedTransportOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sqs:*",
        "Resource": given(queue),
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return {
        "Type": "AWS::SQS::QueuePolicy",
        "Properties": {"Queues": [ref(queue)], "PolicyDocument": policy(from_bus, encrypted)},
    }


def _subscription(ours: Mapping[str, Any], at: str) -> Json:
    return {
        "Type": "AWS::SNS::Subscription",
        # SNS is refused until the queues' policies are there, and would drop or park what is published meanwhile.
        "DependsOn": [f"{at}QueuePolicy", f"{at}DeadLettersPolicy"],
        "Properties": {
            "TopicArn": ref("Bus"),
            "Protocol": "sqs",
            "Endpoint": given(f"{at}Queue"),
            "RawMessageDelivery": True,
            "FilterPolicyScope": "MessageAttributes",
            "FilterPolicy": {"type": ours["types"]},
            # SNS drops what a queue refuses, such as when its key is disabled, unless it has somewhere to put it.
            "RedrivePolicy": {"deadLetterTargetArn": given(f"{at}DeadLetters")},
        },
    }


def _permissions(ours: Mapping[str, Any], at: str) -> Json:
    own_queue = ["ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility", "GetQueueAttributes"]
    # Its own streams only: a service never reads or writes another's.
    own_streams = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": [f"{ours['service']}/*"]}}
    return policy(
        *log_and_key(f"{at}LogGroup"),
        allow([f"sqs:{action}" for action in (*own_queue, "GetQueueUrl", "SendMessage")], given(f"{at}Queue")),
        allow(["sqs:SendMessage", "sqs:GetQueueUrl"], given(f"{at}DeadLetters")),
        allow(["sns:Publish"], ref("Bus")),
        allow(["dynamodb:PutItem", "dynamodb:Query"], given("Commits"), Condition=own_streams),
        *([allow(["dynamodb:PutItem"], given("Timers"))] if ours["timers"] else []),
    )


def _function(ours: Mapping[str, Any], at: str) -> Json:
    name = ours["service"]
    return {
        "Type": "AWS::Serverless::Function",
        "Properties": {
            "FunctionName": named(name),
            "Description": f"Handles the messages of {name}",
            **CODE,
            "Timeout": ours["functionTimeoutSeconds"],
            "Role": given(f"{at}Role"),
            "LoggingConfig": {"LogGroup": ref(f"{at}LogGroup")},
            # A deferral sends a copy to the function's own queue, which Lambda takes for a loop: it would stop the
            # chain after about 16 calls. The receiver itself limits how often a message is passed on.
            "RecursiveLoop": "Allow",
            "Environment": {"Variables": {"TREFOIL_SERVICE": name, "POWERTOOLS_SERVICE_NAME": name}},
            "Tags": {"Service": name},
            "Events": {"Channel": _channel(ours, at)},
        },
    }


def _channel(ours: Mapping[str, Any], at: str) -> Json:
    return {
        "Type": "SQS",
        "Properties": {
            "Queue": given(f"{at}Queue"),
            "BatchSize": ours["batch"],
            "MaximumBatchingWindowInSeconds": 1 if ours["batch"] > BATCH_WITHOUT_WINDOW else 0,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "ScalingConfig": {"MaximumConcurrency": max(LEAST_CONCURRENCY, ours["concurrency"])},
        },
    }


def _queue_metric(metric: str, queue: str) -> Json:
    return {
        "Namespace": "AWS/SQS",
        "MetricName": metric,
        "Dimensions": [{"Name": "QueueName", "Value": given(queue, "QueueName")}],
        "Statistic": "Maximum",
    }
