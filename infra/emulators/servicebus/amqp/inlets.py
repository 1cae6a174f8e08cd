"""Links by which clients send."""

import logging
from typing import Any

from proton import Delivery

from infra.emulators.servicebus.amqp.codec import messages
from infra.emulators.servicebus.amqp.conditions import condition
from infra.emulators.servicebus.broker.errors import BrokerError, MessageTooLarge
from infra.emulators.servicebus.broker.queue import Queue
from infra.emulators.servicebus.broker.topic import Topic

_CREDIT = 500

_log = logging.getLogger(__name__)


def replenish(link: Any) -> None:
    """Give credit in large portions: each frame that a client gets while it opens costs the SDK 50 ms."""
    if link.credit < _CREDIT // 2:
        link.flow(_CREDIT - link.credit)


class Inlet:
    """One sender's link. A message is accepted, all of its batch with it, or refused with an error."""

    def __init__(self, link: Any, entity: Queue | Topic) -> None:
        self._link = link
        self._entity = entity

    def open(self) -> None:
        """Attach, and let the sender send."""
        self._link.max_message_size = self._entity.settings.max_message_bytes
        self._link.open()
        replenish(self._link)

    def on_delivery(self, delivery: Any) -> None:
        """Take what has arrived, once all of it has."""
        if delivery.aborted or delivery.partial or not delivery.readable:
            return
        raw = bytes(self._link.recv(delivery.pending))
        self._link.advance()
        try:
            self._take(raw)
            outcome = Delivery.ACCEPTED
        except BrokerError as error:
            _log.info("%s: a message was refused: %s", self._entity.path, error)
            delivery.local.condition = condition(error)
            outcome = Delivery.REJECTED
        delivery.update(outcome)
        delivery.settle()
        replenish(self._link)

    def on_flow(self) -> None:
        """Senders give no credit."""

    def on_close(self) -> None:
        """Nothing is left behind."""

    def _take(self, raw: bytes) -> None:
        most = self._entity.settings.max_message_bytes
        if len(raw) > most:
            raise MessageTooLarge(f"{len(raw)} bytes were sent at once; '{self._entity.path}' takes at most {most}.")
        self._entity.send(messages(raw))
