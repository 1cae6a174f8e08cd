"""The SAM template as CloudFormation gets it: expanded by SAM's own translator, and every function worked out."""

import re
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import pytest
import yaml
from samtranslator.translator.transform import transform

REGION = "eu-central-1"
ACCOUNT = "123456789012"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/the-key"

_PSEUDO = {"AWS::AccountId": ACCOUNT, "AWS::Partition": "aws", "AWS::Region": REGION}

_ARN = f"arn:aws:{{}}:{REGION}:{ACCOUNT}:{{}}"
_ARNS = {
    "AWS::DynamoDB::Table": _ARN.format("dynamodb", "table/{TableName}"),
    "AWS::IAM::Role": "role: {Description}",
    "AWS::KMS::Key": KEY,
    "AWS::Lambda::Alias": _ARN.format("lambda", "function:{FunctionName}:{Name}"),
    "AWS::Logs::LogGroup": _ARN.format("logs", "log-group:{LogGroupName}:*"),
    "AWS::SNS::Topic": _ARN.format("sns", "{TopicName}"),
    "AWS::SQS::Queue": _ARN.format("sqs", "{QueueName}"),
}
"""What `Fn::GetAtt` gives for `Arn`. A role has no name in the template: its description tells it from the others."""

_REFS = _ARNS | {
    "AWS::Lambda::Function": "{FunctionName}",
    "AWS::Lambda::Version": "version of {FunctionName}",
    "AWS::Logs::LogGroup": "{LogGroupName}",
}
_NOTHING = object()


class Loader(yaml.SafeLoader):
    """Reads short tags as CloudFormation does."""

    def long_form(self, suffix: str, node: yaml.Node) -> dict[str, Any]:
        match node:
            case yaml.ScalarNode():
                value = self.construct_scalar(node)
            case yaml.SequenceNode():
                value = self.construct_sequence(node, deep=True)
        if suffix == "GetAtt":
            value = value.split(".")
        return {"Ref" if suffix == "Ref" else f"Fn::{suffix}": value}


Loader.add_multi_constructor("!", Loader.long_form)


class Expanded:
    """A template with its parameters, as one deployment of it would be."""

    def __init__(self, text: str, **parameters: Any) -> None:
        template = yaml.load(text, Loader=Loader)  # noqa: S506 - it is a SafeLoader
        self._parameters = {name: said["Default"] for name, said in template["Parameters"].items()} | parameters
        self._lists = {name for name, said in template["Parameters"].items() if said["Type"] == "CommaDelimitedList"}
        self._conditions = template["Conditions"]
        self._resources = self._translated(template)["Resources"]

    def resources(self) -> dict[str, tuple[str, dict[str, Any]]]:
        """The type and the properties of each resource, by logical id."""
        return {name: (told["Type"], self.value(told["Properties"])) for name, told in self._resources.items()}

    def value(self, node: Any) -> Any:  # noqa: PLR0911 - a case for each function
        """What a part of the template comes to."""
        match node:
            case {"Ref": name}:
                return self._reference(name)
            case {"Fn::GetAtt": [name, attribute]}:
                return self._attribute(name, attribute)
            case {"Fn::Sub": text}:
                return re.sub(r"\$\{([^}]+)\}", lambda found: str(self._named(found[1])), text)
            case {"Fn::If": [condition, then, otherwise]}:
                return self.value(then if self.value(self._conditions[condition]) else otherwise)
            case {"Fn::Not": [inner]}:
                return not self.value(inner)
            case {"Fn::Equals": [left, right]}:
                return self.value(left) == self.value(right)
            case {"Fn::Join": [between, parts]}:
                return between.join(self.value(parts))
            case dict():
                assert not any(key.startswith("Fn::") for key in node), f"what is {node}?"
                found = {key: self.value(inner) for key, inner in node.items()}
                return {key: inner for key, inner in found.items() if inner is not _NOTHING}
            case list():
                return [self.value(inner) for inner in node]
        return node

    def _translated(self, template: Mapping[str, Any]) -> Any:
        """Functions, their aliases, schedules and event sources, as SAM makes them of what the template says."""
        uploaded = deepcopy(template)
        for resource in uploaded["Resources"].values():
            if "CodeUri" in resource["Properties"]:
                resource["Properties"]["CodeUri"] = "s3://bucket/sam.zip"
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_DEFAULT_REGION", REGION)
            return transform(uploaded, dict(self._parameters), None)

    def _named(self, name: str) -> Any:
        resource, _, attribute = name.partition(".")
        return self._attribute(resource, attribute) if attribute else self._reference(name)

    def _reference(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return _NOTHING
        if name in _PSEUDO:
            return _PSEUDO[name]
        if name in self._parameters:
            value = self._parameters[name]
            return str(value).split(",") if name in self._lists else value
        return self._filled(_REFS, name)

    def _attribute(self, name: str, attribute: str) -> Any:
        if attribute == "Arn":
            return self._filled(_ARNS, name)
        if attribute == "Version":
            return self._filled(_REFS, name)
        return self.value(self._resources[name]["Properties"][attribute])

    def _filled(self, texts: Mapping[str, str], name: str) -> str:
        resource = self._resources[name]
        wanted = re.findall(r"\{(\w+)\}", texts[resource["Type"]])
        return texts[resource["Type"]].format(**{each: self.value(resource["Properties"][each]) for each in wanted})
