"""Reads a provider's schema out of the JavaScript that CDK for Terraform generated from it.

What it does not say: which optional attributes a provider fills in when they are left out (here they stay empty), which
values it allows, which attributes exclude one another, and how many blocks there may be where it is more than one.
"""

import re
from collections.abc import Iterator
from typing import Any

_TYPES: dict[str, Any] = {
    "string": "string",
    "number": "number",
    "boolean": "bool",
    "stringMap": ["map", "string"],
    "numberMap": ["map", "number"],
    "booleanMap": ["map", "bool"],
}
"""Terraform's types, by what the package calls them."""

_CLASS = re.compile(r"^class (\w+) extends cdktf\.(\w+) \{$(.*?)^\}$", re.MULTILINE | re.DOTALL)
_STRUCT = re.compile(r"^function (\w+)ToHclTerraform\(struct\) \{$(.*?)^\}$", re.MULTILINE | re.DOTALL)
_SETTABLE = re.compile(
    r"^ +(\w+): \{\n +value: .*\n +isBlock: (true|false),\n +type: \"(\w+)\",\n +storageClassType: \"(\w+)\"",
    re.MULTILINE,
)
_READ = re.compile(
    r"^ +return (cdktf\.Fn\.tolist\()?this\.get(String|Number|Boolean)?(Map|List)?Attribute\('(\w+)'\)", re.MULTILINE
)
_HELD = re.compile(r"^ +this\._\w+ = new (?:cdktf\.)?(\w+)\(this, \"(\w+)\"(?:, (true|false))?\);", re.MULTILINE)

Block = dict[str, Any]


class Module:
    """One module of the package: a resource, a data source or the provider, with the objects it consists of."""

    def __init__(self, text: str) -> None:
        found = [match.groups() for match in _CLASS.finditer(text)]
        self._bodies = {name: body for name, _, body in found}
        self._structs = {match[1].lower(): match[2] for match in _STRUCT.finditer(text)}
        ((self._main, self.base),) = [(name, base) for name, base, _ in found if base.startswith("Terraform")]

    @property
    def type(self) -> str:
        """The type of the resource or of the data source."""
        (found,) = re.findall(r"terraformResourceType: '(\w+)'", self._bodies[self._main])
        return str(found)

    def block(self) -> Block:
        """What can be set and read."""
        body = self._bodies[self._main]
        block = self._block(body, settable=body)
        attributes = block.get("attributes", {})
        if self.base == "TerraformProvider":
            attributes.pop("alias", None)  # the language's own, and no part of any schema
        if "id" in attributes:
            attributes["id"]["computed"] = True
        return block

    def _object(self, name: str) -> Block:
        # Of a provider's own blocks only the settable side is there, and what of it is required is not said.
        return self._block(self._bodies.get(f"{name}OutputReference", ""), self._structs.get(name.lower(), ""))

    def _block(self, body: str, settable: str) -> Block:
        attributes: dict[str, Any] = {name: {"type": type_, "computed": True} for name, type_ in self._read(body)}
        blocks: dict[str, Any] = {}
        resets = {name.lower() for name in re.findall(r"^ +reset(\w+)\(\)", body, re.MULTILINE)}
        for name, is_block, collection, stored in _SETTABLE.findall(settable):
            optional = not body or name.replace("_", "") in resets
            if is_block == "true":
                attributes.pop(name, None)
                blocks[name] = self._nested(body, name, collection, stored, optional=optional)
            else:
                attributes[name] = {
                    "type": self._type(collection, stored),
                    "optional" if optional else "required": True,
                }
        return _full({"attributes": dict(sorted(attributes.items())), "block_types": dict(sorted(blocks.items()))})

    def _nested(self, body: str, name: str, collection: str, stored: str, *, optional: bool) -> Block:
        if collection == "struct":
            return {"nesting_mode": "single", "block": self._object(stored)}
        single = any(of == name and not held.endswith("List") for held, of, _ in _HELD.findall(body))
        bounds = _full({"min_items": 0 if optional else 1, "max_items": 1 if single else 0})
        return {"nesting_mode": collection, **bounds, "block": self._object(stored.removesuffix("List"))}

    def _read(self, body: str) -> Iterator[tuple[str, Any]]:
        """Everything that can be read, with its type; what can also be set says more of itself."""
        for as_set, kind, collection, name in _READ.findall(body):
            type_ = _TYPES[(kind or "string").lower()]
            if collection:
                type_ = ["set" if as_set else collection.lower(), type_]
            yield name, type_
        for held, name, as_set in _HELD.findall(body):
            if held in {"StringMap", "StringMapList"}:
                yield name, ["map", "string"] if held == "StringMap" else ["list", ["map", "string"]]
            elif held.endswith("List"):
                yield name, ["set" if as_set == "true" else "list", _type(self._object(held.removesuffix("List")))]

    def _type(self, collection: str, stored: str) -> Any:
        if stored in _TYPES:
            return _TYPES[stored]
        inner = stored.removesuffix("List")
        return [collection, _TYPES[inner] if inner in _TYPES else _type(self._object(inner))]


def _type(block: Block) -> Any:
    """The type of an object that is a value, not a block."""
    attributes = {name: each["type"] for name, each in block.get("attributes", {}).items()}
    blocks = {name: ["list", _type(each["block"])] for name, each in block.get("block_types", {}).items()}
    return ["object", attributes | blocks]


def _full(parts: Block) -> Block:
    """Without what is empty, as Terraform writes it."""
    return {name: value for name, value in parts.items() if value}
