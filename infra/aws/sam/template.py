"""The SAM template: the stack for AWS as CloudFormation has it, derived from the contract."""

from collections.abc import Mapping
from typing import Any

from infra.aws.sam.service import service_resources
from infra.aws.sam.shared import shared_resources, tick_resources
from infra.aws.sam.values import PREFIX, chosen, given, is_set, ref
from shared.kernel.errors import ConfigurationError

TICK = "tick"

SETTINGS = {
    "Seed": "TREFOIL_SEED",
    "PaymentDeclineRate": "TREFOIL_PAYMENT_DECLINE_RATE",
    "PaymentTransientRate": "TREFOIL_PAYMENT_TRANSIENT_RATE",
    "CarrierFailureRate": "TREFOIL_CARRIER_FAILURE_RATE",
    "CarrierUndeliverableRate": "TREFOIL_CARRIER_UNDELIVERABLE_RATE",
    "CarrierTransientRate": "TREFOIL_CARRIER_TRANSIENT_RATE",
    "MailFrom": "TREFOIL_MAIL_FROM",
    "SmtpUrl": "TREFOIL_SMTP_URL",
}
"""The parameter of each of the providers' settings: a stack's parameters can't be a free map."""

SECRET_SETTINGS = {"SmtpUrl"}
"""They may hold a password, so nothing shows their parameters."""

BY_HAND = "by-hand"
"""A tag's value, which `make deploy-sam` replaces by a digest of the parameters. SAM publishes a version when the text
of a function changes, but does not look behind `!Ref`: other parameters alone would never reach the alias."""

LOG_RETENTION_DAYS = [
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
    *(1096, 1827, 2192, 2557, 2922, 3288, 3653),
]
"""What CloudWatch takes."""


def template(document: Mapping[str, Any]) -> dict[str, Any]:
    """Make the template from the AsyncAPI document: everything of each service, and what they share.

    Raises ConfigurationError for a service whose name is taken on AWS.
    """
    services = {
        ours["service"]: ours
        for channel in document["channels"].values()
        if (ours := channel["x-trefoil"])["role"] == "service"
    }
    if TICK in services:
        raise ConfigurationError(
            f"a service can't be called '{TICK}': the function that looks after timers has that name"
        )
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Transform": "AWS::Serverless-2016-10-31",
        "Description": "Trefoil on AWS: a bus, and a channel, a function, a role and alarms for each service.",
        "Parameters": _parameters(),
        "Conditions": {
            is_set(name): {"Fn::Not": [{"Fn::Equals": [_text(name), ""]}]}
            for name in ("AlarmActions", "EndpointUrl", *SETTINGS)
        },
        "Globals": {"Function": _function()},
        "Resources": _resources(services),
        "Outputs": {
            "Prefix": {"Description": "What every name begins with.", "Value": PREFIX},
            "BusArn": {"Description": "The bus (TREFOIL_BUS_ARN).", "Value": ref("Bus")},
            "KeyArn": {"Description": "The key that encrypts what is stored.", "Value": given("Key")},
        },
    }


def _resources(services: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    resources = {**shared_resources(), **tick_resources(services)}
    for name, ours in services.items():
        added = service_resources(ours)
        if taken := added.keys() & resources.keys():
            raise ConfigurationError(
                f"service '{name}' would be {min(taken)} in the SAM template, which another is already; rename one"
            )
        resources |= added
    return resources


def _text(name: str) -> Any:
    """A parameter as one text, for a comparison."""
    return {"Fn::Join": ["", ref(name)]} if name == "AlarmActions" else ref(name)


def _parameters() -> dict[str, Any]:
    part = {"AllowedPattern": "[a-z][a-z0-9-]{0,19}", "ConstraintDescription": "1 to 20 of a-z 0-9 -, a-z first"}
    return {
        "Name": _parameter("Name of the deployment; the same as TREFOIL_NAME.", "trefoil", **part),
        "Stage": _parameter("Stage of the deployment; the same as TREFOIL_STAGE.", "dev", **part),
        "Runtime": _parameter(
            "python3.13, or provided.al2023 for emulators; build/sam.zip has to be made for it.",
            "python3.13",
            AllowedValues=["python3.13", "provided.al2023"],
        ),
        "SnapStart": _parameter(
            "PublishedVersions starts functions from a snapshot; with python3.13 only.",
            "None",
            AllowedValues=["None", "PublishedVersions"],
        ),
        "MemoryMiB": _parameter("Memory of each function in MiB.", 512, MinValue=128, MaxValue=10240),
        "EndpointUrl": _parameter(
            "Where the functions find AWS: empty in the cloud, an emulator's address else.",
            "",
            AllowedPattern="(https?://[^/]+)?",
            ConstraintDescription="empty, or a scheme, host and port, such as http://127.0.0.1:4566",
        ),
        "LogRetentionDays": _parameter("Days that logs are kept.", 30, AllowedValues=LOG_RETENTION_DAYS),
        "OldestSeconds": _parameter(
            "Seconds that a message may wait in its channel before an alarm goes off.", 900, MinValue=60
        ),
        "AlarmActions": {
            "Description": "What an alarm tells when it goes off and when it is over: ARNs, separated by commas.",
            "Type": "CommaDelimitedList",
            "Default": "",
        },
        "DeletionProtection": _parameter(
            "Whether the tables refuse to be deleted; to delete the stack, turn it off first.",
            "false",
            AllowedValues=["true", "false"],
        ),
        **_settings(),
    }


def _settings() -> dict[str, Any]:
    """The parameters of the providers' settings."""
    return {
        parameter: {
            "Description": f"{setting} of the functions; empty for what the code says.",
            "Type": "String",
            "Default": "",
            **({"NoEcho": True} if parameter in SECRET_SETTINGS else {}),
        }
        for parameter, setting in SETTINGS.items()
    }


def _parameter(description: str, default: str | int, **rules: Any) -> dict[str, Any]:
    kind = "Number" if isinstance(default, int) else "String"
    return {"Description": description, "Type": kind, "Default": default, **rules}


def _function() -> dict[str, Any]:
    """What all functions have in common."""
    return {
        "Handler": "functions.aws.handler.handler",
        "Runtime": ref("Runtime"),
        "Architectures": ["x86_64"],
        "MemorySize": ref("MemoryMiB"),
        "SnapStart": {"ApplyOn": ref("SnapStart")},
        "KmsKeyArn": given("Key"),
        "AutoPublishAlias": "live",
        "Environment": {
            "Variables": {
                "TREFOIL_CLOUD": "aws",
                "TREFOIL_NAME": ref("Name"),
                "TREFOIL_STAGE": ref("Stage"),
                "TREFOIL_BUS_ARN": ref("Bus"),
                "POWERTOOLS_METRICS_NAMESPACE": "Trefoil",
                "AWS_ENDPOINT_URL": chosen("EndpointUrl"),
                **{setting: chosen(parameter) for parameter, setting in SETTINGS.items()},
            }
        },
        "Tags": {"Application": ref("Name"), "Stage": ref("Stage"), "ManagedBy": "sam", "Configuration": BY_HAND},
        "PropagateTags": True,
    }
