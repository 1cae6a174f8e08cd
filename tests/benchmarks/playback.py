"""A service that does not think: it decodes what comes, and plays back what was answered once (see script).

Loops that make Trefoil's calls and nothing else take their writes from it. No digest, no deduplication, no state, and
of validation only what decoding does.
"""

from collections.abc import Sequence
from time import time
from typing import Any

import msgspec
from msgspec import Raw

from shared.catalog import CATALOG
from shared.kernel.commit import Commit, Emitted, Handled
from shared.kernel.message import Envelope
from shared.revenue.model import shard_of_day
from tests.benchmarks.script import Script

_DIGEST = "0123456789abcdef"

read = msgspec.json.Decoder(Envelope).decode
read_commit = msgspec.json.Decoder(Commit).decode
encode = msgspec.json.Encoder().encode


class Playback:
    """All services."""

    def __init__(self, script: Script) -> None:
        self._script = script
        payloads = {payload for service in CATALOG.services.values() for payload in service.handles}
        self._readers = {str(payload.message_type): msgspec.json.Decoder(payload).decode for payload in payloads}

    def open(self, service: str, body: bytes | str) -> tuple[str, Envelope]:
        """The stream of a message, and the message."""
        message = read(body)
        payload: Any = self._readers[message.type](message.data)
        key = shard_of_day(payload.date, message.subject) if service == "revenue" else message.subject
        return f"{service}/{key}", message

    def claim(self, stream: str, version: int, messages: Sequence[Envelope]) -> Commit:
        """What is written before an effect that must not happen twice."""
        return Commit(stream, version, time(), claims=[_handled(each) for each in messages])

    def answer(self, service: str, stream: str, version: int, messages: Sequence[Envelope]) -> Commit:
        """What handling these messages writes."""
        now = time()
        emitted: list[Emitted] = []
        snapshot = None
        for position, message in enumerate(messages):
            answer = self._script[service, message.type]
            snapshot = answer.snapshot
            for step in answer.steps:
                body = encode(step.envelope(message, stream, version, len(emitted), now))
                due = None if step.delay is None else now + step.delay
                emitted.append(Emitted(position, Raw(body), due, step.private))
        return Commit(stream, version, now, [_handled(each) for each in messages], emitted, snapshot=snapshot)


def leaving(emitted: Sequence[Emitted]) -> list[Emitted]:
    """What is to be published now."""
    return [each for each in emitted if each.due is None and not each.private]


def _handled(message: Envelope) -> Handled:
    return Handled(message.source, message.id, _DIGEST, message.time.timestamp(), message.type)
