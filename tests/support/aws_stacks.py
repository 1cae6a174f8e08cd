"""What Terraform's plan and SAM's template say of a deployment, in the same words, so that they can be compared."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from tests.support.aws_kinds import KINDS, Kind
from tests.support.sam_template import KEY, Expanded

Values = dict[str, Any]

_PAIRS = (("Key", "Value"), ("Name", "Value"), ("AttributeName", "AttributeType"), ("name", "type"))
"""Lists of these are mappings."""


_MOCKED = {"aws_iam_role", "aws_kms_alias", "aws_kms_key", "aws_lambda_alias", "aws_sns_topic", "aws_sqs_queue"}
"""Whose computed values the mocks make up."""


class Said(NamedTuple):
    """What one of the two says."""

    facts: dict[str, Values]
    """Of each resource, such as `queue trefoil-dev-users`."""
    unread: set[str]
    """What it says beside them: type and property, such as `AWS::Lambda::Function.Code.S3Key`."""


def by_sam(text: str, **parameters: Any) -> Said:
    """What a template says with these parameters."""
    resources = Expanded(text, **parameters).resources()
    queues = {values["QueueName"]: values for kind, values in resources.values() if kind == "AWS::SQS::Queue"}
    for kind, values in resources.values():
        if kind == "AWS::SQS::QueuePolicy":
            for queue in values["Queues"]:
                mine = queues[queue.rpartition(":")[2]]
                assert "Policy" not in mine, f"{queue} has two policies"
                mine["Policy"] = values["PolicyDocument"]
    types = {kind.sam: kind for kind in KINDS}
    listed = [each for each in resources.values() if each[0] != "AWS::SQS::QueuePolicy"]
    return _said(listed, types, 0, {"AWS::Lambda::Function": _without_snapshots})


def by_terraform(changes: Iterable[Any]) -> Said:
    """What a plan says."""
    modules: dict[str, list[tuple[str, Values]]] = {}
    for change in changes:
        modules.setdefault(change["module_address"], []).append((change["type"], change["change"]["after"]))
    resources = [each for module in modules.values() for each in _of_module(module)]
    types = {kind.terraform: kind for kind in KINDS}
    return _said(resources, types, 1, {"aws_dynamodb_table": _keys_in_a_list})


def _of_module(resources: list[tuple[str, Values]]) -> list[tuple[str, Values]]:
    """A module's resources, with real addresses in the place of those that the mocks made up."""
    by_type = dict(resources)
    text = json.dumps(resources)
    if "aws_kms_key" in by_type:
        text = text.replace(f'"{by_type["aws_kms_key"]["key_id"]}"', f'"{KEY}"')
    if "aws_lambda_function" in by_type:
        text = text.replace(":function:a-function:", f":function:{by_type['aws_lambda_function']['function_name']}:")
    if "aws_iam_role" in by_type:
        role = by_type["aws_iam_role"]
        text = text.replace("arn:aws:iam::123456789012:role/a-role", f"role: {role['description']}")
    found = [(kind, values) for kind, values in json.loads(text)]
    for kind, values in found:
        for computed in ("arn", "key_id"):
            values.pop(computed, None)
        for policy in ("policy", "redrive_policy"):
            if _made_up(values.get(policy), kind):
                values.pop(policy, None)
        if kind == "aws_iam_role":
            (own,) = [each for other, each in found if other == "aws_iam_role_policy"]
            assert own.pop("role") == values["id"]
            values["may"] = own.pop("policy")
    return found


def _said(
    resources: Iterable[tuple[str, Values]],
    types: Mapping[str, Kind],
    side: int,
    prepared: Mapping[str, Callable[[Values], Values]],
) -> Said:
    said = Said({}, set())
    for type_, found in resources:
        values = prepared.get(type_, _same)(found)
        if type_ in types:
            kind = types[type_]
            facts = {fact: _plain(_taken(values, paths[side].split("."))) for fact, paths in kind.facts.items()}
            name = f"{kind.name} {next(iter(facts.values()))}"
            assert name not in said.facts, f"there are two of {name}"
            said.facts[name] = facts
        said.unread.update(_unread(values, type_))
    return said


def _same(values: Values) -> Values:
    return values


def _without_snapshots(values: Values) -> Values:
    if values["SnapStart"] == {"ApplyOn": "None"}:
        del values["SnapStart"]
    return values


def _keys_in_a_list(values: Values) -> Values:
    """A table's keys as CloudFormation has them."""
    hash_ = values.pop("hash_key")

    def keys(range_: str) -> list[Values]:
        named = {"HASH": hash_, "RANGE": range_}
        return [{"AttributeName": name, "KeyType": kind} for kind, name in named.items()]

    values["keys"] = keys(values.pop("range_key"))
    values["local_secondary_index"] = [
        {
            "IndexName": index["name"],
            "KeySchema": keys(index["range_key"]),
            "Projection": {"ProjectionType": index["projection_type"]},
        }
        for index in values.get("local_secondary_index") or []
    ]
    return values


def _taken(values: Any, path: list[str]) -> Any:
    """Take what stands there out of the values; None where nothing does."""
    here, *further = path
    place = int(here) if here.isdigit() else here
    if not (values[place : place + 1] if isinstance(place, int) else isinstance(values, dict) and place in values):
        return None
    if not further:
        return values.pop(place)
    return None if values[place] is None else _taken(values[place], further)


def _plain(value: Any) -> Any:
    """The value in a form that does not depend on who says it."""
    if isinstance(value, str):
        return _plain(json.loads(value)) if value.startswith("{") else {"true": True, "false": False}.get(value, value)
    if isinstance(value, list | dict) and not value:
        return None
    if isinstance(value, dict):
        return _plain_mapping(value)
    return _plain_list(value) if isinstance(value, list) else value


def _plain_mapping(value: Values) -> Any:
    if "Statement" in value:
        statements = [_statement(each) for each in value["Statement"]]
        return sorted(statements, key=lambda each: json.dumps(each, sort_keys=True))
    return {key: _plain(inner) for key, inner in value.items()}


def _plain_list(value: list[Any]) -> Any:
    for key, told in _PAIRS:
        if all(isinstance(each, dict) and set(each) == {key, told} for each in value):
            return {each[key]: each[told] for each in value}
    return [_plain(inner) for inner in value]


def _statement(statement: Values) -> Values:
    """A statement of a policy; one action, or a list of one, are the same."""
    listed = {
        name: sorted([value] if isinstance(value, str) else value)
        for name, value in statement.items()
        if name in ("Action", "Resource")
    }
    return {**statement, **listed}


def _unread(values: Values, at: str) -> Iterator[str]:
    """Where somebody said something: not nothing, and not what a mock made up where the provider computes a value."""
    for name, value in values.items():
        listed = value if isinstance(value, list) else [value]
        blocks = [each for each in listed if isinstance(each, dict) and name != "tags"]
        for block in blocks:
            yield from _unread(block, f"{at}.{name}")
        if not blocks and value not in (None, [], "") and not _made_up(value, at):
            yield f"{at}.{name}"


def _made_up(value: Any, at: str) -> bool:
    """Whether a mock said it, in the place of what the provider would compute."""
    return at in _MOCKED and (not value or (isinstance(value, str) and bool(re.fullmatch(r"[a-z0-9]{8}", value))))
