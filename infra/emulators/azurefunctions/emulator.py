"""The host as one of the emulators: it needs the other two, and tells clients nothing that they don't."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import msgspec

from infra.emulators.azure import SERVICEBUS, TABLES, base
from infra.emulators.azurefunctions.settings import Settings
from infra.emulators.emulator import Place, answers
from shared.kernel.errors import ConfigurationError

_NEEDED = (SERVICEBUS, TABLES)
_NOT_THEIRS = frozenset(("TREFOIL_CLOUD", "TREFOIL_DATA", "TREFOIL_EMULATORS", "TREFOIL_SERVICE"))


@dataclass(frozen=True)
class AzureFunctions:
    """Functions and their triggers, in front of the Service Bus emulator and Azurite."""

    app: Path
    """The folder with `function_app.py` and `host.json`: the checkout's, or an unpacked zip."""
    path: Path
    """The folder that it imports the rest from: the checkout, or the unpacked zip."""
    python: Path
    """The Python of the environment that the worker is installed in."""
    workers: int = 1
    """Processes that take turns."""
    schedules: bool = True
    """Whether timers ring by themselves."""

    name: str = "azurefunctions"
    title: str = "The local Functions host"
    port: int = 7071
    seconds: float = 120

    def command(self, place: Place) -> list[str]:
        """The host in this environment; its workers run in theirs."""
        if not find_spec("azure") or not find_spec("azure.servicebus"):
            raise ConfigurationError("azure-servicebus is not installed: run `make emulators`")
        if not self.python.exists():
            raise ConfigurationError("the Azure Functions worker is not installed: run `make azure-functions`")
        settings = Settings(
            port=place.port,
            folder=str(place.folder),
            app=str(self.app),
            path=str(self.path),
            python=str(self.python),
            workers=self.workers,
            schedules=self.schedules,
        )
        return [sys.executable, "-P", "-m", "infra.emulators.azurefunctions", msgspec.json.encode(settings).decode()]

    def environment(self, _place: Place, around: Mapping[str, str]) -> dict[str, str]:
        """Where the emulators are; what is set for Trefoil's providers reaches the functions.

        Raises ConfigurationError when an emulator that it needs is not named.
        """
        for setting in _NEEDED:
            if not around.get(setting):
                raise ConfigurationError(
                    f"{self.title} needs {setting}: start it with the emulators that it stands on,"
                    " trefoil emulators up azure"
                )
        ours = {name: value for name, value in around.items() if name.startswith("TREFOIL_")}
        return {
            **base(around),
            **{name: value for name, value in ours.items() if name not in _NOT_THEIRS and "__" not in name},
            "PYTHONUNBUFFERED": "1",
        }

    def ready(self, place: Place) -> bool:
        """Whether it listens for messages, and the tables are there; asking makes those that are not."""
        return answers(place, "/ready")

    def exports(self, _place: Place) -> dict[str, str]:
        """Nothing: clients talk to the other emulators."""
        return {}

    def advice(self, place: Place) -> list[str]:
        """Where to look."""
        return [f"The log of each function, and of the worker that runs it, is in {place.folder}"]
