"""What is seen from outside: one observation a record, as a structured log line and as counters; never a payload."""

from collections import Counter
from collections.abc import Sequence
from typing import IO, Protocol

import msgspec
from msgspec import Struct

from shared.kernel.outcome import DeadLetter, Defer, Retry
from shared.kernel.record import Record


class Observation(Struct, frozen=True, omit_defaults=True, gc=False):
    """The fields of a log line; times are seconds since 1970, durations seconds."""

    time: float
    level: str
    service: str
    handler: str
    outcome: str
    attempts: int
    seconds: float
    emitted: int
    type: str = ""
    id: str = ""
    source: str = ""
    subject: str = ""
    correlationid: str = ""
    causationid: str = ""
    traceparent: str = ""
    reason: str = ""
    error: str = ""
    text: str = ""


class Telemetry(Protocol):
    """Takes in what happened to a batch."""

    def observe(self, observations: Sequence[Observation]) -> None:
        """Called once a batch, after it was settled. Must not raise."""
        ...


_LEVELS = {"Done": "INFO", "Ignored": "INFO", "Retry": "WARNING", "Defer": "INFO", "DeadLetter": "ERROR"}
_RANKS = {"INFO": 0, "WARNING": 1, "ERROR": 2}


def observation(service: str, record: Record, time: float, seconds: float) -> Observation:
    """What there is to say about one record."""
    outcome = type(record.outcome).__name__
    found = record.outcome.failure if isinstance(record.outcome, Retry | Defer | DeadLetter) else None
    common = (time, _LEVELS[outcome], service, record.handler, outcome, record.delivery.attempts, seconds)
    reasons = (found.reason, found.error, found.text) if found else ("", "", "")
    if not record.is_open:
        return Observation(*common, 0, "", "", "", "", "", "", "", *reasons)
    envelope = record.envelope
    return Observation(
        *common, len(record.sent), envelope.type, envelope.id, envelope.source, envelope.subject,
        envelope.correlationid or envelope.id, envelope.causationid or "", envelope.traceparent or "", *reasons,
    )  # fmt: skip


class JsonLines:
    """Writes one JSON line a record, one write a batch.

    A log that can't be written must not stop the work: lines are lost then, and counted in `lost`.
    """

    def __init__(self, stream: IO[bytes], level: str = "INFO") -> None:
        self.lost = 0
        self._stream = stream
        self._least = _RANKS[level]
        self._encoder = msgspec.json.Encoder()

    def observe(self, observations: Sequence[Observation]) -> None:
        """Write what is at or above the level."""
        if lines := [seen for seen in observations if _RANKS[seen.level] >= self._least]:
            try:
                self._stream.write(self._encoder.encode_lines(lines))
                self._stream.flush()
            except OSError:
                self.lost += len(lines)


class Counters:
    """Counts outcomes: `("orders", "Done") -> 12`, and `("orders", "emitted") -> 31`."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()

    def observe(self, observations: Sequence[Observation]) -> None:
        """Add a batch."""
        for seen in observations:
            self.counts[seen.service, seen.outcome] += 1
            self.counts[seen.service, "emitted"] += seen.emitted


class Several:
    """Passes observations on to several."""

    def __init__(self, *telemetries: Telemetry) -> None:
        self._telemetries = telemetries

    def observe(self, observations: Sequence[Observation]) -> None:
        """Tell each of them."""
        for telemetry in self._telemetries:
            telemetry.observe(observations)
