"""The emulators of this checkout, as the environment has it."""

import os
from pathlib import Path

from infra.emulators.aws import LocalStack, MiniStack
from infra.emulators.emulator import Emulator
from infra.emulators.supervisor import Supervisor

ROOT = Path(__file__).parents[2]


def supervisor(folder: Path | None = None) -> Supervisor:
    """The emulators that are kept in a folder: this one, or TREFOIL_EMULATORS, or `.cache/emulators` in the checkout.

    It is one place for a checkout, not for a data folder, because the ports are the machine's.
    """
    emulators: tuple[Emulator, ...] = (
        MiniStack(os.environ.get("PYTHON313", "")),
        LocalStack(ROOT / ".venv-localstack" / "bin" / "python"),
    )
    place = folder or Path(os.environ.get("TREFOIL_EMULATORS") or ROOT / ".cache" / "emulators")
    return Supervisor(place, {each.name: each for each in emulators}, os.environ)
