"""What a deployment consists of on Pub/Sub, as a pure function of the contract: the bodies to PUT, by path."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import msgspec
from msgspec import Struct

ACK_MARGIN = 10
MOST_ACK_SECONDS = 600
"""What Pub/Sub waits for an answer to a push, at most."""

_RETENTION = "604800s"
"""The emulator's most; Pub/Sub keeps messages for 31 days."""


class Backoff(Struct, frozen=True):
    """Seconds."""

    base: float
    cap: float


class Channel(Struct, frozen=True, rename="camel"):
    """What the contract says of a service's channel."""

    service: str
    pubsub_filter: str
    batch: int
    function_timeout_seconds: int
    delivery_limit: int
    backoff: Backoff


def channels(contract: Mapping[str, Any]) -> dict[str, Channel]:
    """The channels of an AsyncAPI document that belong to a service, by its name."""
    extensions = [channel["x-trefoil"] for channel in contract["channels"].values()]
    ours = [msgspec.convert(each, Channel) for each in extensions if each["role"] == "service"]
    return {channel.service: channel for channel in ours}


class Plan(Struct, frozen=True):
    """One deployment's names in one project."""

    project: str
    prefix: str

    @property
    def bus(self) -> str:
        """The topic that everything is published to."""
        return self._topic("bus")

    def dead_topic(self, service: str) -> str:
        """Where what a service could not handle is published."""
        return self._topic(f"{service}-dead")

    def dead_subscription(self, service: str) -> str:
        """Where it is kept."""
        return self.path(f"{self.prefix}-{service}-dead")

    def subscription(self, channel: Channel) -> str:
        """A service's channel; a filter can't be changed, so a changed one makes another subscription."""
        return self.path(f"{self.prefix}-{channel.service}-{sha256(channel.pubsub_filter.encode()).hexdigest()[:8]}")

    def service(self, subscription: str) -> str:
        """The service of one of our subscriptions, whatever its filter is; empty when it is none of ours."""
        name, _, _ = subscription.rpartition("-")
        return name.removeprefix(f"{self.prefix}-") if name.startswith(f"{self.prefix}-") else ""

    def path(self, subscription: str) -> str:
        """The full name of a subscription."""
        return f"projects/{self.project}/subscriptions/{subscription}"

    def _topic(self, what: str) -> str:
        return f"projects/{self.project}/topics/{self.prefix}-{what}"


def resources(plan: Plan, contract: Mapping[str, Any], endpoint: str) -> dict[str, dict[str, Any]]:
    """Topics and subscriptions, in an order in which they can be made; pushes go to the endpoint."""
    ours = channels(contract).values()
    return {
        plan.bus: {},
        **{plan.dead_topic(each.service): {} for each in ours},
        **{plan.dead_subscription(each.service): _kept(plan.dead_topic(each.service)) for each in ours},
        **{plan.subscription(each): _pushed(plan, each, endpoint) for each in ours},
    }


def _kept(topic: str) -> dict[str, Any]:
    return {"topic": topic, "ackDeadlineSeconds": 60, "messageRetentionDuration": _RETENTION, "expirationPolicy": {}}


def _pushed(plan: Plan, channel: Channel, endpoint: str) -> dict[str, Any]:
    name = plan.subscription(channel).rpartition("/")[2]
    return {
        **_kept(plan.bus),
        "ackDeadlineSeconds": min(MOST_ACK_SECONDS, channel.function_timeout_seconds + ACK_MARGIN),
        "filter": channel.pubsub_filter,
        "pushConfig": {"pushEndpoint": f"{endpoint}/push/{name}"},
        "deadLetterPolicy": {
            "deadLetterTopic": plan.dead_topic(channel.service),
            "maxDeliveryAttempts": channel.delivery_limit,
        },
        **_retries(channel.backoff),
    }


def _retries(backoff: Backoff) -> dict[str, Any]:
    """Without a policy Pub/Sub tries again at once, and its emulator after a second; with any, after three."""
    policy = {"minimumBackoff": f"{backoff.base:g}s", "maximumBackoff": f"{backoff.cap:g}s"}
    return {"retryPolicy": policy} if backoff.cap else {}
