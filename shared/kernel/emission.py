"""Payloads a handler returned, as the messages of a commit and on their way to the bus."""

from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec

from shared.kernel.codec import SUBJECT, encode, read_own
from shared.kernel.commit import Emitted
from shared.kernel.errors import PayloadMismatch
from shared.kernel.message import About, After, Emission, Envelope, Payload
from shared.kernel.ports import Outgoing, Timer
from shared.kernel.service import Service

_json = msgspec.json.Encoder()


class Emitting:
    """What one handled message emits: as it is stored, as it is sent (without the private ones), and the payloads."""

    __slots__ = ("payloads", "sent", "stored")

    def __init__(self) -> None:
        self.stored: list[Emitted] = []
        self.sent: list[Outgoing | Timer] = []
        self.payloads: list[Payload] = []


class Emitter:
    """Wraps payloads in envelopes; built once a service."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._source = service.source
        self._types = {payload: (str(payload.message_type), payload.message_type.private) for payload in service.emits}
        self._vocabulary = service.outgoing()

    def emit(  # noqa: PLR0913 - what ids and sequences are made of
        self,
        emissions: Iterable[Emission],
        cause: Envelope,
        position: int,
        stream: str,
        version: int,
        first: int,
        now: float,
    ) -> Emitting:
        """Make messages of what a handler returned; their ids are `{stream}:{version}:{index}`, indices from `first`.

        `position` is the cause's place among the commit's handled messages. Raises TooLarge, ValueError for a bad
        subject, TypeError for what the service does not declare, or could not read back.
        """
        emitting = Emitting()
        commit_time = datetime.fromtimestamp(now, UTC)
        for index, emission in enumerate(emissions, first):
            subject, due, payload = _unwrap(emission, cause.subject, now)
            type_, private = self._declared(payload, due)
            envelope = Envelope(
                specversion="1.0",
                id=f"{stream}:{version}:{index}",
                source=self._source,
                type=type_,
                subject=subject,
                time=commit_time if due is None else datetime.fromtimestamp(due, UTC),
                correlationid=cause.correlationid or cause.id,
                causationid=cause.id,
                traceparent=cause.traceparent,
                hops=cause.hops + 1,
                sequence=f"{version:010}.{index:04}",
                data=self._encoded(type_, payload),
            )
            body = encode(envelope)
            emitting.payloads.append(payload)
            emitting.stored.append(Emitted(position, msgspec.Raw(body), due, private))
            if not private:
                emitting.sent.append(self._sent(envelope, body, due))
        return emitting

    def _declared(self, payload: Payload, due: float | None) -> tuple[str, bool]:
        name, kind = self._service.name, type(payload)
        if kind not in self._types:
            raise TypeError(
                f"a handler of service '{name}' returned a {kind.__qualname__}, which the service's `emits` don't list"
            )
        type_, private = self._types[kind]
        if private and due is not None:
            raise TypeError(f"a handler of service '{name}' set a timer of {type_}, which is private")
        return type_, private

    def _encoded(self, type_: str, payload: Payload) -> msgspec.Raw:
        data = msgspec.Raw(_json.encode(payload))
        # A payload that its own service can't read back would close the stream for good.
        try:
            self._vocabulary.read(type_, data)
        except PayloadMismatch as error:
            raise TypeError(
                f"a handler of service '{self._service.name}' returned what can't be read back: {error}"
            ) from None
        return data

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
    if not isinstance(emission, Payload):
        raise TypeError(f"a handler returned a {type(emission).__qualname__}, which is not a message")
    return subject, due, emission
