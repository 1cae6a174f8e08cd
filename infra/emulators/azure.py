"""Azure on this machine: our own Service Bus emulator, and Microsoft's Azurite for Tables."""

import json
import shutil
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from infra.emulators.azure_resources import config
from infra.emulators.emulator import HOST, Place
from infra.naming import Deployment, named
from shared.kernel.errors import ConfigurationError

SERVICEBUS = "TREFOIL_SERVICEBUS"
ADMINISTRATION = "TREFOIL_SERVICEBUS_ADMINISTRATION"
TABLES = "TREFOIL_TABLES"

ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The storage account that every Azurite has, and no secret ("Use the Azurite emulator", "Well-known account")."""

_APART, _FAR = 1000, 30_000
_HANDED_OUT = 31_000
"""Where such ports begin on Linux, less what a group of emulators takes."""
_CONFIG = "config.json"
_MESSAGES = "messages.sqlite"


@dataclass(frozen=True)
class ServiceBus:
    """The bus and the channels of one deployment, as the contract says."""

    contract: Path
    """The AsyncAPI document: `shared/asyncapi.json`, or another catalog's."""

    name: str = "servicebus"
    title: str = "The Service Bus emulator"
    port: int = 5672
    seconds: float = 60

    def command(self, place: Place) -> list[str]:
        """The server in this environment."""
        if not find_spec("proton"):
            raise ConfigurationError("python-qpid-proton is not installed: run `make emulators`")
        files = ["--config", str(place.folder / _CONFIG), "--data", str(place.folder / _MESSAGES)]
        ports = ["--port", str(place.port), "--administration", str(administration(place))]
        return [sys.executable, "-P", "-m", "infra.emulators.servicebus", *ports, *files]

    def environment(self, place: Place, around: Mapping[str, str]) -> dict[str, str]:
        """The entities are those of the deployment that TREFOIL_NAME and TREFOIL_STAGE name; they are written here."""
        contract = json.loads(self.contract.read_text())
        entities = config(contract, Deployment(*named(around)).prefix)
        (place.folder / _CONFIG).write_text(json.dumps(entities, indent=2))
        return {**base(around), "PYTHONUNBUFFERED": "1"}

    def ready(self, place: Place) -> bool:
        """Whether it listens."""
        return listens(place)

    def exports(self, place: Place) -> dict[str, str]:
        """What Trefoil's adapters and its functions read."""
        return {SERVICEBUS: connection(place.port), ADMINISTRATION: connection(administration(place))}

    def advice(self, _place: Place) -> list[str]:
        """Nothing."""
        return []


@dataclass(frozen=True)
class Azurite:
    """Tables, in memory: it would write its file every five seconds only, and a kill would lose what was confirmed."""

    folder: Path
    """Where npm has installed it."""
    path: str | None = None
    """Where Node is looked for; the process's own PATH when it is not given."""

    name: str = "azurite"
    title: str = "Azurite"
    port: int = 10002
    seconds: float = 60

    def command(self, place: Place) -> list[str]:
        """The program itself; it would report its use to its makers unless told not to."""
        program = self.folder / "node_modules" / "azurite" / "dist" / "src" / "table" / "main.js"
        if not (node := shutil.which("node", path=self.path)):
            raise ConfigurationError("Azurite needs Node.js 20 or newer: install it, then run `make emulators`")
        if not program.exists():
            raise ConfigurationError("Azurite is not installed: run `make emulators`")
        options = ["--silent", "--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry"]
        return [node, str(program), *options, "--tableHost", HOST, "--tablePort", str(place.port)]

    def environment(self, _place: Place, around: Mapping[str, str]) -> dict[str, str]:
        """Nothing of the user's own account reaches it."""
        return {name: value for name, value in base(around).items() if not name.startswith(("AZURITE_", "NODE_"))}

    def ready(self, place: Place) -> bool:
        """Whether it listens."""
        return listens(place)

    def exports(self, place: Place) -> dict[str, str]:
        """What Trefoil's adapters and its functions read."""
        return {
            TABLES: f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};"
            f"TableEndpoint={place.endpoint}/{ACCOUNT};"
        }

    def advice(self, _place: Place) -> list[str]:
        """Nothing: the Functions host makes the tables."""
        return []


def administration(place: Place) -> int:
    """The port of administration: far from the other, and not among those that systems hand out by chance."""
    return place.port + _APART if place.port < _HANDED_OUT else place.port - _FAR


def connection(port: int) -> str:
    """A connection string for an emulator. The key is none: nobody asks for it."""
    return (
        f"Endpoint=sb://{HOST}:{port};SharedAccessKeyName=RootManageSharedAccessKey;"
        "SharedAccessKey=SAS_KEY_VALUE;UseDevelopmentEmulator=true;"
    )


def base(around: Mapping[str, str]) -> dict[str, str]:
    """The environment without the user's own settings of Azure, Python and Trefoil."""
    return {name: value for name, value in around.items() if not name.startswith(("AZURE_", "PYTHON", "TREFOIL_"))}


def listens(place: Place) -> bool:
    """Whether somebody listens at the place."""
    try:
        socket.create_connection((HOST, place.port), timeout=5).close()
    except OSError:
        return False
    return True
