"""Starts emulators, finds those that run, stops them: one folder each, whose files are all the state there is."""

import fcntl
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.emulators import process
from infra.emulators.emulator import HOST, Emulator, Place
from shared.kernel.errors import ConfigurationError

_LOCK = ".lock"


@dataclass(frozen=True)
class Running:
    """An emulator that was started, and whether it still lives."""

    emulator: Emulator
    place: Place
    pid: int
    alive: bool

    @property
    def exports(self) -> dict[str, str]:
        """The settings that send a client to it."""
        return self.emulator.exports(self.place)


class Supervisor:
    """The emulators of one state folder. Several processes may use it at once; each call is done before the next."""

    def __init__(self, folder: Path, emulators: Mapping[str, Emulator], around: Mapping[str, str]) -> None:
        self._folder = folder.absolute()
        self._emulators = emulators
        self._around = around

    def up(self, name: str, port: int | None = None) -> Running:
        """Have an emulator running and ready; one that runs already is left as it is.

        Raises ConfigurationError when it can't be started, naming the remedy or the log, and leaves nothing running.
        """
        emulator = self._emulator(name)
        with self._alone():
            place = self._place(emulator, emulator.port if port is None else port)
            if process.is_alive(place.folder):
                self._await(emulator, place)
            else:
                self._start(emulator, place)
            return _look(emulator, place)

    def down(self, name: str | None = None, port: int | None = None) -> list[Running]:
        """Stop all emulators, or those of a name or at a port, and remove their folders; returns what was there."""
        if name is not None:
            self._emulator(name)
        with self._alone():
            found = [
                each for each in self._found() if name in (None, each.emulator.name) and port in (None, each.place.port)
            ]
            for each in found:
                _clear(each.place)
        return found

    def status(self) -> list[Running]:
        """What was started and not stopped, by name and port; some of it may have died."""
        with self._alone():
            return list(self._found())

    def _emulator(self, name: str) -> Emulator:
        if name not in self._emulators:
            raise ConfigurationError(f"there is no emulator '{name}'; there are: {', '.join(self._emulators)}")
        return self._emulators[name]

    def _place(self, emulator: Emulator, port: int) -> Place:
        return Place(port, self._folder / f"{emulator.name}-{port}")

    def _found(self) -> Iterator[Running]:
        for folder in sorted(self._folder.iterdir()):
            name, _, port = folder.name.rpartition("-")
            if name in self._emulators and port.isdecimal():
                emulator = self._emulators[name]
                yield _look(emulator, self._place(emulator, int(port)))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / _LOCK).open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _start(self, emulator: Emulator, place: Place) -> None:
        _clear(place)
        command = emulator.command()
        _check_free(emulator, place.port)
        place.folder.mkdir()
        try:
            process.start(place.folder, command, emulator.environment(place, self._around))
            self._await(emulator, place)
        except BaseException:
            # The log stays: the error names it, and the next `up` or `down` clears it away.
            process.stop(place.folder)
            raise

    def _await(self, emulator: Emulator, place: Place) -> None:
        def settled() -> bool:
            return not process.is_alive(place.folder) or emulator.ready(place)

        in_time = process.wait(settled, emulator.seconds)
        if in_time and process.is_alive(place.folder):
            return
        what = f"did not answer within {emulator.seconds:g} s" if not in_time else "ended while it was starting"
        log = place.folder / process.LOG
        raise ConfigurationError(
            f"{emulator.title} on port {place.port} {what}; its log is {log}, and ends:\n"
            f"{process.last_lines(place.folder)}"
        )


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _check_free(emulator: Emulator, port: int) -> None:
    with socket.socket() as probe:
        # Connections of a server that has just gone linger; they don't stand in a new one's way.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise ConfigurationError(
                f"{emulator.title} can't have port {port} of {HOST} ({os.strerror(error.errno or 0)}): "
                f"stop what uses it, or choose another: trefoil emulators up {emulator.name} --port {port + 1}"
            ) from error


def _look(emulator: Emulator, place: Place) -> Running:
    return Running(emulator, place, process.pid(place.folder), process.is_alive(place.folder))


def _clear(place: Place) -> None:
    if place.folder.exists():
        process.stop(place.folder)
        shutil.rmtree(place.folder)
