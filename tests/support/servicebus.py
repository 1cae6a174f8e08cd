"""Pytest's way to a Service Bus: our emulator on a free port, stopped whatever happens, or the one that is named.

TREFOIL_SERVICEBUS_CONNECTION is the connection string of another (Microsoft's emulator, or Azure itself) which has the
entities of `tests/emulators/servicebus/Config.json`; then nothing is started, and tests that kill the broker don't
apply.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import pytest

from infra.emulators.emulator import HOST
from infra.emulators.process import wait
from infra.emulators.supervisor import free_port

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "tests" / "emulators" / "servicebus" / "Config.json"
NAMED = os.environ.get("TREFOIL_SERVICEBUS_CONNECTION", "")
PACKAGES = ("proton", "azure.servicebus")

_PATIENCE = 30.0


def connection_string(port: int) -> str:
    """What the SDK takes for an emulator on this machine."""
    return (
        f"Endpoint=sb://{HOST}:{port};SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=any;"
        "UseDevelopmentEmulator=true;"
    )


def missing() -> str:
    """What is to be installed for the emulator and its SDK; empty when nothing is."""
    absent = []
    for package in PACKAGES:
        try:
            found = find_spec(package)
        except ModuleNotFoundError:
            found = None
        if found is None:
            absent.append(package)
    return "" if not absent else f"python-qpid-proton and azure-servicebus ({', '.join(absent)} can't be imported)"


@dataclass
class ServiceBusEmulator:
    """An emulator as a process, which can be killed and started again in its old place."""

    config: Path
    folder: Path
    keeps: bool = False
    port: int = field(default_factory=free_port)
    administration: int = field(default_factory=free_port)
    process: subprocess.Popen[str] | None = None

    @property
    def connection(self) -> str:
        return connection_string(self.port)

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def start(self) -> None:
        """Start it, and wait until it says that it is ready."""
        command = [
            sys.executable,
            "-m",
            "infra.emulators.servicebus",
            "--config",
            self.config,
            "--port",
            str(self.port),
            "--administration",
            str(self.administration),
        ]
        data = ["--data", self.folder / "data.sqlite"] if self.keeps else []
        before = len(self.log) if (self.folder / "log").exists() else 0
        with (self.folder / "log").open("a") as log:
            self.process = subprocess.Popen(
                [*command, *data], cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True
            )
        process = self.process
        wait(lambda: "is ready" in self.log[before:] or process.poll() is not None, _PATIENCE)
        if "is ready" not in self.log[before:]:
            self.kill()
            raise AssertionError(f"the emulator did not start:\n{self.log}")

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """Ask it to end; its exit code."""
        return self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> int:
        if self.process is None:
            return 0
        process, self.process = self.process, None
        process.send_signal(number)
        try:
            return process.wait(_PATIENCE)
        finally:
            process.kill()
            process.wait()


@contextmanager
def running(config: Path, folder: Path, *, keeps: bool = False) -> Iterator[ServiceBusEmulator]:
    """An emulator with the entities of a file; with `keeps` its messages outlive it."""
    emulator = ServiceBusEmulator(config, folder, keeps)
    try:
        emulator.start()
        yield emulator
    finally:
        emulator.kill()


@pytest.fixture(scope="session")
def servicebus(tmp_path_factory, requires) -> Iterator[str]:
    """The connection string of a Service Bus that has the entities of `Config.json`."""
    if NAMED:
        yield NAMED
        return
    requires(not missing(), missing())
    with running(CONFIG, tmp_path_factory.mktemp("servicebus")) as emulator:
        yield emulator.connection
