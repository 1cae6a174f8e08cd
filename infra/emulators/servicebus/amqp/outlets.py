"""Links by which clients receive: credit in, messages out, settlements back."""

import logging
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

from proton import Delivery, Described, Link, Terminus, symbol

from infra.emulators.servicebus.amqp.codec import delivered
from infra.emulators.servicebus.amqp.conditions import condition
from infra.emulators.servicebus.amqp.sections import own
from infra.emulators.servicebus.broker.errors import BrokerError, EntityNotFound, NotAllowed, SessionLockLost
from infra.emulators.servicebus.broker.message import DEAD_LETTER_DESCRIPTION, DEAD_LETTER_REASON
from infra.emulators.servicebus.broker.queue import Queue
from infra.emulators.servicebus.broker.session_queue import SessionQueue
from infra.emulators.servicebus.broker.sessions import SessionLock

SESSION_FILTER = symbol("com.microsoft:session-filter")

_LOCKED_UNTIL = symbol("com.microsoft:locked-until-utc")
_DOTNET_EPOCH = 621_355_968_000_000_000
"""1970 in ticks of 100 ns since the year 1."""
_TICKS = 10_000
_SETTLED = 1
"""Sender settle mode of a link that receives and deletes."""

_log = logging.getLogger(__name__)


class Outlet:
    """One receiver's link."""

    def __init__(self, link: Any, queue: Queue, closed: Callable[["Outlet"], None]) -> None:
        self.queue = queue
        self.session: SessionLock | None = None
        self._link = link
        self._closed = closed
        self._deletes = link.remote_snd_settle_mode == _SETTLED

    def open(self) -> None:
        """Attach, for a queue without sessions."""
        self._link.open()

    def open_session(self, session: SessionLock) -> None:
        """Attach, and tell the receiver which session it has and until when."""
        self.session = session
        self._link.source.filter.clear()
        self._link.source.filter.put_object({SESSION_FILTER: session.session_id})
        self._link.properties = {_LOCKED_UNTIL: session.locked_until * _TICKS + _DOTNET_EPOCH}
        self._link.open()

    def refuse(self, error: BrokerError) -> None:
        """Detach with an error, now or before it was ever attached."""
        refuse(self._link, error)

    def offer(self) -> bool:
        """Send one message if there are credit and a message; whether it did."""
        if self._link.credit <= 0:
            return False
        entry = self.queue.receive(self.session, delete=self._deletes)
        if entry is None:
            return False
        token = entry.token or uuid4()
        delivery = self._link.delivery(token.bytes_le)
        self._link.stream(delivered(entry))
        self._link.advance()
        if self._deletes:
            delivery.settle()
        else:
            delivery.token = token
        return True

    def on_flow(self) -> None:
        """A receiver that drains gets what there is, and then its credit back."""
        while self.offer():
            pass
        if self._link.drain_mode:
            self._link.drained()

    def on_delivery(self, delivery: Any) -> None:
        """Settle a message as the receiver says, and answer with the same outcome."""
        token: UUID | None = getattr(delivery, "token", None)
        if token is None or not delivery.updated:
            return
        outcome = delivery.remote_state
        try:
            self._settle(token, outcome, delivery.remote)
        except BrokerError as error:
            _log.info("%s: a message was not settled: %s", self.queue.path, error)
            delivery.local.condition = condition(error)
            outcome = Delivery.REJECTED
        if not delivery.settled:
            delivery.update(outcome)
        delivery.token = None
        delivery.settle()

    def on_close(self) -> None:
        """The receiver has gone: its session is free, and its locks on messages run out in their time."""
        if self.session is not None and isinstance(self.queue, SessionQueue):
            self.queue.release_session(self.session)
        self._closed(self)

    def _settle(self, token: UUID, outcome: int, how: Any) -> None:
        if outcome == Delivery.ACCEPTED:
            self.queue.complete(token)
        elif outcome == Delivery.REJECTED:
            self.queue.dead_letter(token, **_why(how.condition))
        elif outcome == Delivery.MODIFIED and how.undeliverable:
            self.queue.defer(token, _properties(how.annotations))
        elif outcome == Delivery.MODIFIED and how.failed:
            self.queue.abandon(token, _properties(how.annotations))
        else:
            self.queue.release(token)


class Outlets:
    """All receivers' links, by queue. Whose turn it is goes round, so that competing consumers share the work."""

    def __init__(self) -> None:
        self._outlets: dict[Queue, list[Outlet]] = {}

    def add(self, outlet: Outlet) -> None:
        """A receiver has come."""
        self._outlets.setdefault(outlet.queue, []).append(outlet)

    def remove(self, outlet: Outlet) -> None:
        """It has gone; one that never came is no error."""
        if outlet in self._outlets.get(outlet.queue, []):
            self._outlets[outlet.queue].remove(outlet)

    def pump(self, queue: Queue) -> None:
        """Hand out what waits in a queue to those who have credit."""
        outlets = self._outlets.get(queue, [])
        while queue.gone and outlets:
            outlets.pop().refuse(EntityNotFound(f"'{queue.path}' was removed."))
        for lost in [each for each in outlets if each.session is not None and each.session.lost]:
            outlets.remove(lost)
            lost.refuse(SessionLockLost(f"The lock of the session in '{queue.path}' has expired."))
        if outlets:
            outlets.append(outlets.pop(0))
        able = list(outlets)
        while able:
            able = [each for each in able if each.offer()]


def refuse(link: Any, error: BrokerError) -> None:
    """Close a link with an error. One that was never attached is answered without a terminus, which says so.

    The SDK takes it for attached otherwise, sends, and never sees the error.
    """
    _log.info("a link is refused: %s", error)
    link.source.type = link.target.type = Terminus.UNSPECIFIED
    link.condition = condition(error)
    link.open()
    link.close()


def wanted_session(link: Any) -> tuple[bool, str | None]:
    """Whether a receiver asks for a session, and for which; None stands for the next that has messages."""
    filters = link.remote_source.filter
    filters.rewind()
    found: Any = own(filters.get_object()) if filters.next() else None
    if not isinstance(found, dict) or SESSION_FILTER not in found:
        return False, None
    wanted = found[SESSION_FILTER]
    session: Any = wanted.value if isinstance(wanted, Described) else wanted
    return True, session


def check_receiver(link: Link, queue: Queue) -> None:
    """Raise NotAllowed when a queue can't be received from that way."""
    asks, _ = wanted_session(link)
    has = isinstance(queue, SessionQueue)
    if queue.forward is not None:
        raise NotAllowed(f"'{queue.path}' forwards its messages to '{queue.forward.path}': receive from there.")
    queue.check_delivers()
    if has and not asks:
        raise NotAllowed(f"'{queue.path}' has sessions, so its receivers must name one, or accept the next.")
    if asks and not has:
        raise NotAllowed(f"'{queue.path}' has no sessions.")


def _why(rejection: Any) -> dict[str, Any]:
    """Reason and description of a dead letter, and any other property that the receiver set."""
    info = {str(name): value for name, value in own(rejection.info or {}).items()} if rejection else {}
    reason = info.pop(DEAD_LETTER_REASON, None) or ""
    description = info.pop(DEAD_LETTER_DESCRIPTION, None) or ""
    return {"reason": reason, "description": description, "properties": info}


def _properties(annotations: Any) -> dict[str, Any]:
    return {str(name): value for name, value in own(annotations or {}).items()}
