"""The stand-in's HTTP: pushes come in, a person or a test asks for a tick, the supervisor asks whether it is ready."""

import json
import logging
from http import HTTPStatus
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

import msgspec

from infra.emulators.cloudrun.settings import Shape
from infra.emulators.cloudrun.standin import StandIn
from infra.emulators.emulator import HOST
from shared.kernel.errors import TrefoilError

log = logging.getLogger(__name__)


class Server(ThreadingHTTPServer):
    """One thread a connection; the emulator keeps its connections."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, stand_in: StandIn, shape: Shape) -> None:
        super().__init__((HOST, port), _Handler)
        self.stand_in = stand_in
        self.shape: Shape = shape
        self.endpoint = f"http://{HOST}:{self.server_port}"

    def get(self, path: str) -> tuple[int, Any]:
        """`/ready`: provision, and say so; `/functions`: what runs."""
        match path:
            case "/ready":
                self.stand_in.provision(self.endpoint)
                return HTTPStatus.OK, "ready"
            case "/functions":
                return HTTPStatus.OK, self.stand_in.running()
            case _:
                return HTTPStatus.NOT_FOUND, "there are /ready and /functions"

    def post(self, path: str, body: bytes) -> tuple[int, Any]:
        """`/push/SUBSCRIPTION`: a push; `/tick`: ring now."""
        match path.split("/"):
            case ["", "push", subscription]:
                return self.stand_in.deliver(subscription, body, self.shape), None
            case ["", "tick"]:
                return self.stand_in.ring(), None
            case _:
                return HTTPStatus.NOT_FOUND, "there are /push/SUBSCRIPTION and /tick"


class Scheduler:
    """Rings every so many seconds; never twice at once, as with Cloud Scheduler."""

    def __init__(self, stand_in: StandIn, seconds: float) -> None:
        self._stand_in = stand_in
        self._seconds = seconds
        self._ended = Event()

    def start(self) -> None:
        """Ring from now on, unless that is never."""
        if self._seconds:
            Thread(target=self._run, daemon=True).start()

    def stop(self) -> None:
        """Ring no more."""
        self._ended.set()

    def _run(self) -> None:
        while not self._ended.wait(self._seconds):
            self._stand_in.ring()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self._answer(lambda: self.server.get(self.path))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._answer(lambda: self.server.post(self.path, body))

    def log_message(self, *_: Any) -> None:
        """Pushes are not worth a line each."""

    def _answer(self, ask: Any) -> None:
        try:
            status, found = ask()
        except msgspec.MsgspecError as error:
            status, found = HTTPStatus.BAD_REQUEST, str(error)
        except (TrefoilError, OSError, HTTPException) as error:
            status, found = HTTPStatus.SERVICE_UNAVAILABLE, str(error)
            log.exception("%s", self.path)
        body = b"" if found is None else json.dumps(found).encode()
        self.send_response(status)
        if status != HTTPStatus.NO_CONTENT:
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
