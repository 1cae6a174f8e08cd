"""What arrives: the messages that a trigger hands over, and those that were received, as deliveries.

Structured mode is the body alone. In binary mode the attributes are application properties called `cloudEvents:…` or
`cloudEvents_…` (CloudEvents' AMQP binding, section 3.1). No message raises: what can't be read is for the receiver to
dead-letter.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from infra.attributes import ATTEMPTS, FIRST, OURS, REASON, number
from shared.kernel.ports import Delivery

if TYPE_CHECKING:
    from azure.functions import ServiceBusMessage
    from azure.servicebus import ServiceBusReceivedMessage

_SHIFTING = ("content_type", "subject", "correlation_id")

_BINARY_MODE = ("cloudevents:", "cloudevents_", "ce-")


class Receipt(Struct, frozen=True):
    """What settling a delivery takes."""

    id: str
    """The broker's name for it: its sequence number, which no other message of the queue ever has."""
    handle: Any
    """The message that was received and is locked; None of one that the host settles."""
    properties: Mapping[Any, Any]
    """The original's, without ours, as they came."""
    first: float
    """When the original was enqueued, seconds since 1970."""
    content_type: str | None
    subject: str | None
    correlation_id: str | None


def triggered(messages: "Sequence[ServiceBusMessage]", service: str) -> list[Delivery]:
    """The messages of a trigger, whose host counts deliveries from one, and settles them when the function returns.

    Out of its arrays of texts the host leaves what is empty, and what is behind moves up to another message (issue 8499
    of azure-functions-host). So where one message of a batch lacks a text, nobody knows whose the others are.
    """
    whole = [name for name in _SHIFTING if all(getattr(message, name) for message in messages)]
    return [_delivery(each.get_body(), each, each.delivery_count or 1, None, service, whole) for each in messages]


def arrived(message: "ServiceBusReceivedMessage", service: str) -> Delivery:
    """A message that was received and is locked; the SDK counts the deliveries before this one."""
    return _delivery(body_of(message), message, (message.delivery_count or 0) + 1, message, service, _SHIFTING)


def body_of(message: "ServiceBusReceivedMessage") -> bytes:
    """The bytes of a message, also of a text that is AMQP's value; other values are told, and no message of ours."""
    if message.body_type.value == "data":
        return b"".join(message.body)
    if isinstance(message.body, bytes):
        return message.body
    return b"" if message.body is None else str(message).encode()


def _delivery(  # noqa: PLR0913 - one for each thing in which a trigger's messages and received ones differ
    body: bytes, message: Any, count: int, handle: Any, service: str, whole: Collection[str]
) -> Delivery:
    properties = message.application_properties
    told, its = texts(properties), own(properties)
    # A dead letter that somebody sent back as it was has all its tries, as one that we replay has.
    before = 0 if REASON in told else int(number(told.get(ATTEMPTS), 0))
    receipt = Receipt(
        str(message.sequence_number),
        handle,
        {**its, "to": service} if REASON in told else its,
        number(told.get(FIRST), _seconds(message.enqueued_time_utc)),
        *(_readable(getattr(message, name)) if name in whole else None for name in _SHIFTING),
    )
    return Delivery(body, before + count, texts(receipt.properties).get("to") == service, _headers(receipt), receipt)


def _readable(value: Any) -> Any:
    """The SDK hands over as bytes what is no UTF-8, and would not send it so."""
    return _text(value) if isinstance(value, bytes) else value


def _seconds(enqueued: datetime | None) -> float:
    """A trigger's times are in UTC, and don't say so."""
    return enqueued.replace(tzinfo=enqueued.tzinfo or UTC).timestamp() if enqueued else 0.0


def _headers(receipt: Receipt) -> dict[str, str]:
    """The attributes of binary mode as HTTP has them; empty in structured mode."""
    headers: dict[str, str] = {}
    for name, text in texts(receipt.properties).items():
        for beginning in _BINARY_MODE:
            if name.lower().startswith(beginning):
                headers[f"ce-{name.lower().removeprefix(beginning)}"] = text
    if "ce-id" not in headers:
        return {}
    return {**headers, "content-type": receipt.content_type or "application/json"}


def texts(properties: Mapping[Any, Any] | None) -> dict[str, str]:
    """Properties as texts: names may be bytes, values may be of any kind."""
    return {_text(name): _text(value) for name, value in (properties or {}).items()}


def own(properties: Mapping[Any, Any] | None) -> dict[Any, Any]:
    """The message's own properties, as its sender gave them."""
    return {name: value for name, value in (properties or {}).items() if _text(name) not in OURS}


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
