"""A server as a group of processes of its own, which outlives whoever started it and can be found again.

The server holds a lock on a file for as long as it lives. So nobody needs to trust a process id, which the system gives
to another program one day: it counts only while the lock is held.
"""

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

LOG = "log"
_ALIVE = "alive"
_PID = "pid"
_PATIENCE = 10.0
_PAUSE = 0.02


def start(folder: Path, command: Sequence[str], environment: Mapping[str, str]) -> None:
    """Start a server; what it prints goes to `log` in the folder."""
    with (folder / _ALIVE).open("wb") as alive, (folder / LOG).open("wb") as log:
        fcntl.flock(alive, fcntl.LOCK_EX)
        process = subprocess.Popen(  # noqa: S603 - each emulator names its own command
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=(alive.fileno(),),
            start_new_session=True,
        )
        (folder / _PID).write_text(str(process.pid))
    # It is meant to outlive this object, which would complain of that when it goes.
    process.returncode = 0


def pid(folder: Path) -> int:
    """The process id of the server, which leads its group; 0 when none was started."""
    try:
        return int((folder / _PID).read_text())
    except (FileNotFoundError, ValueError):
        return 0


def is_alive(folder: Path) -> bool:
    """Whether the server of this folder still runs."""
    try:
        with (folder / _ALIVE).open("rb") as alive:
            fcntl.flock(alive, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def wait(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait until the condition holds; False when it did not in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(_PAUSE)
    return True


def stop(folder: Path) -> None:
    """End the server and every process it started: asked first, then killed."""
    leader = pid(folder)
    if not leader:
        return
    if is_alive(folder):
        _signal(leader, signal.SIGTERM)
        wait(lambda: not is_alive(folder), _PATIENCE)
    elif _is_another(leader):
        return
    _signal(leader, signal.SIGKILL)
    wait(lambda: not is_alive(folder), _PATIENCE)
    _reap(leader)


def last_lines(folder: Path, count: int = 5) -> str:
    """The end of what the server printed."""
    with suppress(FileNotFoundError):
        return "\n".join((folder / LOG).read_text(errors="replace").rstrip().splitlines()[-count:])
    return ""


def _is_another(leader: int) -> bool:
    """Whether the id of a server that is gone now means another program; a dead leader's group may still be there."""
    _reap(leader)
    try:
        os.kill(leader, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _signal(leader: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)


def _reap(leader: int) -> None:
    """Collect the server's exit, if it was a child of this process."""
    with suppress(ChildProcessError):
        os.waitpid(leader, os.WNOHANG)
