"""Azure on a bad day: AMQP's transfers throttled, lost or cut off under the Service Bus SDK, HTTP under that of Tables.

What a call meets is decided before it is sent. The SDKs' own retries run as they do outside, less their waits.
"""

import json
import re
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import pytest
from azure.servicebus._pyamqp.error import AMQPConnectionError, AMQPLinkError, ErrorCondition, MessageException
from azure.servicebus._transport._pyamqp_transport import PyamqpTransport
from azure.servicebus.exceptions import OperationTimeoutError
from requests import ConnectionError as RequestsConnectionError
from requests import ConnectTimeout, PreparedRequest, ReadTimeout, Response
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse
from urllib3.exceptions import ProtocolError

from tests.support.cloud_weather import ANSWER_LOST, Weather

THROTTLED = "throttled"
INTERNAL = "an internal error"
UNREACHABLE = "unreachable"
DETACHED = "its link detached"
CUT_OFF = "applied, and the connection lost"
CALLED_FAILED = "applied, and called failed"
GARBLED = "applied, and its answer garbled"
CUT_SHORT = "answered in part, and the connection lost"
ONE_BY_ONE = "answered in as many pages as it can be"

TO_TOPIC = "send to a topic"
TO_QUEUE = "send to a queue"
INSERT = "insert an entity"
TRANSACTION = "a transaction"
QUERY = "query entities"
GET = "get an entity"

_BUSY = b"com.microsoft:server-busy"
TRANSFERS: Mapping[str, Callable[[], Exception]] = {
    THROTTLED: lambda: MessageException(_BUSY, description="no"),
    INTERNAL: lambda: MessageException(ErrorCondition.InternalError, description="no"),
    UNREACHABLE: lambda: AMQPConnectionError(ErrorCondition.SocketError, description="no"),
    DETACHED: lambda: AMQPLinkError(ErrorCondition.LinkDetachForced, description="no"),
    ANSWER_LOST: lambda: OperationTimeoutError(message="no"),
    CUT_OFF: lambda: AMQPConnectionError(ErrorCondition.SocketError, description="no"),
    GARBLED: lambda: struct.error("a frame that nobody can read"),
}
"""What the SDK meets."""

CODES = {THROTTLED: (503, "ServerBusy"), INTERNAL: (500, "InternalError"), CALLED_FAILED: (500, "OperationTimedOut")}
"""Errors that Tables answer ("Table service error codes")."""

CHANGES = (THROTTLED, INTERNAL, UNREACHABLE, ANSWER_LOST, CUT_OFF, CALLED_FAILED, GARBLED)
LOOKS = (THROTTLED, INTERNAL, UNREACHABLE, ANSWER_LOST, GARBLED, CUT_SHORT)

_FRAMING = ("content-length", "transfer-encoding")

DONE = (ANSWER_LOST, CUT_OFF, CALLED_FAILED, GARBLED)


class AzureWeather(Weather):
    """See Weather."""

    append = INSERT
    publish = (TO_TOPIC,)
    query = QUERY
    enough = 50
    attempts = 1
    """The SDK repeats no POST whose answer it has not seen."""
    lengths = (1, 1, 1, 2, 5, 9)

    @staticmethod
    def usual(operation: str) -> Sequence[str]:
        """See Weather."""
        if operation in (TO_TOPIC, TO_QUEUE):
            return tuple(TRANSFERS)
        return {QUERY: (*LOOKS, ONE_BY_ONE), GET: LOOKS}.get(operation, CHANGES)

    @staticmethod
    @contextmanager
    def impatience() -> Iterator[None]:
        """See Weather."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("azure.servicebus._base_handler._get_backoff_time", lambda *_: 0)
            patch.setattr("azure.core.pipeline.transport.HttpTransport.sleep", lambda *_: None)
            yield

    def over(self, deployment: Any) -> None:
        """See Weather."""
        clients = deployment.clients
        transport = clients.tables._client._client._pipeline._transport
        transport.open()
        transport.session.mount("http://", _Sky(self))
        bus = clients.bus
        bus.get_topic_sender = self._stormy(bus.get_topic_sender, TO_TOPIC)
        bus.get_queue_sender = self._stormy(bus.get_queue_sender, TO_QUEUE)

    def _stormy(self, make: Callable[[str], Any], operation: str) -> Callable[[str], Any]:
        def made(name: str) -> Any:
            sender = make(name)
            sender._amqp_transport = _Sea(self, operation)
            return sender

        return made


class _Sea(PyamqpTransport):
    """How one sender's messages travel."""

    def __init__(self, weather: AzureWeather, operation: str) -> None:
        self._weather = weather
        self._operation = operation

    def send_messages(self, *arguments: Any, **named: Any) -> None:  # type: ignore[override]
        """One transfer, of a message or of a batch."""
        fault = self._weather.strikes(self._operation, weight=2)  # there are fewer transfers than requests
        if fault is None or fault in DONE:
            PyamqpTransport.send_messages(*arguments, **named)
        if fault:
            error = TRANSFERS[fault]()
            raise error


class _Sky(HTTPAdapter):
    """How a client's requests travel."""

    def __init__(self, weather: AzureWeather) -> None:
        super().__init__()
        self._weather = weather

    def send(self, request: PreparedRequest, *arguments: Any, **named: Any) -> Response:
        """One attempt."""
        fault = self._weather.strikes(_operation(request))
        if fault == UNREACHABLE:
            raise ConnectTimeout(request=request)
        if fault in (THROTTLED, INTERNAL):
            return self._error(request, fault)
        if fault == ONE_BY_ONE:
            request.url = re.sub(r"(?<=top=)\d+", "1", str(request.url))
        answer = super().send(request, *arguments, **named)
        return answer if fault in (None, ONE_BY_ONE) else self._spoilt(request, answer, fault)

    def _spoilt(self, request: PreparedRequest, answer: Response, fault: str) -> Response:
        """What is heard of an answer."""
        whole = answer.content
        if fault == ANSWER_LOST:
            raise ReadTimeout(request=request)
        if fault == CUT_OFF:
            raise RequestsConnectionError(ProtocolError("Connection aborted."), request=request)
        if fault == CALLED_FAILED:
            return self._error(request, fault)
        told = {name: its for name, its in answer.headers.items() if name.lower() not in _FRAMING}
        if fault == CUT_SHORT:
            half = whole[: len(whole) // 2]
            return self._answer(request, answer.status_code, half, {**told, "Content-Length": str(len(whole) or 1)})
        return self._answer(request, answer.status_code, b"<html>all is we", told)

    def _error(self, request: PreparedRequest, fault: str) -> Response:
        status, code = CODES[fault]
        body = {"odata.error": {"code": code, "message": {"lang": "en-US", "value": "no"}}}
        headers = {"Content-Type": "application/json", "x-ms-error-code": code}
        return self._answer(request, status, json.dumps(body).encode(), headers)

    def _answer(self, request: PreparedRequest, status: int, body: bytes, headers: Mapping[str, str]) -> Response:
        """An answer that no server gave."""
        raw = HTTPResponse(BytesIO(body), headers, status, reason="OK", preload_content=False)
        return self.build_response(request, raw)


def _operation(request: PreparedRequest) -> str:
    if request.method == "GET":
        return GET if "(PartitionKey=" in str(request.url) else QUERY
    return TRANSACTION if str(request.url).endswith("$batch") else INSERT
