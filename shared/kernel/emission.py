"""Payloads a handler returned, as the messages of a commit."""

from datetime import UTC, datetime

import msgspec

from shared.kernel.codec import SUBJECT, encode
from shared.kernel.commit import Emitted
from shared.kernel.message import About, After, Emission, Envelope, Payload
from shared.kernel.ports import Outgoing, Timer
from shared.kernel.service import Service

_json = msgspec.json.Encoder()


class Emitter:
    """Wraps payloads in envelopes; built once a service."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def emit(  # noqa: PLR0913 - an id is made of exactly these
        self, emission: Emission, cause: Envelope, position: int, stream: str, version: int, index: int, now: float
    ) -> tuple[Emitted, Payload]:
        """The emitted message and its payload; `position` is the cause's place among the commit's handled messages.

        Raises TooLarge, ValueError for a bad subject, TypeError for a payload the service does not declare.
        """
        subject, due, payload = _unwrap(emission, cause.subject, now)
        if type(payload) not in self._service.emits:
            raise TypeError(f"service '{self._service.name}' returned {payload!r:.200}, which its `emits` doesn't list")
        named = payload.message_type
        envelope = Envelope(
            specversion="1.0",
            id=f"{stream}:{version}:{index}",
            source=self._service.source,
            type=str(named),
            subject=subject,
            time=datetime.fromtimestamp(due or now, UTC),
            correlationid=cause.correlationid or cause.id,
            causationid=cause.id,
            traceparent=cause.traceparent,
            hops=cause.hops + 1,
            sequence=f"{version:010}.{index:04}",
            data=msgspec.Raw(_json.encode(payload)),
        )
        return Emitted(position, msgspec.Raw(encode(envelope)), due, named.private), payload


def _unwrap(emission: Emission, subject: str, now: float) -> tuple[str, float | None, Payload]:
    due = None
    if isinstance(emission, About):
        subject, emission = emission.subject, emission.data
        if not SUBJECT.fullmatch(subject):
            raise ValueError(f"subject '{subject[:80]}' is not 1 to 64 characters of A-Z a-z 0-9 . _ ~ -")
    if isinstance(emission, After):
        due, emission = now + emission.delay, emission.data
    return subject, due, emission


def outgoing(envelope: Envelope, body: bytes, to: str | None = None) -> Outgoing:
    """An encoded message with the attributes that brokers filter by."""
    return Outgoing(envelope.id, envelope.type, envelope.subject, body, to)


def timer(envelope: Envelope, body: bytes, due: float, service: str) -> Timer:
    """A message that its own service receives when it is due."""
    return Timer(due, outgoing(envelope, body, service))
