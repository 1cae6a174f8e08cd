"""The HTTP side of administration: one thread a connection, which has the AMQP side do what is asked, and waits."""

import logging
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from infra.emulators.servicebus.administration.entities import Administration, Answer
from infra.emulators.servicebus.broker.errors import BrokerError, EntityNotFound, NotSupported
from shared.kernel.errors import ConfigurationError

HOST = "127.0.0.1"

Call = Callable[[Callable[[], Answer]], Answer]
"""Runs an operation on the AMQP side, between two of its events, and returns what it returned."""

_log = logging.getLogger(__name__)


class AdministrationServer(ThreadingHTTPServer):
    """Asks for no token, as the AMQP side doesn't either."""

    daemon_threads = True

    def __init__(self, port: int, administration: Administration, call: Call) -> None:
        super().__init__((HOST, port), _Handler)
        self.administration = administration
        self.call = call

    def start(self) -> None:
        """Serve beside whoever calls this, until the process ends."""
        Thread(target=self.serve_forever, daemon=True).start()


class _Handler(BaseHTTPRequestHandler):
    server: AdministrationServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(lambda: self.server.administration.get(self.path))

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        update = "If-Match" in self.headers
        self._answer(lambda: self.server.administration.put(self.path, body, update=update))

    def do_DELETE(self) -> None:
        self._answer(lambda: self.server.administration.delete(self.path))

    def _answer(self, operation: Callable[[], Answer]) -> None:
        try:
            status, body = self.server.call(operation)
        except (BrokerError, ConfigurationError) as error:
            status, body = _status(error), str(error).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/atom+xml" if body[:1] == b"<" else "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """What changes an entity is logged where it is done."""


def _status(error: Exception) -> HTTPStatus:
    match error:
        case EntityNotFound():
            return HTTPStatus.NOT_FOUND
        case NotSupported():
            return HTTPStatus.NOT_IMPLEMENTED
        case _:
            return HTTPStatus.BAD_REQUEST
