"""Azure's zip: the same bytes every time, whole in itself, and laid out as the worker and the host look for it."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path, PurePosixPath

import pytest

from functions.package import Build, build, fetch, main
from infra.emulators.interpreters import find_python
from shared.catalog import CATALOG
from shared.kernel.errors import ConfigurationError

ROOT = Path(__file__).parents[2]
OWN = ("functions", "infra", "shared")
SITE = ".python_packages/lib/site-packages"
PINNED = re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements" / "azurefunctions.txt").read_text(), re.MULTILINE)
SETTINGS = {
    "TREFOIL_SERVICEBUS": "Endpoint=sb://bus.invalid/;SharedAccessKeyName=all;SharedAccessKey=a2V5",
    "TREFOIL_TABLES": "AccountName=trefoil;AccountKey=a2V5;TableEndpoint=https://tables.invalid",
}


def python_313() -> Path | None:
    try:
        return find_python("3.13", "", "")
    except ConfigurationError:
        return None


PYTHON_313 = python_313()
pytestmark = pytest.mark.requires(PYTHON_313, install="Python 3.13")


def copy_of(tree: Path, folder: Path) -> Path:
    """What a build reads, wheels included, with other modification times."""
    for name in (*OWN, "requirements", ".cache/wheels"):
        shutil.copytree(tree / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in folder.rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    return folder


def order(out: Path, tree: Path = ROOT) -> Build:
    return Build("3.13", "", PYTHON_313, out, tree, "azure")


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Path:
    """The project as it is now; somebody may be editing it."""
    fetch(order(Path("unused.zip")))
    return copy_of(ROOT, tmp_path_factory.mktemp("tree"))


@pytest.fixture(scope="module")
def built(tree, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("zips") / "azure.zip"
    build(order(out, tree))
    return out


@pytest.fixture(scope="module")
def unpacked(built, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    zipfile.ZipFile(built).extractall(folder)
    return folder


def test_two_builds_in_different_surroundings_are_the_same_bytes(tree, built, tmp_path):
    other = copy_of(tree, tmp_path / "another" / "place")
    command = f"umask 077; exec {sys.executable} -m functions.package azure --interpreter {PYTHON_313}"
    command += f" --out {other}/build/azure.zip"
    environment = {"PATH": os.defpath, "PYTHONHASHSEED": "4711", "TZ": "Asia/Tokyo", "PIP_NO_INDEX": "1"}

    done = subprocess.run(
        ["sh", "-c", command], cwd=other, env=environment, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert (other / "build" / "azure.zip").read_bytes() == built.read_bytes()


def test_entries_are_sorted_and_carry_no_time_and_no_owner(built):
    entries = zipfile.ZipFile(built).infolist()

    assert [entry.filename for entry in entries] == sorted(entry.filename for entry in entries)
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {entry.external_attr >> 16 for entry in entries} == {0o100644}


def test_the_worker_and_the_host_find_theirs_at_the_root(tree, unpacked):
    source = tree / "functions" / "azure"

    roots = {path.name for path in unpacked.iterdir()}
    assert roots == {*OWN, "function_app.py", "host.json", ".python_packages", "__pycache__"}
    assert (unpacked / "function_app.py").read_bytes() == (source / "function_app.py").read_bytes()
    assert (unpacked / "host.json").read_bytes() == (source / "host.json").read_bytes()


def test_the_zip_holds_its_cloud_and_nothing_else_of_the_tree(built):
    names = [name.replace("__pycache__/", "") for name in zipfile.ZipFile(built).namelist()]

    own = [PurePosixPath(name).parts[:-1] for name in names if name.startswith(("functions/", "infra/"))]
    assert {"/".join(parts[:2]) for parts in own} == {
        *("functions", "functions/azure", "infra", "infra/azure", "infra/providers")
    }
    assert {"functions/azure/telemetry.py", "infra/providers/smtp.py", "shared/catalog.py"} <= set(names)
    assert not {"functions/azure/function_app.py", "functions/package.py", "shared/kernel/trace.py"} & set(names)


def test_every_package_of_the_lock_is_where_the_worker_looks_and_none_is_for_installers(unpacked):
    site = unpacked / SITE

    found = {path.name.partition(".")[0] for path in site.iterdir()}
    parts = {path.name for path in (site / "azure").iterdir()}
    assert {"azure", "msgspec", "pybreaker", "tenacity", "requests"} <= found
    assert {"core", "data", "functions", "identity", "servicebus"} <= parts
    assert not any(path.suffix in {".dist-info", ".pyi"} for path in site.rglob("*"))
    assert not {"typer", "rich", "pytest", "boto3", "google"} & found
    assert len(PINNED) > 20


def test_nothing_in_the_zip_names_a_path_of_this_machine(built):
    archive = zipfile.ZipFile(built)
    places = [
        str(place).encode() for place in {ROOT, Path.home(), PYTHON_313.parents[1]} if str(place) not in {"/", "/usr"}
    ]

    # A library's compiled part may name the folder that its own project built it in.
    names = [name for name in archive.namelist() if not name.endswith(".so")]
    found = [name for name in names for place in places if place + b"/" in archive.read(name)]

    assert found == []
    assert places


def test_every_module_has_bytecode_that_is_used_unchecked(unpacked):
    sources = sorted(unpacked.rglob("*.py"))

    flags = {(path.parent / "__pycache__" / f"{path.stem}.cpython-313.pyc").read_bytes()[4:8] for path in sources}

    # PEP 552: the lowest bit says that a hash stands there, the second that it is checked.
    assert flags == {b"\x01\0\0\0"}


@pytest.fixture
def alone(unpacked):
    """Run code in a Python 3.13 to which nothing but the zip is importable, on the path that the worker makes."""

    def run(code: str) -> subprocess.CompletedProcess[str]:
        begin = f"import sys; sys.path[:0] = [{str(unpacked)!r}, {str(unpacked / SITE)!r}]; "
        return subprocess.run(
            [PYTHON_313, "-I", "-S", "-B", "-c", begin + code],
            cwd=unpacked,
            env=SETTINGS,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_every_module_of_the_project_can_be_imported_from_the_zip_alone(unpacked, alone):
    own = [path.relative_to(unpacked) for part in OWN for path in (unpacked / part).rglob("*.py")]
    names = sorted(".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in own)

    done = alone(f"import function_app, {', '.join(names)}; print(shared.catalog.__file__)")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{unpacked / 'shared' / 'catalog.py'}\n"


def test_the_functions_are_found_and_the_clients_can_be_made_from_the_zip_alone(alone):
    code = """
import json, function_app as entry
functions = {each.get_function_name(): each for each in entry.app.get_functions()}
for name in ("orders", "payments"):
    functions[name].get_user_function()([])
clients = entry._azure().clients
made = [type(made).__name__ for made in (clients.bus, clients.table("t"), clients.queue_sender("q"))]
print(json.dumps([sorted(functions), made]))
"""

    done = alone(f"exec({code!r})")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [
        sorted([*CATALOG.services, "tick"]),
        ["ServiceBusClient", "TableClient", "ServiceBusSender"],
    ]


def test_an_identity_can_be_made_from_the_zip_alone(alone):
    done = alone("from infra.azure.clients import _identity; print(type(_identity()).__name__)")

    assert (done.returncode, done.stderr, done.stdout) == (0, "", "DefaultAzureCredential\n")


@pytest.mark.parametrize("module", ["boto3", "typer", "yaml", "infra.aws", "functions.package"])
def test_what_the_zip_does_not_hold_would_be_missed(alone, module):
    done = alone(f"import {module}")

    assert f"No module named '{module}'" in done.stderr


def test_an_old_zip_stays_until_the_new_one_is_whole(tree, tmp_path):
    broken = copy_of(tree, tmp_path / "tree")
    (broken / "functions" / "azure" / "host.json").unlink()
    out = tmp_path / "azure.zip"
    out.write_text("the old one")

    with pytest.raises(FileNotFoundError):
        build(order(out, broken))

    assert out.read_text() == "the old one"


def test_the_command_prints_the_sizes(tmp_path, capsys):
    code = main(["azure", "--out", str(tmp_path / "new" / "azure.zip"), "--interpreter", str(PYTHON_313)])

    first, *parts = capsys.readouterr().out.splitlines()
    assert code == 0
    assert re.fullmatch(r".*azure\.zip: \d+\.\d MiB, unpacked \d+\.\d MiB", first)
    assert re.fullmatch(r" +\d+\.\d MiB  \.python_packages", parts[0])


def test_a_python_that_is_missing_is_named_with_its_remedy(capsys):
    code = main(["azure", "--interpreter", "/no/such/python3.13"])

    said = capsys.readouterr().err
    assert code == 2
    assert "Python 3.13 is needed, and '/no/such/python3.13' is not one" in said
    assert "--interpreter PATH" in said
