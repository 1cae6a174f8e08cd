"""The HTTP side of administration: one thread a connection, which has the AMQP side do what is asked, and waits."""

import logging
import re
import sys
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

_LENGTH = re.compile(r"\d{1,6}", re.ASCII)

_log = logging.getLogger(__name__)


class AdministrationServer(ThreadingHTTPServer):
    """Asks for no token, as the AMQP side doesn't either."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, administration: Administration, call: Call) -> None:
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            raise ConfigurationError(f"port {port} of {HOST} can't be had: {error}") from error
        self.administration = administration
        self.call = call

    def start(self) -> None:
        """Serve beside whoever calls this, until `stop`."""
        Thread(target=self.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Take no more requests."""
        self.shutdown()
        self.server_close()

    def handle_error(self, *_: Any) -> None:
        """A client that goes in the middle of something is nothing to tell of."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            _log.exception("a request for administration could not be answered")


class _Handler(BaseHTTPRequestHandler):
    server: AdministrationServer
    disable_nagle_algorithm = True
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(lambda: self.server.administration.get(self.path))

    def do_PUT(self) -> None:
        length = self.headers.get("Content-Length") or "0"
        if not _LENGTH.fullmatch(length):
            self.close_connection = True
            self._tell(HTTPStatus.BAD_REQUEST, f"'{length}' is no length of a description.".encode())
            return
        body = self.rfile.read(int(length))
        update = "If-Match" in self.headers
        self._answer(lambda: self.server.administration.put(self.path, body, update=update))

    def do_DELETE(self) -> None:
        self._answer(lambda: self.server.administration.delete(self.path))

    def _answer(self, operation: Callable[[], Answer]) -> None:
        try:
            status, body = self.server.call(operation)
        except (BrokerError, ConfigurationError) as error:
            status, body = _status(error), str(error).encode()
        except Exception as error:  # noqa: BLE001 - it is logged
            # A bug here: it is told, and the others go on.
            _log.exception("%s %s failed", self.command, self.path)
            status, body = HTTPStatus.INTERNAL_SERVER_ERROR, repr(error).encode()
        self._tell(status, body)

    def _tell(self, status: HTTPStatus, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/atom+xml" if body[:1] == b"<" else "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
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
