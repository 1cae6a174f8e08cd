"""A small server in an emulator's place, and whether processes have ended."""

import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from random import randrange

from infra.emulators import process
from infra.emulators.emulator import answers
from infra.emulators.supervisor import free_port

SERVER = """
import http.server, json, os, pathlib, subprocess, sys
pathlib.Path("environment").write_text(json.dumps(dict(os.environ)))
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
pathlib.Path("child").write_text(str(child.pid))
print("a stand-in on port", sys.argv[1], flush=True)
http.server.test(http.server.SimpleHTTPRequestHandler, port=int(sys.argv[1]), bind="127.0.0.1")
"""

DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"


@dataclass(frozen=True)
class StandIn:
    """A server with a process of its own, as MiniStack has functions."""

    name: str = "stand-in"
    title: str = "The stand-in"
    port: int = 0
    seconds: float = 20
    code: str = SERVER
    page: str = "/log"

    def command(self, place) -> list[str]:
        return [sys.executable, "-c", self.code, str(place.port)]

    def environment(self, place, around):
        return {name: value for name, value in around.items() if name == "PATH" or name.endswith("_URL")}

    def ready(self, place) -> bool:
        return answers(place, self.page)

    def exports(self, place) -> dict[str, str]:
        return {f"{self.name.replace('-', '_').upper()}_URL": place.endpoint}

    def advice(self, place) -> list[str]:
        return []


def stand_in(**changes) -> StandIn:
    return StandIn(port=free_port(), **changes)


def is_running(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not yet collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(*pids: int) -> bool:
    return process.wait(lambda: not any(is_running(pid) for pid in pids), 5)


def three_free_ports() -> int:
    """The first of three in a row, below those that the system hands out by itself."""
    return next(
        port for port in iter(lambda: randrange(20_000, 30_000), 0) if all(map(_is_free, range(port, port + 3)))
    )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
