"""Sending to queues and topics by name, in batches of what one transfer may carry."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from threading import Lock
from typing import TYPE_CHECKING, Any

from azure.servicebus.exceptions import MessagingEntityNotFoundError
from msgspec import Struct

from infra.azure.clients import CALL_SECONDS, FAULTS, Clients
from infra.batching import batches
from shared.kernel.codec import CONTENT_TYPE

if TYPE_CHECKING:
    from azure.servicebus import ServiceBusMessage, ServiceBusSender

BATCH_COUNT = 4500
BATCH_BYTES = 240 * 1024
"""A transfer holds 256 KB in the standard tier, what frames it included (Service Bus quotas)."""
_FRAME = 256
"""Bytes, generously, of what frames a message, beside its properties."""
_WHOLE = range(-(2**31), 2**31)
"""Whole numbers that the SDK sends; it reads longer ones, too, and times as such."""

Properties = Mapping[Any, Any]
"""Application properties; a received message's names may be bytes."""


class Letter(Struct, frozen=True):
    """One message to be sent."""

    id: str
    body: bytes
    properties: Properties
    content_type: str | None = CONTENT_TYPE
    subject: str | None = None
    correlation_id: str | None = None
    due: float | None = None
    """When it is to be delivered, seconds since 1970; at once, if it is left out."""

    @property
    def size(self) -> int:
        """Bytes, at most."""
        texts = sum(len(str(part).encode()) + 8 for pair in self.properties.items() for part in pair)
        framed = (self.id, self.subject or "", self.correlation_id or "")
        return len(self.body) + sum(len(each.encode()) for each in framed) + texts + _FRAME


class Senders:
    """The deployment's queues and its topic, as far as one sends to them. A sender takes one call at a time."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._locks: dict[str, Lock] = {}

    def to_topic(self, topic: str, letters: Sequence[Letter]) -> dict[int, str]:
        """Send to a topic; return the positions of those that were not confirmed, and why."""
        return self._send(topic, lambda: self._clients.topic_sender(topic), letters)

    def to_queue(self, queue: str, letters: Sequence[Letter]) -> dict[int, str]:
        """Send to a queue; return the positions of those that were not confirmed, and why."""
        return self._send(queue, lambda: self._clients.queue_sender(queue), letters)

    def _send(self, name: str, sender: Callable[[], "ServiceBusSender"], letters: Sequence[Letter]) -> dict[int, str]:
        faults: dict[int, str] = {}
        for batch in batches(enumerate(letters), lambda numbered: numbered[1].size, BATCH_COUNT, BATCH_BYTES):
            messages = [_message(letter) for _, letter in batch]
            try:
                with self._locks.setdefault(name, Lock()):
                    sender().send_messages(messages, timeout=CALL_SECONDS)
            except MessagingEntityNotFoundError:
                fault = (
                    f"there is no '{name}' in the Service Bus namespace: deploy first, or set TREFOIL_NAME and"
                    " TREFOIL_STAGE to those of the deployment"
                )
                faults |= dict.fromkeys((number for number, _ in batch), fault)
            except FAULTS as error:  # the SDK has tried again already; a transfer is taken as a whole or not at all
                faults |= dict.fromkeys((number for number, _ in batch), f"'{name}': {error}")
        return faults


def _message(letter: Letter) -> "ServiceBusMessage":
    from azure.servicebus import ServiceBusMessage  # noqa: PLC0415 - loaded with the client

    return ServiceBusMessage(
        letter.body,
        message_id=letter.id,
        application_properties={name: _sendable(value) for name, value in letter.properties.items()},
        content_type=letter.content_type,
        subject=letter.subject,
        correlation_id=letter.correlation_id,
        scheduled_enqueue_time_utc=None if letter.due is None else datetime.fromtimestamp(letter.due, UTC),
    )


def _sendable(value: Any) -> Any:
    """A property as the SDK sends it: it refuses some of what it has received itself."""
    if isinstance(value, int):
        return value if value in _WHOLE else str(value)
    if isinstance(value, bytes):
        try:
            return value.decode()  # a text, as far as it lets anybody know
        except UnicodeDecodeError:
            return bytearray(value)
    return value
