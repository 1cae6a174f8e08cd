"""Zips for Lambda, made in the same way: Trefoil's own, and that of a function on powertools; their sizes."""

import re
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from functions.package import ROOT, Build, Sizes, build
from infra.emulators.interpreters import find_python
from shared.kernel.errors import ConfigurationError
from tests.benchmarks.measure import Row, Table

TREFOIL, POWERTOOLS = "Trefoil", "powertools"
MEBIBYTE = 2**20
PARTS_SHOWN = 5

_PEER = "aws-lambda-powertools boto3 pydantic"
_NEEDED = (
    *_PEER.split(),
    *("annotated-types", "botocore", "jmespath", "pydantic-core", "python-dateutil", "s3transfer", "six"),
    *("typing-extensions", "typing-inspection", "urllib3"),
)
_PIN = re.compile(r"^([a-z0-9-]+)==.*\n(?:[ \t].*\n)*", re.MULTILINE)


class Zip(Struct, frozen=True):
    """A zip, unpacked."""

    tree: Path
    sizes: Sizes


class Zips(Struct, frozen=True):
    """All of them, for one Python."""

    interpreter: Path
    version: str
    made: Mapping[str, Zip]


def make(folder: Path) -> Zips:
    """Build and unpack both, for Lambda's Python where it is installed, else for the one that runs this."""
    interpreter, version = _python()
    roots = {TREFOIL: ROOT, POWERTOOLS: _peer(folder / "peer")}
    made = {}
    for name, root in roots.items():
        path = folder / f"{name}.zip"
        sizes = build(Build(version, f"python{version}", interpreter, path, root))
        with zipfile.ZipFile(path) as archive:
            archive.extractall(folder / name)
        path.unlink()
        made[name] = Zip(folder / name, sizes)
    return Zips(interpreter, version, made)


def _python() -> tuple[Path, str]:
    try:
        return find_python("3.13", "", ""), "3.13"
    except ConfigurationError:
        return Path(sys.executable), f"{sys.version_info.major}.{sys.version_info.minor}"


def _peer(root: Path) -> Path:
    """A project with one function and its lock, which is a part of the benchmarks'."""
    (root / "functions" / "aws").mkdir(parents=True)
    function = Path(__file__).with_name("aws_powertools.py")
    (root / "functions" / "aws" / "handler.py").write_bytes(function.read_bytes())
    (root / "requirements").mkdir()
    pins = {found[1]: found[0] for found in _PIN.finditer((ROOT / "requirements" / "bench.txt").read_text())}
    (root / "requirements" / "lambda.txt").write_text("".join(pins[name] for name in _NEEDED))
    wheels = ROOT / ".cache" / "wheels"
    wheels.mkdir(parents=True, exist_ok=True)
    (root / ".cache").mkdir()
    (root / ".cache" / "wheels").symlink_to(wheels)
    return root


def sizes(zips: Zips) -> Table:
    """Packed and unpacked."""
    rows = [
        row
        for name, made in zips.made.items()
        for row in (
            Row(f"{name}, packed", [made.sizes.zipped / MEBIBYTE]),
            Row(f"{name}, unpacked", [made.sizes.unpacked / MEBIBYTE]),
        )
    ]
    notes = [f"{name}'s biggest, in MiB: {_biggest(made.sizes)}." for name, made in zips.made.items()]
    return Table(title=f"Zips for Lambda, Python {zips.version}", unit="MiB", rows=rows, notes=notes)


def _biggest(sizes: Sizes) -> str:
    parts = sorted(sizes.parts.items(), key=lambda part: -part[1])[:PARTS_SHOWN]
    return ", ".join(f"{name} {count / MEBIBYTE:.1f}" for name, count in parts)
