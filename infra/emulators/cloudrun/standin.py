"""What the stand-in does with a push, a tick and a question; the server around it only speaks HTTP."""

import logging
from collections import Counter
from collections.abc import Mapping
from http import HTTPStatus
from threading import Lock
from typing import Any

from infra.emulators.cloudrun.functions import Function
from infra.emulators.cloudrun.resources import Plan, resources
from infra.emulators.cloudrun.rest import Answer, PubSub, Request
from infra.emulators.cloudrun.settings import Shape
from infra.emulators.cloudrun.shapes import push, shaped
from infra.emulators.pubsub_filters import Filter, compiled

ACKNOWLEDGED = frozenset((102, 200, 201, 202, 204))
"""What ends a push at Google ("Push subscriptions"); the emulator takes some of it for a refusal."""

_SHOWN = 2000
_RING = Request("/", {"User-Agent": "Google-Cloud-Scheduler", "X-CloudScheduler": "true"}, b"")

log = logging.getLogger(__name__)


class StandIn:
    """Safe for threads."""

    def __init__(
        self, plan: Plan, contract: Mapping[str, Any], pubsub: PubSub, functions: Mapping[str, Function], tick: Function
    ) -> None:
        self._plan = plan
        self._contract = contract
        self._pubsub = pubsub
        self._functions = functions
        self._tick = tick
        self._attempts: Counter[tuple[str, str]] = Counter()
        self._filters: dict[str, Filter] = {}
        self._provisioning = Lock()
        self._counting = Lock()

    def provision(self, endpoint: str) -> None:
        """Make what Pub/Sub lacks; what is there is left as it is, a paused subscription, too."""
        with self._provisioning:
            made = self._pubsub.make(resources(self._plan, self._contract, endpoint))
            if made:
                # Pub/Sub may have started anew.
                self._filters.clear()
                log.info("made on Pub/Sub: %s", ", ".join(path.rpartition("/")[2] for path in made))

    def deliver(self, subscription: str, body: bytes, shape: Shape) -> int:
        """Hand a push to its function; the status to answer with."""
        service = self._plan.service(subscription)
        if service not in self._functions:
            log.error("a push of %s, which is no service's subscription", subscription)
            return HTTPStatus.NOT_FOUND
        pushed = push(body)
        if not self._filter(subscription)(pushed.attributes):
            return HTTPStatus.NO_CONTENT
        attempt = self._count(subscription, pushed.id)
        answer = self._functions[service].call(shaped(shape, pushed, attempt, self._plan.bus))
        if answer.status in ACKNOWLEDGED:
            self._forget(subscription, pushed.id)
            return HTTPStatus.NO_CONTENT
        log.warning("%s, message %s, attempt %d: %s", service, pushed.id, attempt, _text(answer))
        return answer.status

    def ring(self) -> int:
        """Call the tick, as Cloud Scheduler does."""
        answer = self._tick.call(_RING)
        if answer.status not in ACKNOWLEDGED:
            log.warning("tick: %s", _text(answer))
        return answer.status

    def running(self) -> dict[str, dict[str, Any]]:
        """The process of each function, 0 while none runs, and its log."""
        functions = {**self._functions, "tick": self._tick}
        return {name: {"process": each.pid, "log": str(each.log)} for name, each in functions.items()}

    def close(self) -> None:
        """End every function."""
        for each in (*self._functions.values(), self._tick):
            each.stop()
        for each in (*self._functions.values(), self._tick):
            each.join()

    def _filter(self, subscription: str) -> Filter:
        """The filter that Pub/Sub was told, for what an older contract has left there, too."""
        if not (found := self._filters.get(subscription)):
            stored = self._pubsub.subscription(self._plan.path(subscription)) or {}
            found = self._filters[subscription] = compiled(stored.get("filter", ""))
        return found

    def _count(self, subscription: str, id_: str) -> int:
        with self._counting:
            self._attempts[subscription, id_] += 1
            return self._attempts[subscription, id_]

    def _forget(self, subscription: str, id_: str) -> None:
        with self._counting:
            del self._attempts[subscription, id_]


def _text(answer: Answer) -> str:
    return f"{answer.status} {answer.body.decode(errors='replace')[:_SHOWN]}"
