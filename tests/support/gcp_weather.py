"""Google Cloud on a bad day, in gRPC's channels: throttled, contended, unreachable, its answers lost, garbled or cut.

What a call meets is decided before it is sent. The clients' own retries run as they do outside, less their waits.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from google.cloud.firestore import Client as Firestore
from google.pubsub_v1 import PublisherClient
from grpc import StatusCode

from tests.support.cloud_weather import ANSWER_LOST, Weather

THROTTLED = "throttled"
CONTENDED = "contended"
INTERNAL = "an internal error"
UNREACHABLE = "unreachable"
UNHEARD_OF = "an error that no client tries again"
CUT_OFF = "applied, and the connection lost"
GARBLED = "applied, and its answer garbled"
CUT_SHORT = "answered in part, and the connection lost"

NOTHING_DONE = {
    THROTTLED: StatusCode.RESOURCE_EXHAUSTED,
    CONTENDED: StatusCode.ABORTED,
    INTERNAL: StatusCode.INTERNAL,
    UNREACHABLE: StatusCode.UNAVAILABLE,
    UNHEARD_OF: StatusCode.UNKNOWN,
}
DONE = {
    ANSWER_LOST: StatusCode.DEADLINE_EXCEEDED,
    CUT_OFF: StatusCode.UNAVAILABLE,
    GARBLED: StatusCode.INTERNAL,  # what gRPC says of an answer that it can't read
}
_STATUS = {**NOTHING_DONE, **DONE, CUT_SHORT: StatusCode.UNAVAILABLE}

QUERIES = ("RunQuery", "RunAggregationQuery", "BatchGetDocuments")


class Broken(grpc.RpcError):
    """A call that failed, as the clients look at it."""

    def __init__(self, fault: str) -> None:
        super().__init__(fault)
        self._fault = fault

    def code(self) -> StatusCode:
        return _STATUS[self._fault]

    def details(self) -> str:
        return self._fault

    def trailing_metadata(self) -> tuple[()]:
        return ()

    def result(self) -> None:
        raise self

    def exception(self) -> "Broken":
        return self


class GcpWeather(Weather, grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):
    """See Weather."""

    append = "Commit"
    publish = ("Publish",)
    query = "RunQuery"
    enough = 200
    attempts = 12
    lengths = (1, 1, 1, 2, 5, 30)

    def lasts(self, fault: str) -> int:
        """See Weather. What is done again and again is work for all who receive it."""
        return 1 if fault in DONE else super().lasts(fault)

    @staticmethod
    def usual(operation: str) -> Sequence[str]:
        """See Weather."""
        return (*NOTHING_DONE, CUT_SHORT) if operation in QUERIES else (*NOTHING_DONE, *DONE)

    @staticmethod
    @contextmanager
    def impatience() -> Iterator[None]:
        """See Weather. The waits count, for it is by them that the clients know when to give up."""
        skipped = 0.0

        def sleep(seconds: float) -> None:
            nonlocal skipped
            skipped += seconds

        # Half of the longest wait is what a wait is on average, and always the same number of attempts.
        middle = SimpleNamespace(uniform=lambda _, longest: longest / 2)
        hasty = SimpleNamespace(sleep=sleep, monotonic=lambda: time.monotonic() + skipped)
        with pytest.MonkeyPatch.context() as patch:
            for module in ("retry_base", "retry_unary", "retry_streaming"):
                patch.setattr(f"google.api_core.retry.{module}.time", hasty)
            patch.setattr("google.api_core.retry.retry_base.random", middle)
            yield

    def over(self, deployment: Any) -> None:
        """See Weather. The subscriber is no function's client."""
        clients = deployment.clients
        publisher, firestore = PublisherClient.get_transport_class("grpc"), _Firestore(clients, self)
        channel = grpc.intercept_channel(grpc.insecure_channel(clients._pubsub_emulator), self)
        clients._made |= {"publisher": PublisherClient(transport=publisher(channel=channel)), "firestore": firestore}

    def intercept_unary_unary(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        """One question, one answer."""
        fault = self.strikes(_operation(details))
        if fault in DONE:
            continuation(details, request).exception()  # waits until it is done, whatever comes of it
        if fault:
            raise Broken(fault)
        return continuation(details, request)

    def intercept_unary_stream(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        """One question, many answers."""
        fault = self.strikes(_operation(details))
        if fault == CUT_SHORT:
            return _cut_short(continuation(details, request))
        if fault:
            raise Broken(fault)
        return continuation(details, request)


class _Firestore(Firestore):
    """A client whose channel the weather is in."""

    def __init__(self, clients: Any, weather: GcpWeather) -> None:
        super().__init__(project=clients.project, database=clients._database)
        self._weather = weather

    def _emulator_channel(self, transport: Any) -> Any:
        return grpc.intercept_channel(super()._emulator_channel(transport), self._weather)


def _operation(details: Any) -> str:
    return str(details.method).rpartition("/")[2]


def _cut_short(answers: Any) -> Iterator[Any]:
    """The first half of what was answered."""
    whole = list(answers)
    yield from whole[: max(1, len(whole) // 2)]
    raise Broken(CUT_SHORT)
