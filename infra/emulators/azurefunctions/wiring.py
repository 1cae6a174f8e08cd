"""The host, as its argument and the environment say."""

import asyncio
import logging
import os
import shutil
import signal
import sys
from pathlib import Path
from threading import Thread

import msgspec

from infra.emulators.azure import TABLES
from infra.emulators.azure_resources import tables
from infra.emulators.azurefunctions.host import Host
from infra.emulators.azurefunctions.hostjson import read
from infra.emulators.azurefunctions.server import Server
from infra.emulators.azurefunctions.settings import Settings
from infra.emulators.azurefunctions.workers import Program, Workers
from infra.naming import Deployment, named
from shared.kernel.errors import TrefoilError

_FILES = ("function_app.py", "host.json")

log = logging.getLogger(__name__)


def run(argument: str) -> int:
    """Serve until the process is told to end; then end every worker. 1 stands for an app that can't be run."""
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("azure").setLevel(logging.ERROR)
    try:
        asyncio.run(_serve(msgspec.json.decode(argument, type=Settings)))
    except TrefoilError as error:
        log.error("%s", error)  # noqa: TRY400 - the reason, not where it was noticed
        return 1
    return 0


async def _serve(settings: Settings) -> None:
    app = _lay_out(Path(settings.app), Path(settings.path), Path(settings.folder))
    options = read(app)
    environment = {
        **os.environ,
        "FUNCTIONS_WORKER_RUNTIME": "python",
        "FUNCTIONS_WORKER_PROCESS_COUNT": str(settings.workers),
    }
    program = Program(settings.python, str(app), settings.path, settings.folder, environment)
    workers = Workers(program, settings.workers, options.timeout)
    host = Host(workers, options, os.environ, schedules=settings.schedules)
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    try:
        await asyncio.to_thread(_provision)
        await host.start()
        server = Server(settings.port, host, loop, _provision)
        Thread(target=server.serve_forever, daemon=True).start()
        await ended.wait()
    finally:
        await host.stop()


def _lay_out(app: Path, path: Path, folder: Path) -> Path:
    """An app's root, as its zip has it: beside `function_app.py` is nothing that the app does not import."""
    if app == path:
        return app
    root = folder / "app"
    root.mkdir(exist_ok=True)
    for name in _FILES:
        shutil.copyfile(app / name, root / name)
    return root


def _provision() -> None:
    """Make the tables that are not there; Terraform does it in Azure."""
    from azure.data.tables import TableServiceClient  # noqa: PLC0415 - what it loads is not for those who only look

    with TableServiceClient.from_connection_string(os.environ[TABLES]) as client:
        for each in tables(Deployment(*named(os.environ))):
            client.create_table_if_not_exists(each)
