"""What clients ask of Google, counted at their gRPC channels: calls by kind, documents read, bytes of what writes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import pytest
from google.cloud.firestore_v1.types import RunQueryResponse

from tests.benchmarks.counts import Counts

READS = ("RunQuery", "BatchGetDocuments", "GetDocument")
WRITES = ("Commit", "BatchWrite")
PUBLISHES = ("Publish",)
OF_PULLING = frozenset(("Pull", "Acknowledge", "GetSubscription", "ListTopicSubscriptions"))
"""What a loop does in place of Pub/Sub's pushes; no function does."""


class Calls(Counts, grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):
    """Counts calls as they go out, repeats included."""

    kinds = READS + WRITES + PUBLISHES

    def __init__(self) -> None:
        super().__init__()
        self.documents = 0
        """What Firestore bills as read: each document that is found, and one for a query that finds none."""

    def clear(self) -> None:
        super().clear()
        self.documents = 0

    def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        name = details.method.rpartition("/")[2]
        if name not in OF_PULLING:
            self.note(name, type(request).pb(request).ByteSize() if name in WRITES else 0)
        return continuation(details, request)

    def intercept_unary_stream(self, continuation: Any, details: Any, request: Any) -> Any:
        self.note(details.method.rpartition("/")[2])
        return self._counted(continuation(details, request))

    def _counted(self, answers: Iterator[Any]) -> Iterator[Any]:
        found = 0
        for answer in answers:
            if not isinstance(answer, RunQueryResponse) or "document" in answer:
                found += 1
                self._read()
            yield answer
        if not found:
            self._read()

    def _read(self) -> None:
        with self._lock:
            self.documents += 1


@contextmanager
def counting(calls: Calls) -> Iterator[None]:
    """Channels that are opened meanwhile, to emulators, are counted for as long as they live."""
    plain = grpc.insecure_channel
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grpc, "insecure_channel", lambda *its, **own: grpc.intercept_channel(plain(*its, **own), calls))
        yield
