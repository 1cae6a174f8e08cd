"""AWS on a bad day, by botocore's own events: throttled, broken, unreachable, its answers lost, garbled or partial.

What a call meets is decided before it is sent. The SDK's own retries run as they do outside, less their waits.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError
from botocore.httpsession import URLLib3Session

from infra.aws import batches
from shared.kernel.backoff import Backoff
from tests.support.cloud_weather import ANSWER_LOST, Weather

THROTTLED = "throttled"
CAPACITY = "over its capacity"
INTERNAL = "an internal error"
UNREACHABLE = "unreachable"
GARBLED = "applied, and its answer garbled"
REFUSED = "some entries failed"
UNSURE = "some entries were taken, and called failed"

CALLS = (THROTTLED, INTERNAL, UNREACHABLE, ANSWER_LOST, GARBLED)
ENTRIES = (REFUSED, UNSURE)
_BATCH_KEYS = {"PublishBatch": "PublishBatchRequestEntries", "SendMessageBatch": "Entries"}
_CODES = {
    "dynamodb": {THROTTLED: "ThrottlingException", CAPACITY: "ProvisionedThroughputExceededException"},
    "sqs": {THROTTLED: "ThrottlingException"},
    "sns": {THROTTLED: "Throttled"},
}


class AwsWeather(Weather):
    """See Weather."""

    append = "PutItem"
    publish = ("PublishBatch", "PublishBatch entries")
    query = "Query"
    enough = 50
    attempts = 4
    lengths = (1, 1, 1, 2, 5, 9)

    def __init__(self, seed: int, share: float, most: int) -> None:
        super().__init__(seed, share, most)
        self._session = URLLib3Session()

    @staticmethod
    def usual(operation: str) -> Sequence[str]:
        """See Weather."""
        return ENTRIES if operation.endswith("entries") else CALLS

    @staticmethod
    @contextmanager
    def impatience() -> Iterator[None]:
        """See Weather. Neither do the retries of a batch's entries, which are ours."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None))
            patch.setattr(batches, "_BACKOFF", Backoff(0.0, 0.0))
            yield

    def over(self, deployment: Any) -> None:
        """See Weather."""
        clients = deployment.clients
        for client in (clients.dynamodb, clients.sns, clients.sqs):
            service = client.meta.service_model.service_name
            client.meta.events.register(f"before-send.{service}", self._before_send)
            for operation in _BATCH_KEYS:
                client.meta.events.register(f"provide-client-params.{service}.{operation}", self._take_out)
                client.meta.events.register(f"after-call.{service}.{operation}", self._confess)

    def _before_send(self, request: AWSPreparedRequest, event_name: str, **_: Any) -> AWSResponse | None:
        _, service, operation = event_name.split(".")
        fault = self.strikes(operation)
        if fault is None:
            return None
        if fault == UNREACHABLE:
            raise ConnectTimeoutError(endpoint_url=request.url)
        if fault in (ANSWER_LOST, GARBLED):
            answer = self._session.send(request)
            if fault == ANSWER_LOST:
                raise ReadTimeoutError(endpoint_url=request.url)
            return answered(request, answer.status_code, b"<html>all is we", dict(answer.headers))
        if fault == INTERNAL:
            return answered(request, 500, *_error(service, "InternalServerError"))
        return answered(request, 400, *_error(service, _CODES[service].get(fault, "ThrottlingException")))

    def _take_out(self, params: Mapping[str, Any], model: Any, context: dict[str, Any], **_: Any) -> Any:
        """Keep entries from being sent that the answer will call failed; one at least is, and called failed as well."""
        key = _BATCH_KEYS[model.name]
        entries = params[key]
        operation = f"{model.name} entries"
        if self.strikes(operation, weight=3) is None:  # there are fewer batches than calls
            return None
        unlucky = [entry for entry in entries if self.chance.random() < 0.5] or entries[:1]
        context["unlucky"] = [entry["Id"] for entry in unlucky]
        sent = [entry for entry in entries if entry not in unlucky] or entries[:1]
        return {**params, key: sent}

    def _confess(self, parsed: dict[str, Any], context: Mapping[str, Any], **_: Any) -> None:
        unlucky = context.get("unlucky", ())
        if unlucky and "Error" not in parsed:
            failed = [{"Id": id_, "Code": "InternalError", "SenderFault": False, "Message": "sorry"} for id_ in unlucky]
            taken = [each for each in parsed.get("Successful", ()) if each["Id"] not in unlucky]
            parsed.update(Successful=taken, Failed=[*parsed.get("Failed", ()), *failed])


class _Raw:
    """A body as urllib3 has it."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self._body


def answered(
    request: AWSPreparedRequest, status: int, body: bytes, headers: Mapping[str, str] = MappingProxyType({})
) -> AWSResponse:
    """An answer that no server gave."""
    return AWSResponse(request.url, status, dict(headers), _Raw(body))


def _error(service: str, code: str) -> tuple[bytes, dict[str, str]]:
    if service == "sns":
        xml = f"<Error><Type>Receiver</Type><Code>{code}</Code><Message>no</Message></Error>"
        return f"<ErrorResponse>{xml}</ErrorResponse>".encode(), {"Content-Type": "text/xml"}
    body = f'{{"__type": "com.amazonaws.{service}#{code}", "message": "no"}}'
    return body.encode(), {"Content-Type": "application/x-amz-json-1.0"}
