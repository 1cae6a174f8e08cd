"""CloudFormation's intrinsic functions, and the small things that resources have in common."""

from typing import Any

Json = dict[str, Any]

CODE: Json = {
    # Not among the globals: `sam build` forgets to rewrite the path there.
    "CodeUri": "build/sam.zip",
    # A version is published, and goes live, when anything of the function changes, not its code only. Not among the
    # globals either: `sam validate --lint` does not know it there.
    "AutoPublishAliasAllProperties": True,
}

PREFIX: Json = {"Fn::Sub": "${Name}-${Stage}"}


def ref(name: str) -> Json:
    """A parameter's value, or what a resource is known by."""
    return {"Ref": name}


def given(resource: str, attribute: str = "Arn") -> Json:
    """An attribute of a resource."""
    return {"Fn::GetAtt": [resource, attribute]}


def sub(text: str) -> Json:
    """A text with `${…}` filled in."""
    return {"Fn::Sub": text}


def named(suffix: str) -> Json:
    """A name of this deployment: `{name}-{stage}-{suffix}`."""
    return sub(f"${{Name}}-${{Stage}}-{suffix}")


def is_set(parameter: str) -> str:
    """The condition that a parameter isn't empty."""
    return f"Has{parameter}"


def chosen(parameter: str) -> Json:
    """A parameter's value; nothing at all if it is empty."""
    return {"Fn::If": [is_set(parameter), ref(parameter), ref("AWS::NoValue")]}


def tags(service: str | None = None) -> list[Json]:
    """The tags of a resource, as all types but functions want them."""
    listed: Json = {"Application": ref("Name"), "Stage": ref("Stage"), "ManagedBy": "sam"}
    if service is not None:
        listed["Service"] = service
    return [{"Key": key, "Value": value} for key, value in listed.items()]


def policy(*statements: Json) -> Json:
    """A policy document."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(actions: list[str], resources: Json | list[Json], **more: Any) -> Json:
    """A statement of a role's policy."""
    return {"Effect": "Allow", "Action": actions, "Resource": resources, **more}


def function_role(function: str, may: Json, service: str | None = None) -> Json:
    """A role of its own for one function."""
    return role("lambda.amazonaws.com", sub(f"What ${{Name}}-${{Stage}}-{function} may do"), may, service)


def role(principal: str, why: Json | str, may: Json, service: str | None = None, **condition: Any) -> Json:
    """A role; its name is CloudFormation's business."""
    trust = {"Effect": "Allow", "Principal": {"Service": principal}, "Action": "sts:AssumeRole", **condition}
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "Description": why,
            "AssumeRolePolicyDocument": policy(trust),
            "Policies": [{"PolicyName": "own", "PolicyDocument": may}],
            "Tags": tags(service),
        },
    }


def log_and_key(log_group: str) -> list[Json]:
    """What every function may do: write its own log, which is there already, and use the key."""
    return [
        allow(["logs:CreateLogStream", "logs:PutLogEvents"], given(log_group)),
        allow(["kms:Decrypt", "kms:GenerateDataKey"], given("Key")),
    ]


def log_group(function: str, service: str | None = None) -> Json:
    """A function's log; Lambda would make one of its own, which is kept for ever.

    Payloads never appear in logs, and CloudWatch encrypts them with a key of its own.
    """
    return {
        "Type": "AWS::Logs::LogGroup",
        "Properties": {
            "LogGroupName": sub(f"/aws/lambda/${{Name}}-${{Stage}}-{function}"),
            "RetentionInDays": ref("LogRetentionDays"),
            "Tags": tags(service),
        },
    }


def alarm(
    name: str, why: Json | str, metric: Json, above: Json | int = 0, service: str | None = None, **instead: Any
) -> Json:
    """An alarm that goes off when a metric is above a threshold for a minute; `instead` replaces what it says else."""
    return {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            "AlarmName": named(name),
            "AlarmDescription": why,
            **metric,
            "ComparisonOperator": "GreaterThanThreshold",
            "Threshold": above,
            "Period": 60,
            "EvaluationPeriods": 1,
            "TreatMissingData": "notBreaching",
            "AlarmActions": chosen("AlarmActions"),
            "OKActions": chosen("AlarmActions"),
            "Tags": tags(service),
            **instead,
        },
    }


def function_metric(metric: str, function: str) -> Json:
    """What Lambda counts of a function."""
    return {
        "Namespace": "AWS/Lambda",
        "MetricName": metric,
        "Dimensions": [{"Name": "FunctionName", "Value": ref(function)}],
        "Statistic": "Sum",
    }


def function_alarm(function: str, metric: str, resource: str, service: str | None = None) -> Json:
    """An alarm for what a function reports: `Errors` or `Throttles`."""
    measured, name = function_metric(metric, resource), metric.lower()
    return alarm(f"{function}-{name}", f"The function reports {name}.", measured, service=service)
