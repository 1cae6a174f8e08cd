"""The physical minimum in memory: payments written by hand on msgspec, right as long as nothing goes wrong."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from time import time
from typing import IO, Any

import msgspec
from msgspec import Struct

from shared.messages.payments import CapturePayment, PaymentCaptured
from tests.benchmarks.providers import InstantGateway


class Envelope(Struct, omit_defaults=True, gc=False):
    """The attributes that this flow uses."""

    id: str
    source: str
    type: str
    subject: str
    time: datetime
    data: msgspec.Raw
    specversion: str = "1.0"
    correlationid: str | None = None
    causationid: str | None = None
    traceparent: str | None = None
    hops: int = 0
    sequence: str | None = None


class Line(Struct, gc=False):
    """A log line, with the fields of Trefoil's."""

    time: float
    level: str
    service: str
    handler: str
    outcome: str
    attempts: int
    seconds: float
    emitted: int
    type: str
    id: str
    source: str
    subject: str
    correlationid: str | None
    causationid: str | None


_read = msgspec.json.Decoder(Envelope).decode
_read_command = msgspec.json.Decoder(CapturePayment).decode
_encoder = msgspec.json.Encoder()


class HandLoop:
    """Decode, look for a duplicate, handle, encode, publish, log."""

    def __init__(self, gateway: InstantGateway, log: IO[bytes]) -> None:
        self.handled: dict[tuple[str, str], bytes] = {}
        self.published = 0
        self._gateway = gateway
        self._log = log

    def run(self, batches: Iterable[Sequence[bytes]]) -> None:
        for batch in batches:
            started = time()
            messages = [message for body in batch if (message := self._handle(body, started)) is not None]
            self._publish([self.handled[message.source, message.id] for message in messages])
            ended = time()
            seconds = (ended - started) / len(batch)
            self._log.write(_encoder.encode_lines([_line(message, ended, seconds) for message in messages]))
            self._log.flush()

    def _handle(self, body: bytes, now: float) -> Envelope | None:
        message = _read(body)
        key = (message.source, message.id)
        if key in self.handled:
            return None
        order, asked = message.subject, _read_command(message.data)
        receipt = self._gateway.capture(f"capture:{order}", order, asked.money)
        data: Any = PaymentCaptured(asked.money, asked.date, receipt.reference)
        emitted = Envelope(
            f"payments/{order}:1:0",
            "/payments",
            "payments.payment-captured.v1",
            order,
            datetime.fromtimestamp(now, UTC),
            data,
            "1.0",
            message.correlationid or message.id,
            message.id,
            message.traceparent,
            message.hops + 1,
            "0000000001.0000",
        )
        self.handled[key] = _encoder.encode(emitted)
        return message

    def _publish(self, bodies: list[bytes]) -> None:
        self.published += len(bodies)


def _line(message: Envelope, ended: float, seconds: float) -> Line:
    return Line(
        ended, "INFO", "payments", "capture_payment", "Done", 1, seconds, 1, message.type, message.id, message.source,
        message.subject, message.correlationid, message.causationid,
    )  # fmt: skip
