"""The order flow as chained huey tasks on SQLite with fsync: the same messages to the same services, nothing kept.

A task reads its message and enqueues what follows. There are no commits, no state, no timers and no deduplication, and
a task whose worker is killed is lost, because it leaves the queue before it runs.
"""

from collections.abc import Sequence
from pathlib import Path
from time import time
from typing import Self

import msgspec
from huey import SqliteHuey

from shared.kernel.catalog import Catalog
from shared.kernel.message import Envelope
from shared.kernel.ports import Outgoing
from tests.benchmarks.script import Script

_read = msgspec.json.Decoder(Envelope).decode
_encode = msgspec.json.Encoder().encode


class HueyFlow:
    """One worker in this thread: what huey's consumer does, without its threads."""

    def __init__(self, folder: Path, catalog: Catalog, script: Script) -> None:
        self.handled = 0
        self._catalog = catalog
        self._script = script
        self._huey = SqliteHuey(filename=str(folder / "huey.db"), fsync=True, cache_mb=64)
        self._task = self._huey.task(retries=5)(self._handle)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._huey.storage.close()

    def send(self, messages: Sequence[Outgoing]) -> None:
        """Enqueue the first tasks."""
        for message in messages:
            self._enqueue(message.type, message.body)

    def run(self) -> None:
        """Execute tasks until the queue is empty."""
        while (task := self._huey.dequeue()) is not None:
            self._huey.execute(task)

    def _enqueue(self, type_: str, body: bytes) -> None:
        for service in self._catalog.subscribers(type_):
            self._task(service, body)

    def _handle(self, service: str, body: bytes) -> None:
        message = _read(body)
        stream, now = f"{service}/{message.subject}", time()
        for index, step in enumerate(self._script[service, message.type].steps):
            if step.delay is None and not step.private:
                self._enqueue(step.type, _encode(step.envelope(message, stream, 1, index, now)))
        self.handled += 1
