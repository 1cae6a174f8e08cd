"""The order flow as a bare loop that makes Trefoil's writes and nothing else.

The same rows of the same sizes in as many transactions; but no digest, no deduplication, no state, no retry, no dead
letter, no log, and of validation only what decoding does. It plays answers back instead of computing them.
"""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from time import time
from typing import Any, Self

import msgspec
from msgspec import Raw, Struct

from shared.kernel.catalog import Catalog
from shared.kernel.commit import Commit, Emitted, Handled
from shared.kernel.message import Envelope
from shared.kernel.ports import Outgoing
from shared.revenue.model import shard_of_day
from tests.benchmarks.script import Script
from tests.benchmarks.tables import Tables, Waiting

_DIGEST = "0123456789abcdef"

_read = msgspec.json.Decoder(Envelope).decode
_encode = msgspec.json.Encoder().encode


class Outbox(Struct):
    """What a batch is to send."""

    now: float
    copies: list[tuple[str, bytes]] = []
    timers: list[tuple[str, float, str, str, str, bytes]] = []


class BareLoop:
    """Lease, decode, read the stream, append, publish, settle."""

    def __init__(self, folder: Path, catalog: Catalog, script: Script, batch: int) -> None:
        self.database = folder / "bare.db"
        self.handled = 0
        self._tables = Tables(self.database)
        self._catalog = catalog
        self._script = script
        self._batch = batch
        payloads = {payload for service in catalog.services.values() for payload in service.handles}
        self._readers = {str(payload.message_type): msgspec.json.Decoder(payload).decode for payload in payloads}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._tables.close()

    def send(self, messages: Sequence[Outgoing]) -> None:
        """Put commands into their channels."""
        copies = [(name, message.body) for message in messages for name in self._catalog.subscribers(message.type)]
        self._tables.publish(copies, time())
        self._tables.commit()

    def run(self) -> None:
        """Visit all services until nothing is left to do."""
        while sum([self._visit(name) for name in self._catalog.services]):
            pass
        self._tables.commit()

    def _visit(self, service: str) -> int:
        now = time()
        rows = self._tables.waiting(service, now, self._batch)
        if rows:
            self._tables.lease(rows, now)
            self._tables.commit()  # the leases, and what the visit before this one wrote
            outbox = Outbox(now)
            if self._catalog.services[service].at_most_once:
                self._claim_and_handle(service, rows, outbox)
            else:
                self._handle(service, rows, outbox)
            self._tables.publish(outbox.copies, now)
            self._tables.set_timers(outbox.timers)
            self._tables.remove(service, rows)
            self.handled += len(rows)
        return len(rows)

    def _handle(self, service: str, rows: list[Waiting], outbox: Outbox) -> None:
        groups: dict[str, list[Envelope]] = defaultdict(list)
        for _, _, body in rows:
            stream, message = self._open(service, body)
            groups[stream].append(message)
        versions = {stream: self._tables.version(stream) for stream in groups}
        for stream, messages in groups.items():
            commit = self._answer(service, stream, versions[stream] + 1, messages, outbox)
            self._tables.append(stream, commit.version, _encode(commit))

    def _claim_and_handle(self, service: str, rows: list[Waiting], outbox: Outbox) -> None:
        for _, _, body in rows:
            stream, message = self._open(service, body)
            version = self._tables.version(stream) + 1
            claim = Commit(stream, version, outbox.now, claims=[_handled(message)])
            self._tables.append(stream, version, _encode(claim))
            self._tables.commit()  # before the effect
            commit = self._answer(service, stream, version + 1, [message], outbox)
            self._tables.append(stream, commit.version, _encode(commit))

    def _open(self, service: str, body: bytes) -> tuple[str, Envelope]:
        message = _read(body)
        payload: Any = self._readers[message.type](message.data)
        key = shard_of_day(payload.date, message.subject) if service == "revenue" else message.subject
        return f"{service}/{key}", message

    def _answer(self, service: str, stream: str, version: int, messages: list[Envelope], outbox: Outbox) -> Commit:
        emitted: list[Emitted] = []
        snapshot = None
        for position, message in enumerate(messages):
            answer = self._script[service, message.type]
            snapshot = answer.snapshot
            for step in answer.steps:
                envelope = step.envelope(message, stream, version, len(emitted), outbox.now)
                body = _encode(envelope)
                due = None if step.delay is None else outbox.now + step.delay
                emitted.append(Emitted(position, Raw(body), due, step.private))
                if due is not None:
                    outbox.timers.append((envelope.id, due, service, step.type, message.subject, body))
                elif not step.private:
                    outbox.copies += [(name, body) for name in self._catalog.subscribers(step.type)]
        return Commit(stream, version, outbox.now, [_handled(each) for each in messages], emitted, snapshot=snapshot)


def _handled(message: Envelope) -> Handled:
    return Handled(message.source, message.id, _DIGEST, message.time.timestamp(), message.type)
