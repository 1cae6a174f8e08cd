"""What an instance on Cloud Run has: the zip's sources, and what Cloud Build installs beside them; their sizes.

Google's buildpack compiles both; for what it installs it leaves no trace of when that was.
"""

import subprocess
import zipfile
from collections import Counter
from pathlib import Path

from msgspec import Struct

from functions.package import ROOT
from functions.zips import Sizes, build_source
from tests.benchmarks.measure import Row, Table
from tests.benchmarks.wheels import MEBIBYTE, biggest, install, target

_COMPILE = ("-I", "-S", "-m", "compileall", "-q", "-q", "--invalidation-mode", "unchecked-hash")


class Trees(Struct, frozen=True):
    """Two folders, and the Python that they are for."""

    interpreter: Path
    version: str
    code: Path
    """The zip, unpacked."""
    installed: Path
    sizes: Sizes
    """The zip's."""


def make(folder: Path) -> Trees:
    """Build the zip and install what it asks for, for the cloud's Python where it is installed."""
    interpreter, version = target()
    lock = (ROOT / "requirements" / "cloudrun.txt").read_text()
    installed = install(interpreter, version, lock, folder / "installed")
    code, sizes = unpack(folder)
    for tree in (installed, code):
        subprocess.run([interpreter, *_COMPILE, tree], check=False)  # some packages hold templates of modules
    return Trees(interpreter, version, code, installed, sizes)


def unpack(folder: Path) -> tuple[Path, Sizes]:
    """Build the zip and unpack it."""
    path = folder / "gcp.zip"
    sizes = build_source(ROOT, path)
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder / "code")
    path.unlink()
    return folder / "code", sizes


def sizes(trees: Trees) -> Table:
    """The zip, packed and unpacked, and what comes to it; all without bytecode."""
    parts: Counter[str] = Counter()
    for path in trees.installed.rglob("*"):
        if path.is_file() and path.suffix != ".pyc":
            parts[path.relative_to(trees.installed).parts[0]] += path.stat().st_size
    rows = [
        Row("zip, packed", [trees.sizes.zipped / MEBIBYTE]),
        Row("zip, unpacked", [trees.sizes.unpacked / MEBIBYTE]),
        Row("installed by Cloud Build", [parts.total() / MEBIBYTE]),
    ]
    notes = [f"Installed, biggest, in MiB: {biggest(parts)}."]
    return Table(title=f"A function on Cloud Run, Python {trees.version}", unit="MiB", rows=rows, digits=2, notes=notes)
