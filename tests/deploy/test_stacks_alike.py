"""Terraform and SAM deploy the same: every resource of the one is in the other, and says the same of everything.

Each side is asked what it would deploy: Terraform by a plan with mocks, SAM by its own translator. A property that one
of them has and this comparison does not know is an error, too.
"""

import json
import re
from typing import Any, NamedTuple

import pytest

from infra import naming
from tests.support.aws_kinds import KINDS
from tests.support.aws_stacks import Said, by_sam, by_terraform
from tests.support.sam_template import Expanded
from tests.support.terraform import ROOT

DIFFERENT_TAGS = {
    "ManagedBy": "it says which of the two it was",
    "Configuration": "SAM publishes a version only where the text of a function changed (infra/aws/sam/template.py)",
}

ONLY_SAM = {
    "AWS::DynamoDB::Table.SSESpecification.SSEType": "KMS, which the provider derives from the key",
    "AWS::IAM::Role.Policies.PolicyName": "a role's own policy: nobody speaks of its name",
    "AWS::Lambda::Alias.FunctionVersion": "the newest; Terraform knows it after apply",
    "AWS::Lambda::Function.Code.S3Bucket": "SAM puts the zip there",
    "AWS::Lambda::Function.Code.S3Key": "as above",
    "AWS::Lambda::Function.RecursiveLoop": "a resource of its own in Terraform; they are compared below",
    "AWS::Lambda::Function.LoggingConfig.LogGroup": "the one Lambda would take, said to have it made first",
    "AWS::Lambda::Version.FunctionName": "SAM makes versions by a resource of their own",
}

ONLY_TERRAFORM = {
    "aws_iam_role.name": "CloudFormation chooses names: one that it is given needs a capability more",
    "aws_iam_role_policy.name": "a role's own policy: nobody speaks of its name",
    "aws_lambda_alias.description": "SAM makes the alias, and has no text for it",
    "aws_lambda_event_source_mapping.tags": "SAM makes the mapping, and gives it none",
    "aws_lambda_function.filename": "the zip",
    "aws_lambda_function.publish": "SAM makes versions by a resource of their own",
    "aws_lambda_function.source_code_hash": "the zip",
    "aws_lambda_function_recursion_config.function_name": "a property of the function in SAM; they are compared below",
    "aws_lambda_function_recursion_config.recursive_loop": "as above",
    "terraform_data.input": "the place that its state is of; CloudFormation keeps its stacks where they lie",
}

ON_CALL = "arn:aws:sns:eu-central-1:123456789012:on-call"


class Both(NamedTuple):
    """What the two say of one deployment."""

    sam: Said
    terraform: Said
    loops: tuple[dict[str, str], dict[str, str]]
    """What each says of loops, by the function's name."""


DEPLOYMENTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "as it comes": ({}, {}),
    "with everything set": (
        {
            "name": "shop",
            "stage": "prod",
            "memory_mib": 1024,
            "snap_start": True,
            "log_retention_days": 90,
            "oldest_seconds": 60,
            "alarm_actions": [ON_CALL],
            "deletion_protection": True,
            "environment": {"TREFOIL_SMTP_URL": "smtp://mail.example", "TREFOIL_SEED": "other"},
        },
        {
            "Name": "shop",
            "Stage": "prod",
            "MemoryMiB": 1024,
            "SnapStart": "PublishedVersions",
            "LogRetentionDays": 90,
            "OldestSeconds": 60,
            "AlarmActions": ON_CALL,
            "DeletionProtection": "true",
            "SmtpUrl": "smtp://mail.example",
            "Seed": "other",
        },
    ),
    "on an emulator": (
        {"runtime": "provided.al2023", "endpoint_url": "http://127.0.0.1:4566"},
        {"Runtime": "provided.al2023", "EndpointUrl": "http://127.0.0.1:4566"},
    ),
    "with the longest names": ({"name": "n" * 20, "stage": "s" * 20}, {"Name": "n" * 20, "Stage": "s" * 20}),
}
"""Variables and parameters that mean the same."""

LONGEST = {"alarm": 255, "function": 64, "key's name": 256, "log": 512, "queue": 80, "schedule": 64, "table": 255}
"""Characters that AWS allows in a name (each service's quotas). A topic may have 256."""


@pytest.fixture(scope="module", params=DEPLOYMENTS)
def both(stack, request) -> Both:
    variables, parameters = DEPLOYMENTS[request.param]
    template = (ROOT / "template.yaml").read_text()
    changes = stack.plan(**variables)
    loops = (_loops_by_sam(template, **parameters), _loops_by_terraform(changes))
    return Both(by_sam(template, **parameters), by_terraform(changes), loops)


def _loops_by_sam(template: str, **parameters: Any) -> dict[str, str]:
    resources = Expanded(template, **parameters).resources().values()
    return {values["FunctionName"]: values["RecursiveLoop"] for _, values in resources if "RecursiveLoop" in values}


def _loops_by_terraform(changes: list[Any]) -> dict[str, str]:
    configs = [each["change"]["after"] for each in changes if each["type"] == "aws_lambda_function_recursion_config"]
    return {config["function_name"]: config["recursive_loop"] for config in configs}


def of(said: Said, kind: str) -> dict[str, dict[str, Any]]:
    """The facts of a kind, without the tags that differ."""
    return {name: _without_own_tags(facts) for name, facts in said.facts.items() if name.startswith(f"{kind} ")}


def _without_own_tags(facts: dict[str, Any]) -> dict[str, Any]:
    tags = {key: value for key, value in (facts.get("tags") or {}).items() if key not in DIFFERENT_TAGS}
    return {**facts, "tags": tags}


def differences(sam: dict[str, dict[str, Any]], terraform: dict[str, dict[str, Any]]) -> list[str]:
    """A sentence for each fact that they tell differently."""
    return [
        f"{name}: its {fact} is {told} by SAM, {terraform[name][fact]} by Terraform"
        for name, facts in sam.items()
        for fact, told in facts.items()
        if told != terraform[name][fact]
    ]


@pytest.mark.parametrize("kind", [kind.name for kind in KINDS])
def test_both_say_the_same(both, kind):
    sam, terraform = of(both.sam, kind), of(both.terraform, kind)

    assert sam
    assert sam.keys() == terraform.keys()
    assert differences(sam, terraform) == []


def test_both_say_the_same_of_loops(both):
    sam, terraform = both.loops

    assert sam
    assert sam == terraform


def test_neither_says_anything_else(both):
    assert both.sam.unread == set(ONLY_SAM)
    assert both.terraform.unread == set(ONLY_TERRAFORM)


def test_the_tags_that_differ_are_there(both):
    functions = [facts["tags"] for name, facts in both.sam.facts.items() if name.startswith("function ")]
    others = [facts["tags"] for name, facts in both.terraform.facts.items() if name.startswith("function ")]

    assert {tags["ManagedBy"] for tags in functions} == {"sam"}
    assert {tags["ManagedBy"] for tags in others} == {"terraform"}
    assert all("Configuration" in tags for tags in functions)


def test_both_allow_the_names_that_the_code_allows():
    pattern = naming._PART.pattern
    template = (ROOT / "template.yaml").read_text()
    variables = (ROOT / "terraform" / "stacks" / "aws" / "variables.tf").read_text()

    assert re.findall(r"AllowedPattern: '?(\[a-z\][^'\n]*)", template) == [pattern, pattern]
    assert re.findall(r'regex\("\^(.*)\$", var\.(name|stage)\)', variables) == [(pattern, "name"), (pattern, "stage")]


def test_the_longest_names_are_not_too_long(stack, tmp_path):
    """The contract with its longest service name, in the deployment with the longest names."""
    text = (ROOT / "shared" / "asyncapi.json").read_text()
    longest = "s" * 20
    (tmp_path / "contract.json").write_text(json.dumps(_renamed(json.loads(text), "order_status", longest)))

    changes = stack.plan(name="n" * 20, stage="s" * 20, contract=str(tmp_path / "contract.json"))

    said = by_terraform(changes)
    for kind, most in LONGEST.items():
        found = [facts["name"] for name, facts in said.facts.items() if name.startswith(f"{kind} ")]
        assert max(map(len, found)) <= most, kind
    roles = [each["change"]["after"]["name"] for each in changes if each["type"] == "aws_iam_role"]
    assert max(map(len, roles)) <= 64
    assert f"{'n' * 20}-{longest}-{longest}" in roles


def _renamed(document: Any, service: str, other: str) -> Any:
    for channel in document["channels"].values():
        if channel["x-trefoil"].get("service") == service:
            channel["x-trefoil"]["service"] = other
    return document
