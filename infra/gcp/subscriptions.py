"""Subscriptions by name: which a service has, and pulling from them."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import groupby
from math import ceil
from typing import TYPE_CHECKING

from google.api_core.exceptions import DeadlineExceeded, NotFound

from infra.batching import batches
from infra.gcp.clients import CALL_SECONDS, FAULTS, PATIENCE, Clients
from infra.gcp.names import Names
from shared.kernel.errors import ConfigurationError

if TYPE_CHECKING:
    from google.pubsub_v1 import ReceivedMessage

LONGEST_LEASE = 600
"""Seconds; Pub/Sub's longest acknowledgement deadline."""

ACK_COUNT = 1000
ACK_BYTES = 500_000
"""A request about messages that were pulled holds 512 KiB at most (Pub/Sub quotas and limits)."""

Handle = tuple[str, str]
"""Subscription and ack id of a message that was pulled."""


class Subscriptions:
    """The deployment's subscriptions."""

    def __init__(self, clients: Clients, names: Names) -> None:
        self._clients = clients
        self._names = names
        self._known: list[str] = []

    def path(self, subscription: str) -> str:
        """A subscription's full name."""
        return f"projects/{self._clients.project}/subscriptions/{subscription}"

    def of(self, service: str) -> list[str]:
        """The full names of a service's subscriptions to the bus: one, or more while those of older filters drain.

        Raises ConfigurationError when there is none.
        """
        beginning = self.path(self._names.subscriptions(service))
        if not self._known:
            self._known = self._all()
        found = [name for name in self._known if name.startswith(beginning)]
        if not found:
            raise self._not_deployed(f"no subscription of '{service}'")
        return found

    def _all(self) -> list[str]:
        project = self._clients.project
        topic = f"projects/{project}/topics/{self._names.topic}"
        try:
            pages = self._clients.publisher.list_topic_subscriptions(topic=topic, retry=PATIENCE, timeout=CALL_SECONDS)
            return sorted(pages)
        except NotFound as error:
            raise self._not_deployed(f"no topic '{self._names.topic}'") from error

    def _not_deployed(self, what: str) -> ConfigurationError:
        return ConfigurationError(
            f"there is {what} in the project '{self._clients.project}': deploy first, or set TREFOIL_NAME,"
            " TREFOIL_STAGE and GOOGLE_CLOUD_PROJECT to those of the deployment"
        )

    def pull(self, subscription: str, limit: int, patience: float) -> Sequence["ReceivedMessage"]:
        """Take up to `limit` messages, the first of which comes within so many seconds.

        Pub/Sub waits for one, and does not say when there is none. Raises ConfigurationError when there is no such
        subscription.
        """
        request = {"subscription": subscription, "max_messages": limit}
        try:
            answer = self._clients.subscriber.pull(request=request, retry=None, timeout=patience)
        except DeadlineExceeded:
            return ()
        except NotFound as error:
            raise self._not_deployed(f"no subscription '{subscription.rpartition('/')[2]}'") from error
        return answer.received_messages

    def hide(self, handles: Iterable[Handle], seconds: float) -> None:
        """Let messages come again in so many seconds; the lease that they have ends anyhow, if this fails."""
        for subscription, ack_ids in _by_subscription(handles):
            with suppress(*FAULTS):
                self._clients.subscriber.modify_ack_deadline(
                    subscription=subscription,
                    ack_ids=ack_ids,
                    ack_deadline_seconds=min(ceil(seconds), LONGEST_LEASE),
                    retry=PATIENCE,
                    timeout=CALL_SECONDS,
                )

    def acknowledge(self, handles: Iterable[Handle]) -> None:
        """Remove messages; one that comes again because this failed is known by its id."""
        for subscription, ack_ids in _by_subscription(handles):
            with suppress(*FAULTS):
                self._clients.subscriber.acknowledge(
                    subscription=subscription, ack_ids=ack_ids, retry=PATIENCE, timeout=CALL_SECONDS
                )


def _by_subscription(handles: Iterable[Handle]) -> list[tuple[str, list[str]]]:
    grouped = groupby(sorted(handles), key=lambda handle: handle[0])
    return [
        (subscription, batch)
        for subscription, group in grouped
        for batch in batches((ack_id for _, ack_id in group), len, ACK_COUNT, ACK_BYTES)
    ]
