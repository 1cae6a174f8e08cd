"""A zip of one cloud's share of the tree, bit for bit the same every time."""

import shutil
import tempfile
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from functions.imports import needed

_TIME = (1980, 1, 1, 0, 0, 0)
_FILE, _PROGRAM = 0o100644, 0o100755
_UNIX = 3


@dataclass(frozen=True)
class Sizes:
    """How many bytes a zip takes, packed and unpacked, and what of it is biggest unpacked."""

    zipped: int
    parts: dict[str, int]

    @property
    def unpacked(self) -> int:
        return sum(self.parts.values())


def copy_needed(root: Path, entries: Iterable[Path], stage: Path) -> None:
    """Copy the entries, and the modules that they reach, to where they stand in the tree."""
    for source in needed(root, entries):
        target = stage / source.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def pack(stage: Path, out: Path, programs: Iterable[str] = ()) -> Sizes:
    """Write all files of a folder to a zip; those that are programs may be executed."""
    files = sorted((path.relative_to(stage).as_posix(), path) for path in stage.rglob("*") if path.is_file())
    parts: dict[str, int] = {}
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, path in files:
            entry = zipfile.ZipInfo(name, _TIME)
            entry.create_system = _UNIX
            entry.external_attr = (_PROGRAM if name in programs else _FILE) << 16
            archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED, 9)
            part = name.split("/", maxsplit=1)[0]
            parts[part] = parts.get(part, 0) + path.stat().st_size
    return Sizes(out.stat().st_size, parts)


def put(draft: Path, out: Path) -> None:
    """Put a finished zip in its place, whole or not at all."""
    out.parent.mkdir(parents=True, exist_ok=True)
    # Beside the target first, so that the last step is a rename within one file system.
    beside = out.with_name(f".{out.name}.new")
    shutil.copyfile(draft, beside)
    beside.replace(out)


def build_source(root: Path, out: Path) -> Sizes:
    """Google Cloud's zip: sources, the entry at its root, and the pins of what Cloud Build installs beside them."""
    entry = root / "functions" / "gcp" / "main.py"
    with tempfile.TemporaryDirectory(prefix="trefoil-package-") as folder:
        stage, draft = Path(folder, "tree"), Path(folder, "draft.zip")
        copy_needed(root, [entry], stage)
        (stage / entry.relative_to(root)).rename(stage / "main.py")
        shutil.copyfile(root / "requirements" / "cloudrun.txt", stage / "requirements.txt")
        sizes = pack(stage, draft)
        put(draft, out)
    return sizes
