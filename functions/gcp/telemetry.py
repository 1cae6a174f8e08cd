"""What is seen of a function: a structured log line a record, as Cloud Logging reads it from standard output.

Its special fields are `severity`, `message` and `time`, which is RFC 3339 (Cloud Logging, "Structured logging"). Counts
are made from the lines: `jsonPayload.outcome` and `jsonPayload.service` are all that a log-based metric takes.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import IO, Any

import msgspec

from shared.kernel.telemetry import Observation

_encoder = msgspec.json.Encoder()


class CloudLogging:
    """Writes whole lines, one write a batch: requests that are handled at the same time share the stream.

    A log that can't be written must not stop the work: lines are lost then, and counted in `lost`.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self.lost = 0
        self._stream = stream

    def warn(self, text: str, **fields: Any) -> None:
        """Say what an operator should know of this function."""
        self._write([{"severity": "WARNING", "message": text, **fields}])

    def observe(self, observations: Sequence[Observation]) -> None:
        """See Telemetry."""
        self._write([_line(seen) for seen in observations])

    def _write(self, lines: Sequence[dict[str, Any]]) -> None:
        try:
            self._stream.write(_encoder.encode_lines(lines))
            self._stream.flush()
        except OSError:
            self.lost += len(lines)


def _line(seen: Observation) -> dict[str, Any]:
    fields = msgspec.to_builtins(seen)
    return {
        "severity": fields.pop("level"),
        "time": datetime.fromtimestamp(fields.pop("time"), UTC).isoformat(),
        "message": f"{seen.service}: {seen.outcome} {seen.type}".rstrip(),
        **fields,
    }
