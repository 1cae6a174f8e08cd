"""The worker's process: Microsoft's library on one side, this host on the other.

The host starts it in an environment with Python 3.13 and azure-functions-runtime (`workers.Program`); it ends when the
host is gone.
"""

import asyncio
import logging
import os
import socket
import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from infra.emulators.azurefunctions import rpc
from infra.emulators.azurefunctions.wire import Indexed, read, write

HOST_VERSION = "4.1041.0"
"""What the library is told that it talks to."""

_CHECKOUT = Path(__file__).parents[3]
_PACKAGES = ".python_packages/lib/site-packages"
"""Where a zip keeps what it brings along."""


class FunctionLogs(logging.Handler):
    """A file a function; what belongs to no invocation is printed."""

    def __init__(self, folder: Path, invocation: Any) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        self.running: dict[str, str] = {}
        """The functions of the invocations under way."""
        self._folder = folder
        self._invocation = invocation

    def emit(self, record: logging.LogRecord) -> None:
        line = f"{self.format(record)}\n"
        function = self.running.get(self._invocation.get() or "")
        if function is None:
            sys.stdout.write(line)
            sys.stdout.flush()
            return
        with (self._folder / f"{function}.log").open("a") as file:
            file.write(line)


class Worker:
    """Indexes an app, then calls its functions as it is told, many at once."""

    def __init__(self, runtime: Any, app: Path, logs: FunctionLogs) -> None:
        self._runtime = runtime
        self._app = app
        self._logs = logs
        self._names: dict[str, str] = {}

    async def index(self) -> Indexed:
        """What the library finds in the app."""
        init = rpc.WorkerInitRequest(HOST_VERSION, str(self._app))
        begun = await self._runtime.worker_init_request(_request(worker_init_request=init))
        if begun.result.status != rpc.StatusResult.Success:
            return Indexed(begun.result, [], begun.capabilities)
        found = await self._runtime.functions_metadata_request(_request())
        functions: list[rpc.RpcFunctionMetadata] = found.function_metadata_results or []
        for each in functions:
            load = rpc.FunctionLoadRequest(each.function_id, each)
            await self._runtime.function_load_request(_request(function_load_request=load))
            self._names[each.function_id] = each.name
        return Indexed(found.result, functions, begun.capabilities)

    async def invoke(self, request: rpc.InvocationRequest) -> rpc.InvocationResponse:
        """Call a function; whatever it raises is in the response."""
        self._logs.running[request.invocation_id] = self._names[request.function_id]
        try:
            response = await self._runtime.invocation_request(_request(invocation_request=request))
        finally:
            del self._logs.running[request.invocation_id]
        return response  # type: ignore[no-any-return]


def _request(**kind: Any) -> SimpleNamespace:
    """A request as the process around the library hands it over in production."""
    properties = {"host": "127.0.0.1", "protos": rpc}
    return SimpleNamespace(request=rpc.StreamingMessage(**kind), properties=properties)


async def serve(worker: Worker, connection: socket.socket) -> None:
    """Index, then answer invocations until the host is gone."""
    reader, writer = await asyncio.open_connection(sock=connection)
    write(writer, await worker.index())
    tasks: set[asyncio.Task[None]] = set()

    async def answer(request: rpc.InvocationRequest) -> None:
        write(writer, await worker.invoke(request))
        await writer.drain()

    while request := await read(reader, rpc.InvocationRequest):
        task = asyncio.create_task(answer(request))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


def alone(app: Path, path: Path) -> None:
    """Have the app import from its own folders, as in Azure: a module that it lacks must be missing here, too."""
    others = [each for each in sys.path if Path(each).resolve() != _CHECKOUT]
    sys.path[:] = [*dict.fromkeys(map(str, (app / _PACKAGES, app, path))), *others]
    for name in [each for each in sys.modules if each.partition(".")[0] == "infra"]:
        del sys.modules[name]


def main(number: str, app: str, path: str, folder: str) -> None:
    """Run until the host is gone, which is at the other end of the socket of that number."""
    connection = socket.socket(fileno=int(number))
    alone(Path(app), Path(path))
    runtime = import_module("azure_functions_runtime")
    logs = FunctionLogs(Path(folder), runtime.invocation_id_cv)
    # As the process around the library does it in production.
    logging.basicConfig(level=logging.INFO, handlers=[logs])
    logging.getLogger("azure.functions").setLevel(logging.WARNING)
    runtime.start_threadpool_executor()
    asyncio.run(serve(Worker(runtime, Path(app), logs), connection))
    os._exit(0)  # whatever a function is still about, nobody waits for it
