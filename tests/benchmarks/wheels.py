"""What a lock brings to a function: the wheels, for the Python that the clouds run where it is installed."""

import sys
import zipfile
from pathlib import Path

from functions.package import ROOT, Build, fetch
from infra.emulators.interpreters import find_python
from shared.kernel.errors import ConfigurationError

MEBIBYTE = 2**20
PARTS_SHOWN = 5


def target() -> tuple[Path, str]:
    """The clouds' Python and its version, else the one that runs this."""
    try:
        return find_python("3.13", "", ""), "3.13"
    except ConfigurationError:
        return Path(sys.executable), f"{sys.version_info.major}.{sys.version_info.minor}"


def project(root: Path, lock: str) -> Path:
    """A project with a lock; it shares the checkout's cache of wheels."""
    (root / "requirements").mkdir(parents=True)
    (root / "requirements" / "lambda.txt").write_text(lock)
    wheels = ROOT / ".cache" / "wheels"
    wheels.mkdir(parents=True, exist_ok=True)
    (root / ".cache").mkdir()
    (root / ".cache" / "wheels").symlink_to(wheels)
    return root


def install(interpreter: Path, version: str, lock: str, folder: Path) -> Path:
    """Unpack all of a lock's wheels into a folder, whole; returns it."""
    root = project(folder.with_name(f"{folder.name}-project"), lock)
    for wheel in fetch(Build(version, f"python{version}", interpreter, root / "none.zip", root)):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
    return folder


def biggest(parts: dict[str, int]) -> str:
    """What takes most, in MiB."""
    ordered = sorted(parts.items(), key=lambda part: -part[1])[:PARTS_SHOWN]
    return ", ".join(f"{name} {count / MEBIBYTE:.1f}" for name, count in ordered)
