"""Payloads a handler returned, as the messages of a commit and on their way to the bus."""

from datetime import UTC, datetime

import msgspec
from msgspec import Struct

from shared.kernel.codec import SUBJECT, encode, read_own
from shared.kernel.commit import Emitted
from shared.kernel.message import About, After, Emission, Envelope, Payload
from shared.kernel.ports import Outgoing, Timer
from shared.kernel.service import Service

_json = msgspec.json.Encoder()


class Place(Struct, frozen=True, gc=False):
    """Where in the history an emitted message stands; its id is made of it."""

    stream: str
    version: int
    index: int
    """Among the commit's messages."""
    cause: int
    """Its cause's index among the commit's handled messages."""
    now: float


class Emitting(Struct, frozen=True, gc=False):
    """One emitted message: as it is stored, as it is sent (None when private), and its payload."""

    stored: Emitted
    sent: Outgoing | Timer | None
    payload: Payload


class Emitter:
    """Wraps payloads in envelopes; built once a service."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._source = service.source
        self._types = {payload: str(payload.message_type) for payload in service.emits}

    def emit(self, emission: Emission, cause: Envelope, place: Place) -> Emitting:
        """Make a message of what a handler returned.

        Raises TooLarge, ValueError for a bad subject, TypeError for a payload the service does not declare.
        """
        subject, due, payload = _unwrap(emission, cause.subject, place.now)
        type_ = self._types.get(type(payload))
        if type_ is None:
            raise TypeError(f"service '{self._service.name}' returned {payload!r:.200}, which its `emits` doesn't list")
        envelope = Envelope(
            specversion="1.0",
            id=f"{place.stream}:{place.version}:{place.index}",
            source=self._source,
            type=type_,
            subject=subject,
            time=datetime.fromtimestamp(place.now if due is None else due, UTC),
            correlationid=cause.correlationid or cause.id,
            causationid=cause.id,
            traceparent=cause.traceparent,
            hops=cause.hops + 1,
            sequence=f"{place.version:010}.{place.index:04}",
            data=msgspec.Raw(_json.encode(payload)),
        )
        body = encode(envelope)
        private = payload.message_type.private
        stored = Emitted(place.cause, msgspec.Raw(body), due, private)
        return Emitting(stored, None if private else self._sent(envelope, body, due), payload)

    def stored(self, message: Emitted) -> Outgoing | Timer | None:
        """A message of an earlier commit, to be sent again; None when it is private."""
        if message.private:
            return None
        body = bytes(message.body)
        return self._sent(read_own(body), body, message.due)

    def _sent(self, envelope: Envelope, body: bytes, due: float | None) -> Outgoing | Timer:
        if due is None:
            return Outgoing(envelope.id, envelope.type, envelope.subject, body)
        return Timer(due, Outgoing(envelope.id, envelope.type, envelope.subject, body, self._service.name))


def _unwrap(emission: Emission, subject: str, now: float) -> tuple[str, float | None, Payload]:
    if isinstance(emission, Payload):
        return subject, None, emission
    due = None
    if isinstance(emission, About):
        subject, emission = emission.subject, emission.data
        if not SUBJECT.fullmatch(subject):
            raise ValueError(f"subject '{subject[:80]}' is not 1 to 64 characters of A-Z a-z 0-9 . _ ~ -")
    if isinstance(emission, After):
        due, emission = now + emission.delay, emission.data
    return subject, due, emission
