"""What arrives: the requests that reach a function, and messages that were pulled, as deliveries.

A request has one of these shapes, and no request raises: what can't be read is for the receiver to dead-letter.

- A push, wrapped: JSON with `message`, `subscription` and `deliveryAttempt` (Pub/Sub, "Push subscriptions").
- A push, unwrapped: the data, with attributes and `x-goog-pubsub-…` as headers ("Payload unwrapping").
- Eventarc's CloudEvent around the wrapped push, in binary mode (`ce-…` headers beside it) or in structured mode.
- A CloudEvent of ours, sent by HTTP itself, in binary or structured mode.
"""

from base64 import b64decode
from collections.abc import Mapping
from datetime import datetime
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct, field, structs

from infra.attributes import ATTEMPTS, FIRST, OURS, REASON, number
from shared.kernel.ports import Delivery

if TYPE_CHECKING:
    from google.pubsub_v1 import ReceivedMessage

MOST_ATTRIBUTES = 100
"""Of one message (Pub/Sub quotas and limits, "Resource limits")."""
LEFT_OUT = "trefoil-left-out"
"""How many of a message's own attributes had no room beside ours."""
FANNED_OUT = "trefoil-fanned-out"
"""On a copy of what the bus had fanned out: its `to` is how it came back, and no part of the message."""

GOOGLES = "CloudPubSubDeadLetterSource"
"""Begins the attributes that Pub/Sub adds to what its dead-letter policy moves ("Dead-letter topics")."""
DELIVERIES, PUBLISHED = f"{GOOGLES}DeliveryCount", f"{GOOGLES}TopicPublishTime"

NOBODY_COUNTS = 0
"""The attempt where there is no dead-letter policy, or no room to tell of it."""

_METADATA = "x-goog-pubsub-"
_OF_HTTP = frozenset(
    (
        *("accept", "accept-encoding", "accept-language", "authorization", "cache-control", "connection"),
        *("content-length", "cookie", "expect", "forwarded", "from", "host", "pragma", "te", "traceparent"),
        *("tracestate", "transfer-encoding", "upgrade", "user-agent", "via", "x-cloud-trace-context"),
        *("x-serverless-authorization", "function-execution-id"),
    )
)
"""Headers that are about a request, not about the message in it, beside those that begin with `x-forwarded-`."""


class Receipt(Struct, frozen=True):
    """What settling a delivery takes."""

    id: str
    """Pub/Sub's id of the message, or a digest where none was told."""
    handle: Any
    """Subscription and ack id of what was pulled; None of what was pushed, which the answer settles."""
    attributes: Mapping[str, str]
    """The original's, without ours."""
    first: float
    """When the original was published, seconds since 1970."""
    ordering_key: str = ""


class _Message(Struct):
    """A message in JSON; both ways of writing its names are in use."""

    data: str = ""
    attributes: dict[str, str] = {}
    id: str = field(name="messageId", default="")
    id_too: str = field(name="message_id", default="")
    published: str = field(name="publishTime", default="")
    published_too: str = field(name="publish_time", default="")
    ordering_key: str = field(name="orderingKey", default="")


class _Push(Struct):
    """The body of a wrapped push."""

    message: _Message
    subscription: str
    attempt: int = field(name="deliveryAttempt", default=1)


class _Event(Struct):
    """Eventarc's CloudEvent in structured mode."""

    data: _Push


_push = msgspec.json.Decoder(_Push)
_event = msgspec.json.Decoder(_Event)


def delivery(body: bytes, headers: Mapping[str, str], service: str) -> Delivery:
    """The message in a request; `headers` are lower-case."""
    if found := _pushed(body):
        push, data = found
        message = push.message
        published = seconds(message.published or message.published_too)
        receipt = Receipt(message.id or message.id_too, None, message.attributes, published, message.ordering_key)
        return _delivery(data, receipt, push.attempt, service)
    told = {name.removeprefix(_METADATA): text for name, text in headers.items() if name.startswith(_METADATA)}
    own = {name: text for name, text in headers.items() if _is_own(name)}
    id_ = told.get("message-id") or _digest(body, own)
    receipt = Receipt(id_, None, own, seconds(told.get("publish-time", "")), told.get("ordering-key", ""))
    return _delivery(body, receipt, NOBODY_COUNTS, service)  # headers don't say which delivery it is


def arrived(received: "ReceivedMessage", subscription: str, service: str) -> Delivery:
    """A message that was pulled."""
    message = received.message
    published = message.publish_time.timestamp() if message.publish_time else 0.0
    handle = (subscription, received.ack_id)
    receipt = Receipt(message.message_id, handle, dict(message.attributes), published, message.ordering_key)
    return _delivery(message.data, receipt, received.delivery_attempt, service)


def _delivery(data: bytes, raw: Receipt, attempt: int, service: str) -> Delivery:
    """The delivery; `raw` still has our attributes."""
    told, own = raw.attributes, original(raw.attributes)
    # A dead letter that somebody published again as it was has all its tries, as one that we replay has.
    before = 0 if REASON in told else int(number(told.get(ATTEMPTS), 0))
    receipt = structs.replace(raw, attributes=own, first=number(told.get(FIRST), raw.first))
    lower = {name.lower(): text for name, text in own.items()}
    binary_mode = lower if "ce-id" in lower else {}
    return Delivery(data, before + max(1, attempt), lower.get("to") == service, binary_mode, receipt)


def original(attributes: Mapping[str, str]) -> dict[str, str]:
    """The message's own attributes, as its publisher gave them."""
    about = OURS | {LEFT_OUT, FANNED_OUT, *(("to",) if FANNED_OUT in attributes else ())}
    return {name: text for name, text in attributes.items() if name not in about and not name.startswith(GOOGLES)}


def with_room(attributes: Mapping[str, str], ours: Mapping[str, str]) -> dict[str, str]:
    """Attributes and ours together. Where a message can't have so many, some of its own are left out, and counted."""
    own = [name for name in attributes if name not in ours]
    room = MOST_ATTRIBUTES - len(ours)
    if len(own) <= room:
        return {**attributes, **ours}
    # What says what the message is stays.
    kept = sorted(own, key=lambda name: not name.lower().startswith(("ce-", "content-type", "type", "subject")))
    left_out = {LEFT_OUT: str(len(own) - room + 1)}
    return {name: attributes[name] for name in kept[: room - 1]} | left_out | dict(ours)


def seconds(time: str) -> float:
    """A time of RFC 3339 in seconds since 1970; 0 where there is none."""
    try:
        return msgspec.convert(time, datetime).timestamp()
    except (msgspec.ValidationError, ValueError):
        return 0.0


def _pushed(body: bytes) -> tuple[_Push, bytes] | None:
    """A wrapped push and its data; None where the body is not one, such as when it only looks like one."""
    decoders: tuple[Any, ...] = (_push, _event)
    for decoder in decoders:
        try:
            found = decoder.decode(body)
            push: _Push = found.data if isinstance(found, _Event) else found
            return push, b64decode(push.message.data, validate=True)
        except (msgspec.MsgspecError, RecursionError, ValueError):  # the last: no UTF-8, or no base64
            continue
    return None


def _digest(body: bytes, own: Mapping[str, str]) -> str:
    # The headers, too: in binary mode, two messages may differ in nothing else.
    return blake2b(body + ascii(sorted(own.items())).encode(), digest_size=16).hexdigest()


def _is_own(header: str) -> bool:
    return not header.startswith((_METADATA, "x-forwarded-")) and header not in _OF_HTTP
