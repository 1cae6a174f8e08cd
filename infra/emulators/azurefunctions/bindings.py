"""What the Service Bus extension and the host make of messages: binding data, value by value.

After `ServiceBusTriggerBindingStrategy.cs` of the extension and `GrpcMessageConversionExtensions.cs` of the host, with
what is odd about them:

- `EnqueuedTimeUtc` and `ExpiresAtUtc` are times without a zone, because .NET knows none of theirs any more.
- A worker that does not ask for empty entries, as Python's does not, gets an array of texts without them. So where one
  message of a batch has no correlation id, those of the messages behind it move up, and `azure.functions` hands them to
  the wrong messages. Counts, times and properties have all their places.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from infra.emulators.azurefunctions.rpc import CollectionBytes, CollectionSInt64, CollectionString, TypedData

if TYPE_CHECKING:
    from azure.servicebus import ServiceBusReceivedMessage as Received

INCLUDES_EMPTY = "IncludeEmptyEntriesInMessagePayload"
"""The capability of a worker that wants texts that are not there as empty ones."""

_NEVER = "9999-12-31T23:59:59.9999999"

_TEXTS = {
    "DeadLetterSource": "dead_letter_source",
    "LockToken": "lock_token",
    "MessageId": "message_id",
    "ContentType": "content_type",
    "ReplyTo": "reply_to",
    "To": "to",
    "Subject": "subject",
    "Label": "subject",
    "CorrelationId": "correlation_id",
    "SessionId": "session_id",
    "ReplyToSessionId": "reply_to_session_id",
    "PartitionKey": "partition_key",
    "TransactionPartitionKey": "partition_key",
}
"""Names of the extension, and the SDK's."""


def bodies(messages: "Sequence[Received]") -> TypedData:
    """A batch for a parameter of the data type binary."""
    return TypedData(collection_bytes=CollectionBytes([body(each) for each in messages]))


def body(message: "Received") -> bytes:
    """What a message carries."""
    return b"".join(message.body) if message.body_type.value == "data" else str(message).encode()


def of_batch(messages: "Sequence[Received]", *, include_empty: bool) -> dict[str, TypedData]:
    """Binding data of a batch: an array for each property."""
    texts = {name: _texts([_text(each, its) for each in messages], include_empty) for name, its in _TEXTS.items()}
    jsons = {name: _json([each[name] for each in map(_values, messages)]) for name in _values(messages[0])}
    numbers = TypedData(collection_sint64=CollectionSInt64([each.sequence_number or 0 for each in messages]))
    return {f"{name}Array": value for name, value in {**texts, **jsons, "SequenceNumber": numbers}.items()}


def of_one(message: "Received") -> dict[str, TypedData]:
    """Binding data of a single message: what is null is left out."""
    texts = {name: _text(message, its) for name, its in _TEXTS.items()}
    return {
        **{name: TypedData(string=text) for name, text in texts.items() if text is not None},
        **{name: _json(value) for name, value in _values(message).items()},
        "SequenceNumber": _json(message.sequence_number),
    }


def _values(message: "Received") -> dict[str, Any]:
    """What travels as JSON."""
    properties = {_plain(name): _plain(value) for name, value in (message.application_properties or {}).items()}
    enqueued, expires = _time(message.enqueued_time_utc), _expires(message)
    return {
        # The SDK for .NET counts this delivery, Python's those before it.
        "DeliveryCount": (message.delivery_count or 0) + 1,
        "ExpiresAtUtc": expires,
        "ExpiresAt": f"{expires}+00:00",
        "EnqueuedTimeUtc": enqueued,
        "EnqueuedTime": f"{enqueued}+00:00",
        "ApplicationProperties": properties,
        "UserProperties": properties,
    }


def _text(message: "Received", attribute: str) -> str | None:
    value = getattr(message, attribute)
    return None if value is None else str(_plain(value))


def _texts(found: Sequence[str | None], include_empty: bool) -> TypedData:  # noqa: FBT001 - the host's own parameter
    return TypedData(collection_string=CollectionString([each or "" for each in found if each or include_empty]))


def _expires(message: "Received") -> str:
    if message.time_to_live is None or message.enqueued_time_utc is None:
        return _NEVER
    try:
        return _time(message.enqueued_time_utc + message.time_to_live)
    except OverflowError:
        return _NEVER


def _time(moment: datetime | None) -> str:
    """As Newtonsoft.Json writes a time of no known zone."""
    utc = (moment or datetime.fromtimestamp(0, UTC)).astimezone(UTC).replace(tzinfo=None)
    fraction = f".{utc.microsecond:06}".rstrip("0").rstrip(".")
    return f"{utc - timedelta(microseconds=utc.microsecond):%Y-%m-%dT%H:%M:%S}{fraction}"


def _plain(value: Any) -> Any:
    """A property as JSON has it; the SDK for Python leaves texts as bytes."""
    match value:
        case bytes():
            return value.decode(errors="replace")
        case None | bool() | int() | float() | str():
            return value
        case datetime():
            return f"{_time(value)}Z"
        case Mapping():
            return {_plain(name): _plain(each) for name, each in value.items()}
        case list() | tuple():
            return [_plain(each) for each in value]
        case _:
            return str(value)


def _json(value: Any) -> TypedData:
    return TypedData(json=json.dumps(value, separators=(",", ":"), ensure_ascii=False))
