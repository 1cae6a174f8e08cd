"""Starts emulators, finds those that run, stops them: one folder each, whose files are all the state there is."""

import fcntl
import os
import shutil
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.emulators import process
from infra.emulators.emulator import HOST, Emulator, Place
from shared.kernel.errors import ConfigurationError

_LOCK = ".lock"
_LAST_PORT = 65535


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

    def __init__(
        self,
        folder: Path,
        emulators: Mapping[str, Emulator],
        around: Mapping[str, str],
        groups: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self._folder = folder.absolute()
        self._emulators = emulators
        self._around = around
        self._groups = {**{name: (name,) for name in emulators}, **(groups or {})}

    def up(self, name: str, port: int | None = None) -> Running:
        """Have an emulator running and ready; one that runs already is left as it is.

        Raises ConfigurationError when it can't be started, naming the remedy or the log, and leaves nothing running.
        """
        return self.up_all(name, port)[-1]

    def up_all(self, name: str, port: int | None = None) -> list[Running]:
        """The same for each emulator of a group, in its order: each knows the settings of those before it.

        The first listens on the port, the next on the one after it. An emulator is a group of one.
        """
        members = self._members(name)
        with self._alone(), ExitStack() as undo:
            found: list[Running] = []
            for place, emulator in zip(self._places(members, port), members, strict=True):
                if not process.is_alive(place.folder):
                    other = f"trefoil emulators up {name} --port {(port or members[0].port) + len(members)}"
                    self._start(emulator, place, _together(self._around, found), other)
                    undo.callback(_clear, place)
                else:
                    self._await(emulator, place)
                found.append(_look(emulator, place))
            undo.pop_all()
            return found

    def down(self, name: str | None = None, port: int | None = None) -> list[Running]:
        """Stop all emulators, or those of a name or at a port, and remove their folders; returns what was there.

        The last that was started of a group ends first.
        """
        members = list(self._emulators.values()) if name is None else self._members(name)
        with self._alone():
            found = list(self._found())
            if name is not None and port is not None:
                places = self._places(members, port)
                found = [each for each in found if each.place in places]
            elif port is not None:
                found = [each for each in found if each.place.port == port]
            found = [each for member in reversed(members) for each in found if each.emulator == member]
            for each in found:
                _clear(each.place)
        return found

    def status(self) -> list[Running]:
        """What was started and not stopped, by name and port; some of it may have died."""
        with self._alone():
            return list(self._found())

    def _members(self, name: str) -> list[Emulator]:
        if name not in self._groups:
            raise ConfigurationError(f"there is no emulator '{name}'; there are: {', '.join(self._groups)}")
        return [self._emulators[each] for each in self._groups[name]]

    def _places(self, members: Sequence[Emulator], port: int | None) -> list[Place]:
        """Where each of a group listens: at its own port, or at those that begin with the given one."""
        ports = [each.port for each in members] if port is None else range(port, port + len(members))
        if max(ports) > _LAST_PORT:
            raise ConfigurationError(f"{len(members)} ports from {port} on are needed, and {_LAST_PORT} is the last")
        return [self._place(each, its) for each, its in zip(members, ports, strict=True)]

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

    def _start(self, emulator: Emulator, place: Place, around: Mapping[str, str], other: str) -> None:
        _clear(place)
        command = emulator.command(place)
        _check_free(emulator, place.port, other)
        place.folder.mkdir()
        try:
            process.start(place.folder, command, emulator.environment(place, around))
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


def _check_free(emulator: Emulator, port: int, other: str) -> None:
    with socket.socket() as probe:
        # Connections of a server that has just gone linger; they don't stand in a new one's way.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise ConfigurationError(
                f"{emulator.title} can't have port {port} of {HOST} ({os.strerror(error.errno or 0)}): "
                f"stop what uses it, or choose another: {other}"
            ) from error


def _together(around: Mapping[str, str], running: Iterable[Running]) -> dict[str, str]:
    """An environment with the settings of what runs."""
    return {**around, **{setting: value for each in running for setting, value in each.exports.items()}}


def _look(emulator: Emulator, place: Place) -> Running:
    return Running(emulator, place, process.pid(place.folder), process.is_alive(place.folder))


def _clear(place: Place) -> None:
    if place.folder.exists():
        process.stop(place.folder)
        shutil.rmtree(place.folder)
