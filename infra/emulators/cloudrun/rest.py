"""Requests to servers on this machine, and to the Pub/Sub emulator's REST interface."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from http.client import HTTPConnection
from typing import Any

from msgspec import Struct

from shared.kernel.errors import TrefoilError

_PUBSUB_SECONDS = 30.0


class Answer(Struct, frozen=True):
    """A status and a body."""

    status: int
    body: bytes


class Request(Struct, frozen=True):
    """A POST."""

    path: str
    headers: Mapping[str, str | bytes]
    body: bytes


def send(host: str, request: Request, seconds: float, method: str = "POST") -> Answer:
    """Send a request to `host:port` and read all of the answer; raises what http.client raises."""
    connection = HTTPConnection(host, timeout=seconds)
    try:
        connection.putrequest(method, request.path, skip_accept_encoding=True)
        for name, value in request.headers.items():
            connection.putheader(name, value)
        connection.putheader("Content-Length", str(len(request.body)))
        connection.endheaders(request.body)
        answer = connection.getresponse()
        return Answer(answer.status, answer.read())
    finally:
        connection.close()


class PubSub:
    """The few calls of the Pub/Sub emulator that provisioning takes."""

    def __init__(self, host: str) -> None:
        self._host = host

    def make(self, resources: Mapping[str, Mapping[str, Any]]) -> list[str]:
        """Make what is not there, in this order, and leave the rest as it is; returns what was made.

        Raises TrefoilError for what the emulator refuses, and OSError when it does not answer.
        """
        return [path for path, body in resources.items() if self._put(path, body)]

    def subscription(self, path: str) -> Mapping[str, Any] | None:
        """A subscription as it is now; None when there is none."""
        answer = self._call("GET", path)
        return _read(path, answer) if answer.status != HTTPStatus.NOT_FOUND else None

    def _put(self, path: str, body: Mapping[str, Any]) -> bool:
        answer = self._call("PUT", path, json.dumps(body).encode())
        if answer.status == HTTPStatus.CONFLICT:
            return False
        _read(path, answer)
        return True

    def _call(self, method: str, path: str, body: bytes = b"") -> Answer:
        request = Request(f"/v1/{path}", {"Content-Type": "application/json"}, body)
        return send(self._host, request, _PUBSUB_SECONDS, method)


def _read(path: str, answer: Answer) -> Mapping[str, Any]:
    if answer.status != HTTPStatus.OK:
        raise TrefoilError(f"the Pub/Sub emulator answers {answer.status} for {path}: {answer.body.decode()}")
    found: Mapping[str, Any] = json.loads(answer.body)
    return found
