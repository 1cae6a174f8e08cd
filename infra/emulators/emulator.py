"""What an emulator is: a command to start, a page that answers when it is ready, settings for its clients."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Protocol

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Place:
    """Where one emulator runs: its port, and a folder of its own for its logs and whatever it writes."""

    port: int
    folder: Path

    @property
    def endpoint(self) -> str:
        return f"http://{HOST}:{self.port}"


class Emulator(Protocol):
    """One program that stands in for a cloud, or for a part of one."""

    @property
    def name(self) -> str:
        """What `trefoil emulators up` calls it."""

    @property
    def title(self) -> str:
        """What its makers call it."""

    @property
    def port(self) -> int:
        """Where it listens unless told otherwise."""

    @property
    def seconds(self) -> float:
        """How long it may take to get ready, on a slow machine."""

    def command(self, place: Place) -> list[str]:
        """How to start it there; raises ConfigurationError naming the remedy when it is not installed."""

    def environment(self, place: Place, around: Mapping[str, str]) -> dict[str, str]:
        """The whole environment to start it in, made of the one around it."""

    def ready(self, place: Place) -> bool:
        """Whether it answers there."""

    def exports(self, place: Place) -> dict[str, str]:
        """The settings that send a client to it."""

    def advice(self, place: Place) -> list[str]:
        """What a person should know who has just started it there."""


def answers(place: Place, path: str, seconds: float = 5) -> bool:
    """Whether a page can be had at the place."""
    connection = HTTPConnection(HOST, place.port, timeout=seconds)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
