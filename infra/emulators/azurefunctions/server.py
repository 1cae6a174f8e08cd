"""The host's HTTP: a person or a test asks for a tick, the supervisor asks whether it is ready."""

import json
import logging
from asyncio import AbstractEventLoop, run_coroutine_threadsafe
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from azure.core.exceptions import AzureError

from infra.emulators.azurefunctions.host import Host
from infra.emulators.emulator import HOST

log = logging.getLogger(__name__)


class Server(ThreadingHTTPServer):
    """Answers in threads of its own; the host lives in its loop."""

    daemon_threads = True

    def __init__(self, port: int, host: Host, loop: AbstractEventLoop, provision: Callable[[], None]) -> None:
        super().__init__((HOST, port), _Handler)
        self._host = host
        self._loop = loop
        self._provision = provision

    def get(self, path: str) -> tuple[int, Any]:
        """`/ready`: make what tables lack, and say so; `/functions`: what there is; `/workers`: what runs."""
        match path:
            case "/ready":
                self._provision()
                return HTTPStatus.OK, "ready"
            case "/functions":
                return HTTPStatus.OK, self._host.functions()
            case "/workers":
                return HTTPStatus.OK, self._host.running()
            case _:
                return HTTPStatus.NOT_FOUND, "there are /ready, /functions and /workers"

    def post(self, path: str) -> tuple[int, Any]:
        """`/tick`: ring every timer now."""
        if path != "/tick":
            return HTTPStatus.NOT_FOUND, "there is /tick"
        if run_coroutine_threadsafe(self._host.ring(), self._loop).result():
            return HTTPStatus.NO_CONTENT, None
        return HTTPStatus.INTERNAL_SERVER_ERROR, "a timer's function failed; the log says why"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self._answer(lambda: self.server.get(self.path))

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._answer(lambda: self.server.post(self.path))

    def log_message(self, *_: Any) -> None:
        """Questions are not worth a line each."""

    def _answer(self, ask: Callable[[], tuple[int, Any]]) -> None:
        try:
            status, found = ask()
        except AzureError as error:
            status, found = HTTPStatus.SERVICE_UNAVAILABLE, str(error)
            log.exception("%s", self.path)
        body = b"" if found is None else json.dumps(found).encode()
        self.send_response(status)
        if status != HTTPStatus.NO_CONTENT:
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
