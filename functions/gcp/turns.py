"""One stream in order: an instance's requests wait for one another where their messages belong together.

Each request brings one message, so those of a busy stream would only meet when they append; all but one of them would
have read for nothing, and those that kept losing would be put aside. Messages of other instances still meet there.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from zlib import crc32

from shared.kernel.ports import Delivery
from shared.kernel.record import Record
from shared.kernel.service import Service

LOCKS = 1024
"""Streams that share one wait for each other, too; an instance has far fewer messages at once."""


class Turns:
    """Safe for threads."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._vocabulary = service.incoming()
        self._locks = [Lock() for _ in range(LOCKS)]

    @contextmanager
    def turn(self, delivery: Delivery, seconds: float) -> Iterator[None]:
        """Wait until no other message of its stream is being handled; not longer, if one of them hangs."""
        lock = self._lock(delivery)
        taken = lock.acquire(timeout=max(seconds, 0.0))
        try:
            yield
        finally:
            if taken:
                lock.release()

    def _lock(self, delivery: Delivery) -> Lock:
        try:
            stream = Record(delivery).open(self._service, self._vocabulary)
        except Exception:  # noqa: BLE001 - the receiver will meet it, too, and says what is wrong
            return Lock()
        return self._locks[crc32(stream.encode()) % LOCKS]
