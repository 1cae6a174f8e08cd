"""The host's side of its workers: processes that are started, called in turns, and started anew when they have died."""

import asyncio
import logging
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from msgspec import Struct

from infra.emulators.azurefunctions.rpc import InvocationRequest, InvocationResponse, StatusResult
from infra.emulators.azurefunctions.wire import Indexed, read, write
from shared.kernel.errors import TrefoilError

_CHECKOUT = Path(__file__).parents[3]
_START = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from infra.emulators.azurefunctions.worker import main; main(*sys.argv[2:])"
)
"""The worker imports its own modules from the checkout, and forgets where that is before it reads an app."""
_START_SECONDS = 120.0
_STOP_SECONDS = 3.0
_PAUSE = 1.0
"""Before another is started in the place of one that did not come up."""
_LINES = 20

log = logging.getLogger(__name__)


class WorkerLost(TrefoilError):
    """A worker's process ended, or was ended because it took too long, while it was called."""


class DidNotIndex(TrefoilError):
    """A worker did not come up, or could not read the app."""


class Program(Struct, frozen=True):
    """What to start."""

    python: str
    app: str
    path: str
    folder: str
    environment: Mapping[str, str]

    def command(self, number: int) -> list[str]:
        """With the number of its end of the pair of sockets."""
        return [self.python, "-P", "-c", _START, str(_CHECKOUT), str(number), self.app, self.path, self.folder]


class Worker:
    """One process, from its start to its end."""

    def __init__(self, name: str, program: Program) -> None:
        self.log = Path(program.folder) / f"{name}.log"
        self._name = name
        self._program = program
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter | None = None
        self._calls: dict[str, asyncio.Future[InvocationResponse]] = {}

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid if self._process else 0

    async def start(self) -> Indexed:
        """Start it, and wait until it has read the app; raises DidNotIndex."""
        ours, theirs = socket.socketpair()
        with self.log.open("ab") as output, theirs:
            self._process = await asyncio.create_subprocess_exec(
                *self._program.command(theirs.fileno()),
                cwd=self._program.folder,
                env={**self._program.environment, "TMPDIR": self._program.folder},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=(theirs.fileno(),),
            )
        self._reader, self._writer = await asyncio.open_connection(sock=ours)
        log.info("%s starts as process %d", self._name, self.pid)
        indexed = None
        with suppress(TimeoutError):
            async with asyncio.timeout(_START_SECONDS):
                indexed = await read(self._reader, Indexed)
        if indexed is None or indexed.result.status != StatusResult.Success:
            raise DidNotIndex(self._why(indexed))
        return indexed

    async def serve(self) -> None:
        """Hand out what it answers, until it is gone."""
        while response := await read(self._reader, InvocationResponse):
            call = self._calls.get(response.invocation_id)
            if call and not call.done():
                call.set_result(response)

    async def invoke(self, request: InvocationRequest, seconds: float | None) -> InvocationResponse:
        """Call a function; raises WorkerLost. One that takes too long costs the process, as with Azure's host."""
        if self._writer is None or self._writer.is_closing():
            raise WorkerLost(f"{self._name} is gone")
        call: asyncio.Future[InvocationResponse] = asyncio.get_running_loop().create_future()
        self._calls[request.invocation_id] = call
        write(self._writer, request)
        try:
            async with asyncio.timeout(seconds):
                return await call
        except TimeoutError:
            self._kill()
            raise WorkerLost(f"it took longer than {seconds:g} s, and {self._name} was ended") from None
        finally:
            del self._calls[request.invocation_id]

    async def stop(self) -> int | None:
        """Have the process end, if it has not: it does when nobody speaks to it. What it was about has failed."""
        if self._writer:
            self._writer.close()
        if self._process is None:
            return None
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                code = await self._process.wait()
        except TimeoutError:
            self._kill()
            code = await self._process.wait()
        for call in self._calls.values():
            if not call.done():
                call.set_exception(WorkerLost(f"{self._name} ended with {code}"))
        return code

    def _kill(self) -> None:
        if self._process:
            with suppress(ProcessLookupError):
                self._process.kill()

    def _why(self, indexed: Indexed | None) -> str:
        if indexed and (raised := indexed.result.exception):
            return f"the app can't be read: {raised.message}\n{raised.stack_trace}"
        lines = self.log.read_text(errors="replace").rstrip().splitlines()[-_LINES:]
        return "\n".join([f"{self._name} did not come up; its log is {self.log}, and ends:", *lines])


class Workers:
    """As many processes as wanted, each with the whole app; calls go to them in turns."""

    def __init__(self, program: Program, count: int, seconds: float | None) -> None:
        self._program = program
        self._seconds = seconds
        self._names = [f"worker-{number}" for number in range(1, count + 1)]
        self._ready: list[Worker] = []
        self._some = asyncio.Event()
        self._lives: list[asyncio.Task[None]] = []

    async def start(self) -> Indexed:
        """Start all; what they found in the app. Raises DidNotIndex when one of them did not come up."""
        found: list[asyncio.Future[Indexed]] = [asyncio.get_running_loop().create_future() for _ in self._names]
        self._lives = [asyncio.create_task(self._live(*each)) for each in zip(self._names, found, strict=True)]
        return (await asyncio.gather(*found))[0]

    async def invoke(self, request: InvocationRequest) -> InvocationResponse:
        """Call a function in the next process that is there, once there is one; raises WorkerLost."""
        while not self._ready:
            await self._some.wait()
        worker = self._ready.pop(0)
        self._ready.append(worker)
        return await worker.invoke(request, self._seconds)

    async def stop(self) -> None:
        """End all processes, whatever they are about."""
        for life in self._lives:
            life.cancel()
        await asyncio.gather(*self._lives, return_exceptions=True)

    def running(self) -> list[dict[str, Any]]:
        """Each process that is ready, and its log."""
        return [{"process": worker.pid, "log": str(worker.log)} for worker in self._ready]

    async def _live(self, name: str, found: asyncio.Future[Indexed]) -> None:
        """Keep a process running, and start another whenever it has ended."""
        while True:
            worker = Worker(name, self._program)
            try:
                indexed = await worker.start()
                self._add(worker)
                if not found.done():
                    found.set_result(indexed)
                await worker.serve()
            except DidNotIndex as error:
                if not found.done():
                    found.set_exception(error)
                    return
                log.exception("%s", name)
                await asyncio.sleep(_PAUSE)
            finally:
                self._remove(worker)
                log.info("%s ended with %s", name, await worker.stop())

    def _add(self, worker: Worker) -> None:
        self._ready.append(worker)
        self._some.set()

    def _remove(self, worker: Worker) -> None:
        if worker in self._ready:
            self._ready.remove(worker)
        if not self._ready:
            self._some.clear()
