"""One function as Cloud Run runs it: a process that starts when it is first called, and again when it has died."""

import logging
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from threading import Lock

from msgspec import Struct

from infra.emulators.cloudrun.rest import Answer, Request, send
from infra.emulators.emulator import HOST
from infra.emulators.supervisor import free_port
from shared.kernel.errors import TrefoilError

_START_SECONDS = 90.0
_STOP_SECONDS = 3.0
_PAUSE = 0.05
_LINES = 20
_HEALTH = Request("/robots.txt", {}, b"")
"""functions-framework answers it itself, and calls no function."""

log = logging.getLogger(__name__)


class DidNotStart(TrefoilError):
    """A function's process ended, or said nothing, while it was waited for."""


class Program(Struct, frozen=True):
    """What to start, and how long a request may take."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    seconds: float


class Running(Struct, frozen=True):
    """A process and where it listens."""

    process: subprocess.Popen[bytes]
    port: int

    @property
    def host(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def alive(self) -> bool:
        return self.process.poll() is None


class Function:
    """Safe for threads. Its log, and the folder that it works in, have its name."""

    def __init__(self, program: Program, folder: Path) -> None:
        self.program = program
        self.log = folder / f"{program.name}.log"
        self._folder = folder / program.name
        self._lock = Lock()
        self._running: Running | None = None
        self._closed = False

    @property
    def pid(self) -> int:
        """The process that leads its own; 0 while none runs."""
        running = self._running
        return running.process.pid if running and running.alive else 0

    def call(self, request: Request) -> Answer:
        """What the function answers; where it can't, what Cloud Run would."""
        try:
            return send(self._host(), request, self.program.seconds)
        except DidNotStart as error:
            return _instead(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))
        except TimeoutError:
            return _instead(HTTPStatus.GATEWAY_TIMEOUT, f"no answer within {self.program.seconds:g} s")
        except (OSError, HTTPException) as error:
            text = f"its process is gone, or closed the connection ({error!r}); its log is {self.log}"
            return _instead(HTTPStatus.SERVICE_UNAVAILABLE, text)

    def stop(self) -> None:
        """Ask its process to end, whatever it is doing; none is started any more."""
        self._closed = True
        if running := self._running:
            running.process.send_signal(signal.SIGQUIT)  # gunicorn waits for requests on SIGTERM

    def join(self) -> None:
        """Wait until its process has ended, not for long."""
        if running := self._running:
            try:
                running.process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                running.process.kill()

    def _host(self) -> str:
        with self._lock:
            if not self._running or not self._running.alive:
                if self._running:
                    log.warning("%s ended with %s", self.program.name, self._running.process.returncode)
                self._running = self._start()
            return self._running.host

    def _start(self) -> Running:
        self._folder.mkdir(exist_ok=True)
        port = free_port()
        environment = {**self.program.environment, "PORT": str(port), "TMPDIR": str(self._folder)}
        command = [*self.program.command, "--host", HOST, "--port", str(port)]
        with self.log.open("ab") as output:
            running = Running(
                # In the stand-in's own group, so that whoever ends the group ends it, too.
                subprocess.Popen(  # noqa: S603 - the checkout's own function
                    command,
                    cwd=self._folder,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                ),
                port,
            )
        log.info("%s starts as process %d on port %d", self.program.name, running.process.pid, port)
        self._running = running
        self._await(running)
        return running

    def _await(self, running: Running) -> None:
        end = time.monotonic() + _START_SECONDS
        while not _answers(running):
            if self._closed or not running.alive or time.monotonic() > end:
                running.process.kill()
                running.process.wait()
                raise DidNotStart(f"it did not come up; its log is {self.log}, and ends:\n{self._last_lines()}")
            time.sleep(_PAUSE)

    def _last_lines(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").rstrip().splitlines()[-_LINES:])


def _answers(running: Running) -> bool:
    with suppress(OSError, HTTPException):
        send(running.host, _HEALTH, 5, "GET")
        return True
    return False


def _instead(status: HTTPStatus, text: str) -> Answer:
    return Answer(status, text.encode())
