"""The command line as a person meets it: run in this process where that will do, in one of its own where it must."""

import io
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any, NamedTuple

from functions.local.cli import main

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "functions" / "local" / "samples"
COMMAND = (sys.executable, "-m", "functions.local")

_PATIENCE = 30.0
"""Seconds, after which what should have happened is an error."""


class Finished(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which must be one JSON document and nothing else."""
        return json.loads(self.out)

    @property
    def both(self) -> str:
        return self.out + self.err


def trefoil(*arguments: str | Path, stdin: bytes = b"") -> Finished:
    """Run a command in this process; an exception that a person would see as a traceback passes."""
    streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2)]
    before = sys.argv, sys.stdin, signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    sys.argv, sys.stdin = ["trefoil", *map(str, arguments)], io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8")
    code = 0
    try:
        with redirect_stdout(streams[0]), redirect_stderr(streams[1]):
            main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        sys.argv, sys.stdin = before[:2]
        signal.signal(signal.SIGINT, before[2])
        signal.signal(signal.SIGTERM, before[3])
    out, err = (stream.buffer.getvalue().decode() for stream in streams)
    return Finished(code, out, err)


def trefoil_process(
    *arguments: str | Path, stdin: bytes = b"", command: Sequence[str] = COMMAND, patience: float = _PATIENCE
) -> Finished:
    """Run a command in a process of its own, perhaps by way of another `command` that restricts it."""
    line = [*command, *map(str, arguments)]
    done = subprocess.run(line, input=stdin, capture_output=True, cwd=ROOT, timeout=patience, check=False)
    return Finished(done.returncode, done.stdout.decode(), done.stderr.decode())


@contextmanager
def started(*arguments: str | Path, command: Sequence[str] = COMMAND) -> Iterator[subprocess.Popen[str]]:
    """A process that goes on beside the test; its output is text, and it is gone when the test ends."""
    pipe = subprocess.PIPE
    line = [*command, *map(str, arguments)]
    # A session of its own, so that its children can be ended with it.
    with subprocess.Popen(line, cwd=ROOT, stdout=pipe, stderr=pipe, text=True, start_new_session=True) as process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def eventually(happens: Callable[[], Any], what: str) -> Any:
    """Wait until it does; return what it returned."""
    end = time.monotonic() + _PATIENCE
    while not (found := happens()):
        assert time.monotonic() < end, f"this did not happen: {what}"
        time.sleep(0.02)
    return found


class Shop:
    """A data folder, and the commands that a test gives about it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *arguments: str | Path, stdin: bytes = b"") -> Finished:
        """Run a command on this folder."""
        return trefoil(*arguments, "--data", self.folder, stdin=stdin)

    def copy_to(self, folder: Path) -> "Shop":
        """The same shop in another folder, for a test to do with what it likes."""
        shutil.copytree(self.folder, folder)
        return Shop(folder)

    def send(self, *messages: dict[str, Any]) -> None:
        """Send messages that are all taken."""
        sent = self("send", "-", stdin=lines(*messages))
        assert sent.code == 0, sent.err

    def work(self) -> None:
        """Handle everything."""
        worked = self("work", "--until-idle", "--log", "ERROR")
        assert worked.code == 0, worked.err

    def handle(self, *messages: dict[str, Any]) -> None:
        """Send messages, and handle everything."""
        self.send(*messages)
        self.work()

    def status(self) -> Any:
        return self("status", "--json").json

    def show(self, service: str, subject: str) -> Any:
        return self("show", service, subject, "--json").json

    def state(self, service: str, subject: str) -> Any:
        return self.show(service, subject)["state"]

    def letters(self) -> Any:
        return self("dead", "list", "--json").json

    def reasons(self) -> list[str]:
        """Of the dead letters, oldest first within a service."""
        return [letter["reason"] for letter in self.letters()]

    def missing(self) -> Any:
        return self("audit", "--json").json["missing"]

    def mails(self) -> list[str]:
        """What left, by file name: `order-placed%3Aorders%2Fa%3A1%3A0.eml`."""
        return sorted(path.name for path in self.folder.glob("mails/*.eml"))

    def query(self, sql: str, *parameters: Any) -> list[Any]:
        """Rows of the database."""
        with closing(sqlite3.connect(self.folder / "trefoil.db", timeout=_PATIENCE)) as connection:
            return connection.execute(sql, parameters).fetchall()

    def change(self, sql: str, *parameters: Any) -> int:
        """Change the database behind everybody's back; return how many rows that was."""
        with closing(sqlite3.connect(self.folder / "trefoil.db", timeout=_PATIENCE)) as connection, connection:
            return connection.execute(sql, parameters).rowcount

    def commits(self, service: str) -> dict[tuple[str, int], Any]:
        """Everything a service committed, decoded, but for the moments when it did."""
        rows = self.query("select body from commits where stream like ?", f"{service}/%")
        commits = [json.loads(body) for (body,) in rows]
        return {(commit["stream"], commit["version"]): {**commit, "time": None} for commit in commits}

    def commit_count(self) -> Counter[str]:
        """How many commits each service has."""
        return Counter(stream.partition("/")[0] for (stream,) in self.query("select stream from commits"))


def fails_in_one_sentence(done: Finished, *words: str) -> None:
    """A command that failed as a person may expect: told why, without a traceback."""
    assert done.code in (1, 2), done.err
    assert done.out == ""
    (sentence,) = done.err.splitlines()
    assert sentence.startswith("error: ")
    assert [word for word in words if word not in sentence] == []


# -- messages


def lines(*messages: dict[str, Any]) -> bytes:
    """JSON lines, as a person would pipe them."""
    return b"".join(json.dumps(message).encode() + b"\n" for message in messages)


def cloud_event(type_: str, subject: str, usual_data: Any, **attributes: Any) -> dict[str, Any]:
    """A CloudEvent from outside."""
    usual = {"specversion": "1.0", "id": f"{type_}:{subject}", "source": "/test", "time": "2026-01-01T00:00:00Z"}
    return {**usual, "type": type_, "subject": subject, "data": usual_data, **attributes}


def place(order: str, cents: int = 1000, **attributes: Any) -> dict[str, Any]:
    """An order of ada's."""
    total = {"amount": cents, "currency": "USD"}
    data = {"customer": "ada", "email": "ada@secret.example", "quantity": 1, "total": total, "date": "2026-01-01"}
    return cloud_event("orders.place-order.v1", order, data, **attributes)


def cancel(order: str, **attributes: Any) -> dict[str, Any]:
    return cloud_event("orders.cancel-order.v1", order, {"reason": "changed my mind"}, **attributes)


def register(user: str, **attributes: Any) -> dict[str, Any]:
    data = {"name": user.title(), "email": f"{user}@secret.example"}
    return cloud_event("users.register-user.v1", user, data, **attributes)


def reading(sensor: str, hour: int, temperature: int = 2000) -> dict[str, Any]:
    data = {"temperature": temperature, "at": f"2026-01-01T{hour:02}:00:00"}
    return cloud_event("sensors.record-reading.v1", sensor, data, id=f"{sensor}-{hour}")
