"""Descriptions of entities in Atom entries, as the Service Bus REST API has them."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from xml.etree import ElementTree as ET

import msgspec

from infra.emulators.servicebus.broker.errors import InvalidRequest

ATOM = "http://www.w3.org/2005/Atom"
SERVICEBUS = "http://schemas.microsoft.com/netservices/2010/10/servicebus/connect"
COUNTS = "http://schemas.microsoft.com/netservices/2011/06/servicebus"
_KIND = "{http://www.w3.org/2001/XMLSchema-instance}type"

Description = dict[str, Any]
"""Properties by name; texts, and descriptions within, whose kind is under `type`."""


def read(body: bytes) -> tuple[str, Description]:
    """The kind and the properties of what a request describes; raises InvalidRequest."""
    try:
        entry = ET.fromstring(body)  # noqa: S314 - of a client on this machine
        described = next(iter(entry.iterfind(f"{{{ATOM}}}content/*")))
        return _name(described), _properties(described)
    except (ET.ParseError, StopIteration, LookupError, ValueError, RecursionError) as error:
        raise InvalidRequest("The request has no Atom entry that describes an entity.") from error


def write(name: str, kind: str, properties: Mapping[str, Any]) -> bytes:
    """The entry of an entity; mappings become elements within, of the kind that is under `type`."""
    entry = ET.Element(f"{{{ATOM}}}entry")
    ET.SubElement(entry, f"{{{ATOM}}}title", type="text").text = name
    content = ET.SubElement(entry, f"{{{ATOM}}}content", type="application/xml")
    _write(ET.SubElement(content, f"{{{SERVICEBUS}}}{kind}"), properties, SERVICEBUS)
    return bytes(ET.tostring(entry, encoding="utf-8", xml_declaration=True))


def duration(milliseconds: int) -> str:
    """A time in ISO 8601."""
    return str(msgspec.to_builtins(timedelta(milliseconds=milliseconds)))


def _properties(element: ET.Element) -> Description:
    kind = element.get(_KIND)
    inner = {_name(each): _properties(each) if len(each) or each.get(_KIND) else each.text or "" for each in element}
    return {**inner, **({"type": kind} if kind else {})}


def _write(element: ET.Element, properties: Mapping[str, Any], space: str) -> None:
    for name, value in properties.items():
        if name == "type":
            element.set(_KIND, value)
            continue
        child = ET.SubElement(element, f"{{{space}}}{name}")
        if isinstance(value, Mapping):
            _write(child, value, COUNTS if name == "CountDetails" else space)
        else:
            child.text = str(value).lower() if isinstance(value, bool) else str(value)


def _name(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]
