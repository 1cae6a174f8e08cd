"""What arrives: records of a Lambda event, and messages that were polled, as deliveries.

Shapes: SQS event (developer guide "Using Lambda with Amazon SQS"), SNS event ("Using Lambda with Amazon SNS"), and a
notification in a queue whose subscription has no raw delivery (SNS developer guide, "HTTP/S notification JSON").
No record raises: what can't be read is for the receiver to dead-letter.
"""

from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NotRequired, TypedDict

import msgspec
from msgspec import Struct

from infra.attributes import ATTEMPTS, FIRST, OURS, REASON, number
from infra.aws.batches import Attributes, text
from shared.kernel.errors import ConfigurationError
from shared.kernel.ports import Delivery

ORIGINAL = "trefoil-original"
"""The attribute that holds all others, as JSON, where they would be more than a message may have."""


class Receipt(Struct, frozen=True):
    """What settling a delivery takes."""

    id: str
    """The broker's id of the message."""
    handle: str | None
    """None where SNS invoked the function itself: there is nothing to delete, hide or report."""
    attributes: Attributes
    """The original's, without ours."""
    first: float
    """When the original was sent, seconds since 1970."""


class _Notification(Struct):
    """The envelope that SNS puts around a message unless delivery is raw."""

    type_: str = msgspec.field(name="Type")
    topic: str = msgspec.field(name="TopicArn")
    message: str = msgspec.field(name="Message")
    attributes: dict[str, dict[str, str]] = msgspec.field(name="MessageAttributes", default_factory=dict)


class _Attribute(TypedDict):
    """One attribute in ORIGINAL."""

    DataType: str
    StringValue: NotRequired[str]
    BinaryValue: NotRequired[bytes]


_wrapped = msgspec.json.Decoder(_Notification)
_packed = msgspec.json.Decoder(dict[str, _Attribute])


def deliveries(event: Mapping[str, Any], service: str) -> list[Delivery]:
    """The records of a Lambda event, from SQS or straight from SNS.

    Raises ConfigurationError when it is another kind of event.
    """
    if "Records" not in event:
        raise ConfigurationError(f"the event has no Records: the function of '{service}' is for SQS and SNS")
    return list(_deliveries(event["Records"], service))


def _deliveries(records: Sequence[Mapping[str, Any]], service: str) -> Iterator[Delivery]:
    for record in records:
        if sns := record.get("Sns"):
            receipt = Receipt(sns["MessageId"], None, _from_sns(sns.get("MessageAttributes", {})), _time(sns))
            yield _delivery(sns["Message"], receipt, 1, service)
            continue
        message = {
            "MessageId": record["messageId"],
            "ReceiptHandle": record["receiptHandle"],
            "Body": record["body"],
            "Attributes": record["attributes"],
            "MessageAttributes": {
                name: _shaped(value["dataType"], value.get("stringValue"), value.get("binaryValue"))
                for name, value in record["messageAttributes"].items()
            },
        }
        yield arrived(message, service)


def arrived(message: Any, service: str) -> Delivery:
    """A message as ReceiveMessage gives it; one that SNS wrapped is unwrapped.

    A dead letter that the queue's own redrive sent back has all its tries again, as one that we replay has.
    """
    body, attributes, system = message["Body"], message.get("MessageAttributes", {}), message["Attributes"]
    if '"TopicArn"' in body and (found := _unwrapped(body)):
        body, attributes = found
    redriven = REASON in attributes
    before = 0 if redriven else int(number_in(attributes, ATTEMPTS, 0))
    first = number_in(attributes, FIRST, int(system.get("SentTimestamp", 0)) / 1000)
    # It was in this service's dead letters, so it is for this service alone, and so are its copies.
    own = {**original(attributes), "to": text(service)} if redriven else original(attributes)
    receipt = Receipt(message["MessageId"], message["ReceiptHandle"], own, first)
    return _delivery(body, receipt, before + int(system.get("ApproximateReceiveCount", 1)), service)


def _delivery(body: str, receipt: Receipt, attempts: int, service: str) -> Delivery:
    texts = {name.lower(): value["StringValue"] for name, value in receipt.attributes.items() if "StringValue" in value}
    binary_mode = texts if "ce-id" in texts else {}
    return Delivery(body.encode(), attempts, texts.get("to") == service, binary_mode, receipt)


def packed(attributes: Attributes, ours: Attributes, most: int = 10) -> Attributes:
    """Attributes and ours together; the former in one where a message could not have so many."""
    if len(attributes) + len(ours) <= most:
        return {**attributes, **ours}
    return {ORIGINAL: text(msgspec.json.encode(attributes).decode()), **ours}


def original(attributes: Attributes) -> Attributes:
    """The message's own attributes, as they were before `packed`."""
    own = {name: value for name, value in attributes.items() if name not in OURS}
    try:
        unpacked = _packed.decode(own[ORIGINAL]["StringValue"])
    except (msgspec.MsgspecError, KeyError):
        return own  # not packed
    return {**unpacked, **{name: value for name, value in own.items() if name != ORIGINAL}}


def _unwrapped(body: str) -> tuple[str, Attributes] | None:
    try:
        found = _wrapped.decode(body)
    except (msgspec.MsgspecError, RecursionError):
        return None
    return (found.message, _from_sns(found.attributes)) if found.type_ == "Notification" else None


def _from_sns(attributes: Mapping[str, Mapping[str, str]]) -> Attributes:
    return {
        name: _shaped(value.get("Type", "String"), value.get("Value"), value.get("Value"))
        for name, value in attributes.items()
    }


def _shaped(kind: str, string: str | None, binary: str | None) -> dict[str, Any]:
    if kind.startswith("Binary"):
        return {"DataType": kind, "BinaryValue": _bytes(binary or "")}
    return {"DataType": kind, "StringValue": string or ""}


def _bytes(binary: str) -> bytes:
    try:
        return b64decode(binary)
    except ValueError:
        return binary.encode()  # SNS documents such a one


def number_in(attributes: Attributes, name: str, default: float) -> float:
    """An attribute as a number from zero; the default where there is none."""
    return number(attributes.get(name, {}).get("StringValue"), default)


def _time(sns: Mapping[str, Any]) -> float:
    try:
        return msgspec.convert(sns["Timestamp"], datetime).timestamp()
    except (KeyError, msgspec.ValidationError):
        return 0.0
