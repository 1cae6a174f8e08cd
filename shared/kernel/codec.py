"""Bytes to envelopes and back (CloudEvents 1.0.2: JSON format, and the HTTP binding's binary mode on the way in)."""

import re
from collections.abc import Mapping
from hashlib import blake2b
from urllib.parse import unquote

import msgspec

from shared.kernel.errors import MalformedMessage, TooLarge
from shared.kernel.message import Envelope

ENVELOPE_LIMIT = 192 * 1024
"""Bytes. The smallest broker limit is 256 KB (SQS, SNS, Service Bus standard), attributes included."""

CONTENT_TYPE = "application/cloudevents+json"
SUBJECT = re.compile(r"[A-Za-z0-9._~-]{1,64}")
_ID_LIMIT = 128  # Service Bus refuses a longer MessageId
_SOURCE_LIMIT = 256  # a source is remembered with every handled id
_MAX_AHEAD = 86_400.0  # seconds

_decoder = msgspec.json.Decoder(Envelope)
_lax_decoder = msgspec.json.Decoder(Envelope, strict=False)  # headers are text: hops comes as "3"
_encoder = msgspec.json.Encoder()


def encode(envelope: Envelope) -> bytes:
    """Write structured JSON.

    Raises TooLarge when it is over the limit, so that nothing is produced that a broker would refuse.
    """
    body = _encoder.encode(envelope)
    check_size(body)
    return body


def check_size(body: bytes) -> None:
    """Raises TooLarge when an envelope's bytes are over ENVELOPE_LIMIT."""
    if len(body) > ENVELOPE_LIMIT:
        raise TooLarge(f"the envelope has {len(body):,} bytes; at most {ENVELOPE_LIMIT:,} travel on every broker")


def decode(body: bytes, attributes: Mapping[str, str] | None = None) -> Envelope:
    """Read an envelope: structured JSON, or binary mode when `attributes` hold lower-case `ce-…` headers.

    Raises MalformedMessage naming the attribute at fault, or TooLarge.
    """
    check_size(body)
    try:
        if attributes and "ce-id" in attributes:
            return _checked(_lax_decoder.decode(_structured(body, attributes)))
        return _checked(_decoder.decode(body))
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise MalformedMessage(f"not a CloudEvent: {error}") from error


def _structured(body: bytes, headers: Mapping[str, str]) -> bytes:
    # HTTP binding 3.1: attributes are percent-encoded headers with a ce- prefix, the content type describes the body.
    fields: dict[str, object] = {name[3:]: unquote(text) for name, text in headers.items() if name.startswith("ce-")}
    fields["datacontenttype"] = headers.get("content-type", "application/json")
    fields["data"] = msgspec.json.decode(body, type=msgspec.Raw)  # one JSON value, and nothing after it
    return _encoder.encode(fields)


def _checked(envelope: Envelope) -> Envelope:
    if envelope.specversion != "1.0":
        raise MalformedMessage(f"specversion is '{envelope.specversion[:20]}'; this code reads '1.0'")
    if not 0 < len(envelope.id) <= _ID_LIMIT:
        raise MalformedMessage(f"id has {len(envelope.id)} characters; 1 to {_ID_LIMIT} are allowed")
    if not 0 < len(envelope.source) <= _SOURCE_LIMIT:
        raise MalformedMessage(f"source has {len(envelope.source)} characters; 1 to {_SOURCE_LIMIT} are allowed")
    if not SUBJECT.fullmatch(envelope.subject):
        raise MalformedMessage(f"subject '{envelope.subject[:80]}' is not 1 to 64 characters of A-Z a-z 0-9 . _ ~ -")
    content_type = envelope.datacontenttype
    if content_type != "application/json" and not content_type.partition(";")[0].strip().endswith("json"):
        raise MalformedMessage(f"datacontenttype is '{content_type[:80]}'; payloads are JSON")
    if envelope.hops < 0:
        raise MalformedMessage("hops is negative")
    return envelope


def check_not_from_the_future(time: float, now: float) -> None:
    """Raises MalformedMessage when a message's `time` is over a day ahead; both in seconds since 1970."""
    if time > now + _MAX_AHEAD:
        ahead = (time - now) / 86_400
        raise MalformedMessage(f"time is {ahead:,.1f} days ahead; more than one means that a clock is wrong")


def digest(envelope: Envelope, time: float) -> str:
    """16 hex digits over what makes two copies the same message: type, subject, time (seconds since 1970) and data."""
    head = f"{envelope.type}\n{envelope.subject}\n{time}\n".encode()
    return blake2b(head + envelope.data, digest_size=8).hexdigest()


def read_own(body: bytes | msgspec.Raw) -> Envelope:
    """Read an envelope that this code encoded, without checking it again."""
    return _decoder.decode(body)
