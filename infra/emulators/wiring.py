"""The emulators of this checkout, as the environment has it."""

import os
from pathlib import Path

from infra.emulators.aws import LocalStack, MiniStack
from infra.emulators.azure import Azurite, ServiceBus
from infra.emulators.azurefunctions.emulator import AzureFunctions
from infra.emulators.cloudrun.emulator import CloudRun
from infra.emulators.emulator import Emulator
from infra.emulators.google import Firestore, PubSub, Software
from infra.emulators.supervisor import Supervisor

ROOT = Path(__file__).parents[2]

GROUPS = {"gcp": ("pubsub", "firestore", "cloudrun"), "azure": ("servicebus", "azurite", "azurefunctions")}
"""Emulators that make a cloud together, in the order in which they stand on one another."""


def supervisor(folder: Path | None = None) -> Supervisor:
    """The emulators that are kept in a folder: this one, or TREFOIL_EMULATORS, or `.cache/emulators` in the checkout.

    It is one place for a checkout, not for a data folder, because the ports are the machine's.
    """
    emulators: tuple[Emulator, ...] = (
        MiniStack(os.environ.get("PYTHON313", "")),
        LocalStack(ROOT / ".venv-localstack" / "bin" / "python"),
        *google(),
        CloudRun(ROOT / "functions" / "gcp" / "main.py", ROOT, ROOT / "shared" / "asyncapi.json"),
        *azure(),
        AzureFunctions(ROOT / "functions" / "azure", ROOT, ROOT / ".venv-azure" / "bin" / "python"),
    )
    place = folder or Path(os.environ.get("TREFOIL_EMULATORS") or ROOT / ".cache" / "emulators")
    return Supervisor(place, {each.name: each for each in emulators}, os.environ, GROUPS)


def google() -> tuple[PubSub, Firestore]:
    """Google's own emulators, of the SDK that the environment names or that is on the path."""
    software = Software(os.environ.get("CLOUDSDK_ROOT_DIR", ""), os.environ.get("JAVA_HOME", ""))
    return PubSub(software), Firestore(software)


def azure() -> tuple[ServiceBus, Azurite]:
    """Our Service Bus emulator, and Azurite as npm has installed it in the checkout."""
    return ServiceBus(ROOT / "shared" / "asyncapi.json"), Azurite(ROOT / ".npm-azurite")
