"""A template as YAML that people can read: short tags (`!Ref Bus`), no anchors, an empty line between resources."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

HEADER = """\
# The stack for AWS, for those who deploy with SAM; terraform/stacks/aws is the same for Terraform.
# Generated from shared/asyncapi.json by `trefoil topology`: change infra/aws/sam/ instead.
"""

WIDTH = 120

PAIR = 2


class _Dumper(yaml.SafeDumper):
    """Writes as a person would: each thing where it is used, lists indented, what is short on one line."""

    def ignore_aliases(self, data: Any) -> bool:
        del data
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: FBT001, FBT002 - PyYAML's
        del indentless
        super().increase_indent(flow, indentless=False)

    def choose_scalar_style(self) -> str:
        """A short tag's text needs no quotes where it would need none without the tag."""
        event = self.event
        if isinstance(event, yaml.ScalarEvent) and event.tag and event.tag.startswith("!"):
            self.analysis = self.analyze_scalar(event.value)
            if self.analysis.allow_flow_plain if self.flow_level else self.analysis.allow_block_plain:
                return ""
        return super().choose_scalar_style()

    def mapping(self, data: Mapping[str, Any]) -> yaml.Node:
        """Write an intrinsic function as a tag, and a pair (an item of a list) on one line."""
        if function := _function(data):
            node = self.represent_data(_argument(data))
            node.tag = f"!{function}"
            return node
        return self.represent_dict(data)

    def sequence(self, data: Sequence[Any]) -> yaml.Node:
        node = self.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=_fits(data))
        for item in node.value:
            if isinstance(item, yaml.MappingNode) and len(item.value) == PAIR and _flat(item):
                item.flow_style = True
        return node


_Dumper.add_representer(dict, _Dumper.mapping)
_Dumper.add_representer(list, _Dumper.sequence)


def render(template: Mapping[str, Any]) -> str:
    """Write a template as it stands in `template.yaml`, in its own order."""
    parts = [HEADER]
    for name, section in template.items():
        if name == "Resources":
            first, *others = (_indented(_dumped({key: value})) for key, value in section.items())
            parts += [f"{name}:\n{first}", *others]
        else:
            parts.append(_dumped({name: section}))
    return "\n".join(parts)


def _function(data: Mapping[str, Any]) -> str | None:
    """The intrinsic function that a mapping stands for: `{"Ref": "Bus"}` is `Ref`."""
    if len(data) != 1:
        return None
    (key,) = data
    return key.removeprefix("Fn::") if key == "Ref" or key.startswith("Fn::") else None


def _argument(data: Mapping[str, Any]) -> Any:
    ((key, value),) = data.items()
    return ".".join(value) if key == "Fn::GetAtt" else value


def _fits(data: Sequence[Any]) -> bool:
    """Whether a list holds no mappings and is short enough for one line."""
    return len(str(data)) <= WIDTH and not any(_holds_mapping(item) for item in data)


def _holds_mapping(item: Any) -> bool:
    if isinstance(item, Mapping):
        return _function(item) is None or _holds_mapping(_argument(item))
    return isinstance(item, list) and any(map(_holds_mapping, item))


def _flat(node: yaml.MappingNode) -> bool:
    return all(isinstance(value, yaml.ScalarNode) for _, value in node.value)


def _dumped(value: Any) -> str:
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=WIDTH)


def _indented(text: str) -> str:
    return "".join(f"  {line}" for line in text.splitlines(keepends=True))
