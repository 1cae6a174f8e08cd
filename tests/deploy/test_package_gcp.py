"""Google Cloud's zip: the same bytes every time, nothing missing, nothing that does not belong in it."""

import ast
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from functions.package import main
from functions.zips import build_source

ROOT = Path(__file__).parents[2]
OWN = ("functions", "infra", "shared")
PINNED = re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements" / "cloudrun.txt").read_text(), re.MULTILINE)


def copy_of(tree: Path, folder: Path) -> Path:
    """What a build reads, with other modification times."""
    for name in (*OWN, "requirements"):
        shutil.copytree(tree / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in folder.rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    return folder


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Path:
    """The project as it is now; somebody may be editing it."""
    return copy_of(ROOT, tmp_path_factory.mktemp("tree"))


@pytest.fixture(scope="module")
def built(tree, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("zips") / "gcp.zip"
    build_source(tree, out)
    return out


@pytest.fixture(scope="module")
def unpacked(built, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    zipfile.ZipFile(built).extractall(folder)
    return folder


def test_two_builds_in_different_surroundings_are_the_same_bytes(tree, built, tmp_path):
    other = copy_of(tree, tmp_path / "another" / "place")
    environment = {"PATH": os.defpath, "PYTHONHASHSEED": "4711", "TZ": "Asia/Tokyo"}
    command = f"umask 077; exec {sys.executable} -m functions.package gcp"

    done = subprocess.run(
        ["sh", "-c", command], cwd=other, env=environment, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert (other / "build" / "gcp.zip").read_bytes() == built.read_bytes()
    assert [path.name for path in (other / "build").iterdir()] == ["gcp.zip"]


def test_entries_are_sorted_and_carry_no_time_and_no_owner(built):
    entries = zipfile.ZipFile(built).infolist()

    assert [entry.filename for entry in entries] == sorted(entry.filename for entry in entries)
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {entry.external_attr >> 16 for entry in entries} == {0o100644}


def test_the_entry_and_what_is_to_be_installed_lie_at_the_root(tree, unpacked):
    assert {path.name for path in unpacked.iterdir()} == {*OWN, "main.py", "requirements.txt"}
    assert (unpacked / "main.py").read_bytes() == (tree / "functions" / "gcp" / "main.py").read_bytes()
    assert (unpacked / "requirements.txt").read_bytes() == (tree / "requirements" / "cloudrun.txt").read_bytes()


def test_the_zip_holds_its_cloud_and_nothing_else_of_the_tree(built):
    names = zipfile.ZipFile(built).namelist()

    folders = {"/".join(name.split("/")[:-1][:2]) for name in names if name.startswith(("functions/", "infra/"))}
    assert folders == {"functions", "functions/gcp", "infra", "infra/gcp", "infra/providers"}
    assert {name.rpartition(".")[2] for name in names} == {"py", "txt"}
    assert {"functions/gcp/telemetry.py", "infra/providers/smtp.py", "shared/catalog.py"} <= set(names)
    assert not {"functions/gcp/main.py", "functions/package.py", "shared/kernel/trace.py"} & set(names)


def test_nothing_in_the_zip_names_a_path_of_this_machine(built):
    archive = zipfile.ZipFile(built)
    places = [str(place).encode() for place in {ROOT, Path.home()} if str(place) not in {"/", "/usr"}]

    found = [name for name in archive.namelist() for place in places if place + b"/" in archive.read(name)]

    assert found == []
    assert places


def imported(path: Path) -> set[str]:
    """All that a module imports, now or later, by full names."""
    found = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


@pytest.fixture(scope="module")
def installed() -> set[str]:
    """The modules that the lock's packages bring, by full names."""
    files = [file for name in PINNED for file in importlib.metadata.files(name) or ()]
    return {".".join(file.with_suffix("").parts).removesuffix(".__init__") for file in files} | {
        file.parts[0].partition(".")[0] for file in files
    }


def test_whatever_the_zip_imports_is_in_it_or_comes_with_the_lock_or_with_python(unpacked, installed):
    wanted = {name for path in unpacked.rglob("*.py") for name in imported(path)}

    missing = {name for name in wanted if name.split(".")[0] not in {*sys.stdlib_module_names, *OWN, *installed}}
    of_google = {name for name in wanted if name.startswith("google.")}
    assert missing == set()
    assert of_google <= installed
    assert "google.pubsub_v1" in of_google


START = """
import sys
sys.path[:0] = [{folder!r}]
sys.path += {packages!r}
class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in {allowed!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Nothing())
{code}
"""


@pytest.fixture
def alone(unpacked, installed):
    """Run code where nothing but the zip, the lock's packages and Python is importable."""
    allowed = {*sys.stdlib_module_names, *OWN, "main", *(name.split(".")[0] for name in installed)}
    packages = sorted({str(importlib.metadata.distribution(name).locate_file("")) for name in PINNED})

    def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
        program = START.format(folder=str(unpacked), packages=packages, allowed=allowed, code=code)
        return subprocess.run(
            [sys.executable, "-I", "-S", "-B", "-c", program],
            cwd=unpacked,
            env={"GOOGLE_CLOUD_PROJECT": "p", **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_every_module_of_the_zip_can_be_imported_from_it_alone(unpacked, alone):
    paths = [path.relative_to(unpacked) for path in unpacked.rglob("*.py")]
    names = sorted(".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in paths)

    done = alone(f"import {', '.join(names)}; print(shared.catalog.__file__)")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{unpacked / 'shared' / 'catalog.py'}\n"


@pytest.mark.parametrize("target", ["receive", "tick"])
def test_functions_framework_finds_both_entries_and_the_clients_can_be_made(alone, target):
    code = f"""
import functions_framework
functions_framework.create_app({target!r}, "main.py")
clients = sys.modules["main"].function().clients
print(type(clients.publisher).__name__, type(clients.subscriber).__name__, type(clients.firestore).__name__)
"""

    done = alone(code, PUBSUB_EMULATOR_HOST="127.0.0.1:1", FIRESTORE_EMULATOR_HOST="127.0.0.1:1")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == ["PublisherClient", "SubscriberClient", "Client"]


@pytest.mark.parametrize("module", ["boto3", "typer", "yaml"])
def test_what_the_lock_does_not_bring_would_be_missed(alone, module):
    done = alone(f"import {module}")

    assert f"No module named '{module}'" in done.stderr


def test_an_old_zip_stays_until_the_new_one_is_whole(tree, tmp_path):
    broken = copy_of(tree, tmp_path / "tree")
    (broken / "requirements" / "cloudrun.txt").unlink()
    out = tmp_path / "gcp.zip"
    out.write_text("the old one")

    with pytest.raises(FileNotFoundError):
        build_source(broken, out)

    assert out.read_text() == "the old one"


def test_the_command_prints_the_sizes(tmp_path, capsys):
    code = main(["gcp", "--out", str(tmp_path / "new" / "gcp.zip")])

    first, *parts = capsys.readouterr().out.splitlines()
    assert code == 0
    assert re.fullmatch(r".*gcp\.zip: \d+\.\d MiB, unpacked \d+\.\d MiB", first)
    assert {part.split()[-1] for part in parts} == {"functions", "infra", "main.py", "requirements.txt", "shared"}
