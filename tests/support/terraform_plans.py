"""What Terraform would make on a cloud, by what it is made for."""

import json
import re
from collections.abc import Mapping
from typing import Any

from tests.support.terraform import ROOT, Stack

PREFIX = "trefoil-dev"

Planned = Mapping[str, Any]
"""Values by address."""


def services() -> dict[str, Any]:
    """What the contract says of each service."""
    channels = json.loads((ROOT / "shared" / "asyncapi.json").read_text())["channels"].values()
    told = [channel["x-trefoil"] for channel in channels]
    return {service["service"]: service for service in told if service["role"] == "service"}


def planned(stack: Stack, **variables: Any) -> Planned:
    """What would be made, with mocks in the cloud's place."""
    return {change["address"]: change["change"]["after"] for change in stack.plan(**variables)}


def kind(planned: Planned, name: str) -> dict[str, Any]:
    """The resources of a kind by service, or by module where there is one of it; a list where there are several."""
    place = re.compile(rf'module\.(\w+)(?:\["(\w+)"\])?\.{re.escape(name)}(?:\["\w+"\])?')
    found: dict[str, list[Any]] = {}
    for address, values in planned.items():
        if match := place.fullmatch(address):
            found.setdefault(match[2] or match[1], []).append(values)
    return {key: values if values[1:] else values[0] for key, values in found.items()}
