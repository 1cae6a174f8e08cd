"""What an operator asks of channels on Google Cloud."""

from collections.abc import Iterator
from typing import Any

from infra.gcp.clients import CALL_SECONDS, PATIENCE, Clients
from infra.gcp.firestore import FirestoreTimers
from infra.gcp.subscriptions import Subscriptions
from shared.kernel.errors import ConfigurationError
from shared.kernel.ports import Depth

PAUSED = "paused"


class GcpOperations:
    """Pub/Sub tells no counts but to its monitoring; a pause takes away where a subscription pushes to.

    Where that was is kept as a document, `paused/{subscription}`, until the service is resumed.
    """

    def __init__(self, clients: Clients, subscriptions: Subscriptions, timers: FirestoreTimers) -> None:
        self._clients = clients
        self._subscriptions = subscriptions
        self._timers = timers

    def depth(self, service: str) -> Depth:
        """See Operations. All counts are unknown."""
        paused = all(self._noted(name).exists and not self._push(name) for name in self._subscriptions.of(service))
        return Depth(None, None, None, paused)

    def pause(self, service: str) -> None:
        """See Operations."""
        for name in self._subscriptions.of(service):
            push = self._push(name)
            if push:
                self._note(name).set(push, retry=PATIENCE, timeout=CALL_SECONDS)
                self._point(name, {})
            elif not self._noted(name).exists:
                raise ConfigurationError(f"the subscription '{name}' pushes to no function: deploy first")

    def resume(self, service: str) -> None:
        """See Operations."""
        for name in self._subscriptions.of(service):
            if push := self._noted(name).to_dict():
                self._point(name, push)
                self._note(name).delete(retry=PATIENCE, timeout=CALL_SECONDS)

    def waiting(self, service: str) -> Iterator[bytes]:
        """See Operations. Timers and what was put aside: Pub/Sub shows nobody what waits in a subscription."""
        return (timer.message.body for timer in self._timers.all() if timer.message.to == service)

    def timers(self) -> int:
        """See Operations."""
        return self._timers.count()

    def _note(self, subscription: str) -> Any:
        return self._clients.firestore.collection(PAUSED).document(subscription.rpartition("/")[2])

    def _noted(self, subscription: str) -> Any:
        return self._note(subscription).get(retry=PATIENCE, timeout=CALL_SECONDS)

    def _push(self, subscription: str) -> dict[str, Any]:
        found = self._clients.subscriber.get_subscription(
            subscription=subscription, retry=PATIENCE, timeout=CALL_SECONDS
        )
        return type(found.push_config).to_dict(found.push_config) if found.push_config.push_endpoint else {}

    def _point(self, subscription: str, push: dict[str, Any]) -> None:
        request = {"subscription": subscription, "push_config": push}
        self._clients.subscriber.modify_push_config(request=request, retry=PATIENCE, timeout=CALL_SECONDS)
