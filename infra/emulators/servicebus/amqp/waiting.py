"""Receivers that wait for a session: for the next that has messages, until one has or their patience ends."""

from collections.abc import Callable
from functools import partial
from typing import Any

from proton import symbol

from infra.emulators.servicebus.amqp.outlets import Outlet, wanted_session
from infra.emulators.servicebus.broker.errors import BrokerError, NoSession
from infra.emulators.servicebus.broker.namespace import Namespace
from infra.emulators.servicebus.broker.session_queue import SessionQueue

_TIMEOUT = symbol("com.microsoft:timeout")
_PATIENCE = 60_000


class WaitingRoom:
    """Outlets that are not attached yet; `attached` is called for each that is."""

    def __init__(self, namespace: Namespace, attached: Callable[[Outlet], None]) -> None:
        self._namespace = namespace
        self._attached = attached
        self._waiting: dict[SessionQueue, list[Outlet]] = {}

    def enter(self, outlet: Outlet, link: Any, queue: SessionQueue) -> None:
        """Give the receiver its session, now or later."""
        _, wanted = wanted_session(link)
        try:
            if not self._seated(outlet, queue, wanted):
                self._waiting.setdefault(queue, []).append(outlet)
                patience = int((link.remote_properties or {}).get(_TIMEOUT, _PATIENCE))
                self._namespace.at(self._namespace.now + patience, partial(self._give_up, outlet, queue))
        except BrokerError as error:
            outlet.refuse(error)

    def look(self, queue: SessionQueue) -> None:
        """A session may have become free, or have got messages: first come, first served."""
        waiting = self._waiting.get(queue, [])
        while waiting and self._seated(waiting[0], queue, None):
            waiting.pop(0)

    def leave(self, outlet: Outlet) -> None:
        """The receiver has gone; one that didn't wait is no error."""
        for waiting in self._waiting.values():
            if outlet in waiting:
                waiting.remove(outlet)

    def _seated(self, outlet: Outlet, queue: SessionQueue, wanted: str | None) -> bool:
        session = queue.accept_session(wanted)
        if session is None:
            return False
        outlet.open_session(session)
        self._attached(outlet)
        return True

    def _give_up(self, outlet: Outlet, queue: SessionQueue) -> None:
        if outlet in self._waiting.get(queue, []):
            self.leave(outlet)
            outlet.refuse(NoSession(f"'{queue.path}' has no session with messages that nobody has."))
