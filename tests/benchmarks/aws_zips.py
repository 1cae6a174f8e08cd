"""Zips for Lambda, made in the same way: Trefoil's own, and that of a function on powertools; their sizes."""

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from functions.package import ROOT, Build, Sizes, build
from tests.benchmarks.measure import Row, Table
from tests.benchmarks.wheels import MEBIBYTE, biggest, project, target

TREFOIL, POWERTOOLS = "Trefoil", "powertools"

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
    interpreter, version = target()
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


def _peer(root: Path) -> Path:
    """A project with one function and its lock, which is a part of the benchmarks'."""
    pins = {found[1]: found[0] for found in _PIN.finditer((ROOT / "requirements" / "bench.txt").read_text())}
    project(root, "".join(pins[name] for name in _NEEDED))
    (root / "functions" / "aws").mkdir(parents=True)
    function = Path(__file__).with_name("aws_powertools.py")
    (root / "functions" / "aws" / "handler.py").write_bytes(function.read_bytes())
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
    notes = [f"{name}'s biggest, in MiB: {biggest(made.sizes.parts)}." for name, made in zips.made.items()]
    return Table(title=f"Zips for Lambda, Python {zips.version}", unit="MiB", rows=rows, notes=notes)
