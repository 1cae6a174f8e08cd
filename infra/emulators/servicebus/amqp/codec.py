"""Makes a broker's message of AMQP's bytes, and bytes of it again with what the broker has to say.

A batch is a message whose data sections are messages. Its mark, the message format 0x80013700, proton does not show, so
a batch is known by its shape: an ordinary message would have to carry nothing but whole AMQP messages to be taken for
one.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from proton import ProtonException, int32, symbol, timestamp, uint

from infra.emulators.servicebus.amqp.sections import BODY, NotSections, Section, data, decoded, encoded, split
from infra.emulators.servicebus.broker.errors import InvalidRequest
from infra.emulators.servicebus.broker.message import Entry, Message

SCHEDULED = symbol("x-opt-scheduled-enqueue-time")

_DURABLE, _PRIORITY, _TTL, _FIRST_ACQUIRER = range(4)
_ENVELOPE = {Section.HEADER, Section.PROPERTIES, Section.MESSAGE_ANNOTATIONS, Section.DATA}
_LISTS = {Section.HEADER, Section.PROPERTIES}
_FIELDS = {
    "message_id": 0,
    "to": 2,
    "subject": 3,
    "reply_to": 4,
    "correlation_id": 5,
    "content_type": 6,
    "session_id": 10,
    "reply_to_session_id": 12,
}
"""Where the properties section has what the broker looks at."""
_IDS = {"message_id", "correlation_id"}
"""These may be numbers, UUIDs or binaries; everything else is text."""


class Content(msgspec.Struct, frozen=True, gc=False):
    """The parts of a message that the broker hands through."""

    header: list[Any]
    annotations: dict[Any, Any]
    properties: bytes
    application: bytes
    application_decoded: Mapping[str, Any]
    """What `application` holds. A message with other properties than this very object gets its section anew."""
    body: bytes


def messages(raw: bytes) -> list[Message]:
    """The message, or those of a batch; raises InvalidRequest for bytes that are neither."""
    sections = _sections(raw)
    kinds = {kind for kind, _ in sections}
    inner = _contents(sections)
    if kinds <= _ENVELOPE and inner and all(_is_message(each) for each in inner):
        return [unpack(each) for each in inner]
    return [_message(raw, sections)]


def unpack(raw: bytes) -> Message:
    """One message, of its bytes."""
    return _message(raw, _sections(raw))


def pack(message: Message) -> bytes:
    """One message, with nothing of a queue in it: what a store keeps."""
    return _assembled(message, [*_header(message), None], message.content.annotations)


def delivered(entry: Entry) -> bytes:
    """What a receiver gets."""
    annotations = {
        **entry.message.content.annotations,
        symbol("x-opt-enqueued-time"): timestamp(entry.enqueued_at),
        symbol("x-opt-sequence-number"): entry.number,
        symbol("x-opt-enqueue-sequence-number"): entry.first_number,
        symbol("x-opt-message-state"): int32(entry.state),
    }
    if entry.locked_until:
        annotations[symbol("x-opt-locked-until")] = timestamp(entry.locked_until)
    if entry.dead_letter_source:
        annotations[symbol("x-opt-deadletter-source")] = entry.dead_letter_source
    return _assembled(entry.message, [*_header(entry.message), uint(entry.failures)], annotations)


def _assembled(message: Message, header: list[Any], annotations: Mapping[Any, Any]) -> bytes:
    content: Content = message.content
    parts = [encoded(Section.HEADER, header)]
    if annotations:
        parts.append(encoded(Section.MESSAGE_ANNOTATIONS, dict(annotations)))
    parts.append(content.properties)
    if message.properties is content.application_decoded:
        parts.append(content.application)
    else:
        parts.append(encoded(Section.APPLICATION_PROPERTIES, dict(message.properties)))
    parts.append(content.body)
    return b"".join(parts)


def _header(message: Message) -> list[Any]:
    """Everything in the header but the delivery count; a message lives for as long as its topic says."""
    header = [*message.content.header, None, None, None, None][:4]
    header[_TTL] = None if message.time_to_live is None else uint(min(message.time_to_live, 2**32 - 1))
    return header


def _sections(raw: bytes) -> list[tuple[Section, bytes]]:
    try:
        return list(split(raw))
    except NotSections as error:
        raise InvalidRequest(f"This is no AMQP message: {error}.") from error


def _contents(sections: list[tuple[Section, bytes]]) -> list[bytes]:
    """What the data sections hold."""
    try:
        return [data(section) for kind, section in sections if kind is Section.DATA]
    except NotSections as error:
        raise InvalidRequest(f"This is no AMQP message: {error}.") from error


def _is_message(raw: bytes) -> bool:
    try:
        return any(kind in BODY for kind, _ in split(raw))
    except NotSections:
        return False


def _message(raw: bytes, sections: list[tuple[Section, bytes]]) -> Message:
    try:
        return _taken_apart(raw, sections)
    except (ProtonException, TypeError, ValueError, AttributeError, KeyError) as error:
        raise InvalidRequest(f"This is no AMQP message: {error!r}.") from error


def _decoded(kind: Section, section: bytes) -> Any:
    """The value of a section, which is a list or a map; proton itself reads broken ones as something else."""
    value = decoded(section)
    if not isinstance(value, list if kind in _LISTS else dict):
        raise TypeError(f"{kind.name} holds a {type(value).__name__}")
    return value


def _taken_apart(raw: bytes, sections: list[tuple[Section, bytes]]) -> Message:
    heads = {kind: section for kind, section in sections if kind < Section.DATA}
    values = {kind: _decoded(kind, section) for kind, section in heads.items()}
    header: list[Any] = values.get(Section.HEADER, [])
    annotations: dict[Any, Any] = values.get(Section.MESSAGE_ANNOTATIONS, {})
    application: dict[str, Any] = values.get(Section.APPLICATION_PROPERTIES, {})
    content = Content(
        header,
        annotations,
        heads.get(Section.PROPERTIES, b""),
        heads.get(Section.APPLICATION_PROPERTIES, b""),
        application,
        b"".join(section for kind, section in sections if kind >= Section.DATA),
    )
    properties: list[Any] = values.get(Section.PROPERTIES, [])
    scheduled = annotations.get(SCHEDULED)
    fields = {name: properties[at] for name, at in _FIELDS.items() if at < len(properties)}
    if any(not isinstance(value, str | None) for name, value in fields.items() if name not in _IDS):
        raise TypeError("a property is no text")
    if any(not isinstance(name, str) for name in application):
        raise TypeError("the name of a property is no text")
    return Message(
        content=content,
        size=len(raw),
        properties=application,
        time_to_live=int(header[_TTL]) if len(header) > _TTL and header[_TTL] is not None else None,
        scheduled_for=None if scheduled is None else int(scheduled),
        **fields,
    )
