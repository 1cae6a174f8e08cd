"""The zip for Azure Functions, unpacked as Flex Consumption does it, and its sizes. It brings all that it imports."""

import zipfile
from collections import Counter
from pathlib import Path

from msgspec import Struct

from functions.package import ROOT, Build, Sizes, build
from tests.benchmarks.measure import Row, Table
from tests.benchmarks.wheels import MEBIBYTE, biggest, target

PACKAGES = Path(".python_packages", "lib", "site-packages")
"""Where the worker looks for what a zip brings."""


class Zip(Struct, frozen=True):
    """A zip, unpacked, and the Python that it is for."""

    interpreter: Path
    version: str
    tree: Path
    sizes: Sizes


def make(folder: Path) -> Zip:
    """Build and unpack it, for the cloud's Python where it is installed, else for the one that runs this."""
    interpreter, version = target()
    path, tree = folder / "azure.zip", folder / "azure"
    made = build(Build(version, "", interpreter, path, ROOT, "azure"))
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tree)
    path.unlink()
    return Zip(interpreter, version, tree, made)


def sizes(made: Zip) -> Table:
    """Packed and unpacked."""
    parts: Counter[str] = Counter()
    for path in (made.tree / PACKAGES).rglob("*"):
        if path.is_file():
            parts[path.relative_to(made.tree / PACKAGES).parts[0]] += path.stat().st_size
    rows = [
        Row("zip, packed", [made.sizes.zipped / MEBIBYTE]),
        Row("zip, unpacked", [made.sizes.unpacked / MEBIBYTE]),
        Row("... of it Trefoil's own", [(made.sizes.unpacked - parts.total()) / MEBIBYTE]),
    ]
    notes = [f"Biggest of what it brings, bytecode included, in MiB: {biggest(parts)}."]
    return Table(title=f"Zip for Azure Functions, Python {made.version}", unit="MiB", rows=rows, digits=2, notes=notes)
