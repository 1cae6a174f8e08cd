"""The stand-in as one of the emulators: it needs the other two, and tells clients nothing that they don't."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import msgspec

from infra.emulators.cloudrun.settings import Settings, Shape
from infra.emulators.emulator import Place, answers
from infra.emulators.google import PROJECT, base
from shared.kernel.errors import ConfigurationError

_NEEDED = ("PUBSUB_EMULATOR_HOST", "FIRESTORE_EMULATOR_HOST")
_NOT_THEIRS = frozenset(("TREFOIL_CLOUD", "TREFOIL_DATA", "TREFOIL_EMULATORS", "TREFOIL_SERVICE"))


@dataclass(frozen=True)
class CloudRun:
    """Functions and their pushes, and the tick, in front of the Pub/Sub emulator."""

    source: Path
    """The file with the functions: the checkout's, or `main.py` of an unpacked zip."""
    path: Path
    """The folder that it imports the rest from: the checkout, or the unpacked zip."""
    contract: Path
    """The AsyncAPI document: `shared/asyncapi.json`, or another catalog's."""
    python: str = sys.executable
    shape: Shape = "wrapped"
    tick_seconds: float = 60
    workers: int = 1

    name: str = "cloudrun"
    title: str = "The stand-in for Cloud Run"
    port: int = 8087
    seconds: float = 60

    def command(self, place: Place) -> list[str]:
        """The server in this environment; functions run in an environment of their choice."""
        if self.python == sys.executable and not find_spec("functions_framework"):
            raise ConfigurationError("functions-framework is not installed: run `make emulators`")
        settings = Settings(
            port=place.port,
            folder=str(place.folder),
            source=str(self.source),
            path=str(self.path),
            python=self.python,
            contract=str(self.contract),
            shape=self.shape,
            tick_seconds=self.tick_seconds,
            workers=self.workers,
        )
        return [sys.executable, "-P", "-m", "infra.emulators.cloudrun", msgspec.json.encode(settings).decode()]

    def environment(self, _place: Place, around: Mapping[str, str]) -> dict[str, str]:
        """Where the emulators are; what is set for Trefoil's providers reaches the functions.

        Raises ConfigurationError when an emulator that it needs is not named.
        """
        for setting in _NEEDED:
            if not around.get(setting):
                raise ConfigurationError(
                    f"{self.title} needs {setting}: start it with the emulators that it stands on,"
                    " trefoil emulators up gcp"
                )
        ours = {name: value for name, value in around.items() if name.startswith("TREFOIL_")}
        return {
            **base(around),
            **{name: value for name, value in ours.items() if name not in _NOT_THEIRS},
            **{setting: around[setting] for setting in _NEEDED},
            "GOOGLE_CLOUD_PROJECT": around.get("GOOGLE_CLOUD_PROJECT") or PROJECT,
            "PYTHONUNBUFFERED": "1",
        }

    def ready(self, place: Place) -> bool:
        """Whether all is there on Pub/Sub; asking makes what is not."""
        return answers(place, "/ready")

    def exports(self, _place: Place) -> dict[str, str]:
        """Nothing: clients talk to the other emulators."""
        return {}

    def advice(self, place: Place) -> list[str]:
        """Where to look."""
        return [f"A function starts when its first message comes; its log is in {place.folder}"]
