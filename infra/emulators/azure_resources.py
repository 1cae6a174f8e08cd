"""What a deployment consists of on Service Bus and in Tables, as a pure function of the contract and the names.

`python -m infra.emulators.azure_resources` prints the file for Microsoft's own emulator (see compose.yaml), which
allows less than Azure does.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from infra.naming import Deployment

NAMESPACE = "sbemulatorns"
"""The only one that Microsoft's emulator knows."""

MOST_DELIVERIES = 2000
"""What a queue allows in Azure, as far as anybody knows a limit: a dead letter stays, however often it is looked at."""
OFFICIAL_DELIVERIES = 10
"""What Microsoft's emulator allows; it keeps messages for an hour, too."""

_LOCK = "PT5M"
_CONTRACT = Path(__file__).parents[2] / "shared" / "asyncapi.json"


class Channel(Struct, frozen=True, rename="camel"):
    """What the contract says of a service's channel."""

    service: str
    types: list[str]
    delivery_limit: int


def channels(contract: Mapping[str, Any]) -> list[Channel]:
    """The channels of an AsyncAPI document that belong to a service."""
    extensions = [channel["x-trefoil"] for channel in contract["channels"].values()]
    return [msgspec.convert(each, Channel) for each in extensions if each["role"] == "service"]


def config(contract: Mapping[str, Any], prefix: str, most: int = MOST_DELIVERIES) -> dict[str, Any]:
    """Queues, the topic and its subscriptions, in the layout of Microsoft's emulator, `Config.json`.

    What is not said is as it should be: messages have no end unless they bring one, and no duplicate is looked for.
    """
    ours = channels(contract)
    queues = [queue for each in ours for queue in (_queue(each, prefix, most), _dead(each, prefix, most))]
    topic = {"Name": f"{prefix}-bus", "Subscriptions": [_subscription(each, prefix, most) for each in ours]}
    namespace = {"Name": NAMESPACE, "Queues": queues, "Topics": [topic]}
    return {"UserConfig": {"Namespaces": [namespace], "Logging": {"Type": "Console"}}}


def tables(deployment: Deployment) -> list[str]:
    """The tables of a deployment; their names have no dashes, because they can't."""
    prefix = deployment.prefix.replace("-", "")
    return [f"{prefix}commits", f"{prefix}timers"]


def _queue(channel: Channel, prefix: str, most: int) -> dict[str, Any]:
    name = f"{prefix}-{channel.service}"
    return {"Name": name, "Properties": {**_kept(channel.delivery_limit, most), **_dead_letters_to(channel, prefix)}}


def _dead(channel: Channel, prefix: str, most: int) -> dict[str, Any]:
    return {"Name": f"{prefix}-{channel.service}-dead", "Properties": _kept(MOST_DELIVERIES, most)}


def _subscription(channel: Channel, prefix: str, most: int) -> dict[str, Any]:
    types = ", ".join(f"'{each}'" for each in channel.types)
    filtered = {"FilterType": "Sql", "SqlFilter": {"SqlExpression": f"type IN ({types})"}}
    return {
        "Name": channel.service,
        "Properties": {
            **_kept(channel.delivery_limit, most),
            "ForwardTo": f"{prefix}-{channel.service}",
            **_dead_letters_to(channel, prefix),
        },
        "Rules": [{"Name": "types", "Properties": filtered}],
    }


def _kept(deliveries: int, most: int) -> dict[str, Any]:
    return {
        "LockDuration": _LOCK,
        "MaxDeliveryCount": min(deliveries, most),
        "DeadLetteringOnMessageExpiration": True,
    }


def _dead_letters_to(channel: Channel, prefix: str) -> dict[str, str]:
    return {"ForwardDeadLetteredMessagesTo": f"{prefix}-{channel.service}-dead"}


def official() -> str:
    """The file for Microsoft's emulator, of this catalog under the names that are used unless others are given."""
    contract = json.loads(_CONTRACT.read_text())
    return json.dumps(config(contract, Deployment().prefix, OFFICIAL_DELIVERIES), indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(official())
