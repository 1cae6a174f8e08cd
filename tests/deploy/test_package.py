"""The zips: the same bytes every time, nothing missing, nothing that does not belong in them."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path, PurePosixPath

import pytest

from functions import package
from functions.imports import needed
from functions.package import PROVIDED, UNPACKED_LIMIT, ZIP_LIMIT, Build, build, fetch, main, wanted
from infra.emulators.interpreters import find_python
from shared.kernel.errors import ConfigurationError

ROOT = Path(__file__).parents[2]
RUNTIMES = ("python3.13", PROVIDED)


def python_313() -> Path | None:
    try:
        return find_python("3.13", "", "")
    except ConfigurationError:
        return None


PYTHON_313 = python_313()
pytestmark = pytest.mark.requires(PYTHON_313, install="Python 3.13")


def copy_of(tree: Path, folder: Path) -> Path:
    """What a build reads, wheels included, with other modification times."""
    for name in ("functions", "infra", "shared", "requirements", ".cache/wheels"):
        shutil.copytree(tree / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in folder.rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    return folder


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Path:
    """The project as it is now; somebody may be editing it."""
    for runtime in RUNTIMES:
        fetch(Build("3.13", runtime, PYTHON_313, Path("unused.zip")))
    return copy_of(ROOT, tmp_path_factory.mktemp("tree"))


@pytest.fixture(scope="module")
def zips(tree, tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("zips")
    for runtime in RUNTIMES:
        build(Build("3.13", runtime, PYTHON_313, folder / f"{runtime}.zip", tree))
    return {runtime: folder / f"{runtime}.zip" for runtime in RUNTIMES}


@pytest.fixture(scope="module")
def unpacked(zips, tmp_path_factory) -> dict[str, Path]:
    folders = {runtime: tmp_path_factory.mktemp("unpacked") for runtime in RUNTIMES}
    for runtime, folder in folders.items():
        zipfile.ZipFile(zips[runtime]).extractall(folder)
    return folders


def alone(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a Python 3.13 to which nothing but the folder is importable."""
    begin = f"import sys; sys.path.insert(0, {str(folder)!r}); "
    return subprocess.run(
        [PYTHON_313, "-I", "-S", "-B", "-c", begin + code], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_two_builds_in_different_surroundings_are_the_same_bytes(tree, zips, tmp_path, runtime):
    other = copy_of(tree, tmp_path / "another" / "place")
    command = (
        f"umask 077; exec {sys.executable} -m functions.package aws --runtime {runtime} --interpreter {PYTHON_313}"
    )
    environment = {"PATH": os.defpath, "PYTHONHASHSEED": "4711", "TZ": "Asia/Tokyo", "PIP_NO_INDEX": "1"}

    done = subprocess.run(
        ["sh", "-c", command], cwd=other, env=environment, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
    (rebuilt,) = (other / "build").iterdir()
    assert rebuilt.read_bytes() == zips[runtime].read_bytes()


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_entries_are_sorted_and_carry_no_time_and_no_owner(zips, runtime):
    entries = zipfile.ZipFile(zips[runtime]).infolist()

    programs = {entry.filename for entry in entries if entry.external_attr >> 16 == 0o100755}
    files = {entry.filename for entry in entries if entry.external_attr >> 16 == 0o100644}
    assert [entry.filename for entry in entries] == sorted(entry.filename for entry in entries)
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert programs == ({"bootstrap"} if runtime == PROVIDED else set())
    assert len(files) == len(entries) - len(programs)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_zip_holds_its_cloud_and_nothing_else_of_the_tree(zips, runtime):
    names = [name.replace("__pycache__/", "") for name in zipfile.ZipFile(zips[runtime]).namelist()]

    own = [PurePosixPath(name).parts[:-1] for name in names if name.startswith(("functions/", "infra/"))]
    folders = {"/".join(parts[:2]) for parts in own}
    assert folders == {"functions", "functions/aws", "infra", "infra/aws", "infra/providers"}
    assert {"functions/aws/handler.py", "infra/providers/smtp.py", "shared/catalog.py"} <= set(names)
    assert not {"functions/package.py", "functions/aws/bootstrap", "shared/kernel/trace.py"} & set(names)


def test_modules_are_followed_however_they_are_imported(tmp_path):
    code = {
        "functions/__init__.py": "",
        "functions/aws/handler.py": "import infra.a.deep\nfrom infra import b\ndef late():\n    from shared.c import x",
        "infra/__init__.py": "",
        "infra/a/__init__.py": "import shared.by_package",
        "infra/a/deep.py": "import json, msgspec",
        "infra/b.py": "import functions.aws.handler",
        "infra/unused.py": "",
        "shared/by_package.py": "",
        "shared/c/__init__.py": "",
        "shared/c/unused.py": "",
    }
    for name, text in code.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    found = needed(tmp_path, [tmp_path / "functions/aws/handler.py"])

    assert {path.relative_to(tmp_path).as_posix() for path in found} == {name for name in code if "unused" not in name}


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_zip_holds_no_test_no_stub_and_nothing_for_installers(zips, runtime):
    names = zipfile.ZipFile(zips[runtime]).namelist()

    unwanted = [name for name in names if re.search(r"(^|/)(tests?|samples|[^/]+\.dist-info)/|\.pyi$|asyncapi", name)]
    assert unwanted == []
    assert not {"typer", "rich", "pydantic", "pytest"} & {name.split("/")[0] for name in names}


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_nothing_in_a_zip_names_a_path_of_this_machine(zips, runtime):
    archive = zipfile.ZipFile(zips[runtime])
    places = [
        str(place).encode() for place in {ROOT, Path.home(), PYTHON_313.parents[1]} if str(place) not in {"/", "/usr"}
    ]

    # A library's compiled part may name the folder that its own project built it in.
    names = [name for name in archive.namelist() if not name.endswith(".so")]
    found = [name for name in names for place in places if place + b"/" in archive.read(name)]

    assert found == []
    assert places


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_every_module_of_a_zip_has_bytecode_that_is_used_unchecked(unpacked, runtime):
    folder = unpacked[runtime]

    sources = sorted(folder.rglob("*.py"))
    flags = {(path.parent / "__pycache__" / f"{path.stem}.cpython-313.pyc").read_bytes()[4:8] for path in sources}

    # PEP 552: the lowest bit says that a hash stands there, the second that it is checked.
    assert flags == {b"\x01\0\0\0"}


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_bytecode_tells_a_traceback_where_a_module_lies_in_the_zip(unpacked, runtime):
    code = (
        "import marshal; data = open(sys.path[0] + '/shared/kernel/__pycache__/codec.cpython-313.pyc', 'rb').read(); "
    )

    run = alone(unpacked[runtime], code + "print(marshal.loads(data[16:]).co_filename)")

    assert run.stdout == "shared/kernel/codec.py\n"


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_every_module_of_the_project_can_be_imported_from_the_zip_alone(unpacked, runtime):
    folder = unpacked[runtime]
    own = [
        path.relative_to(folder) for part in ("functions", "infra", "shared") for path in (folder / part).rglob("*.py")
    ]
    names = sorted(".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in own)
    environment = "import os; os.environ.update(AWS_DEFAULT_REGION='us-east-1', TREFOIL_SERVICE='orders'); "

    run = alone(folder, f"{environment}import {', '.join(names)}")

    assert (run.returncode, run.stderr) == (0, "")


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_clients_that_the_entry_uses_can_be_made_from_the_zip_alone(unpacked, runtime):
    code = "import boto3; [boto3.client(name, 'us-east-1') for name in ('dynamodb', 'sns', 'sqs', 'sts')]"

    run = alone(unpacked[runtime], code)

    assert (run.returncode, run.stderr) == (0, "")


def test_addresses_are_the_same_as_outside_the_zip_in_every_region_of_every_partition(unpacked):
    code = """
import json, botocore.loaders, botocore.session
session = botocore.session.Session()
partitions = botocore.loaders.Loader().load_data("endpoints")["partitions"]
resolver = session.get_component("endpoint_resolver")
for region in [region for partition in partitions for region in partition["regions"]]:
    for name in ("dynamodb", "sns", "sqs", "sts"):
        for fips in (False, True):
            print(name, region, json.dumps(resolver.construct_endpoint(name, region, use_fips_endpoint=fips)))
"""

    run = alone(unpacked["python3.13"], code)
    outside = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert run.stdout.count("\n") > 4 * 30
    assert run.stdout == outside.stdout


def test_the_clients_of_the_runtime_can_be_imported_where_a_zip_brings_it(unpacked):
    code = "import awslambdaric.bootstrap, runtime_client; import awslambdaric.__main__"

    outcomes = [alone(unpacked[runtime], code).returncode for runtime in RUNTIMES]

    assert outcomes == [1, 0]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_zip_is_within_what_lambda_takes(zips, runtime):
    entries = zipfile.ZipFile(zips[runtime]).infolist()

    assert zips[runtime].stat().st_size < ZIP_LIMIT == 52_428_800
    assert sum(entry.file_size for entry in entries) < UNPACKED_LIMIT == 262_144_000


def test_a_zip_that_lambda_would_refuse_is_refused_and_the_old_one_stays(monkeypatch, tmp_path):
    monkeypatch.setattr(package, "UNPACKED_LIMIT", 1_000_000)
    out = tmp_path / "aws.zip"
    out.write_text("the old one")

    with pytest.raises(ConfigurationError, match=r"unpacked 1\d\.\d MiB: Lambda takes 50\.0 MiB, unpacked 1\.0 MiB"):
        build(Build("3.13", "python3.13", PYTHON_313, out))

    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("aws.zip", "the old one")]


def test_the_command_prints_the_sizes(tmp_path, capsys):
    code = main(["aws", "--out", str(tmp_path / "new" / "aws.zip"), "--interpreter", str(PYTHON_313)])

    first, *parts = capsys.readouterr().out.splitlines()
    assert code == 0
    assert re.fullmatch(r".*aws\.zip: \d+\.\d MiB, unpacked \d+\.\d MiB", first)
    assert re.fullmatch(r" +\d+\.\d MiB  aws_lambda_powertools", parts[0])


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("botocore/data/sqs/2012-11-05/service-2.json.gz", True),
        ("botocore/data/ec2/2016-11-15/service-2.json.gz", False),
        ("botocore/data/endpoints.json", True),
        ("botocore/cacert.pem", True),
        ("msgspec/_core.cpython-313-x86_64-linux-gnu.so", True),
        ("msgspec/__init__.pyi", False),
        ("boto3-1.44.5.dist-info/METADATA", False),
        ("six.py", True),
        ("some/tests/test_it.py", False),
        ("some/contests/it.py", True),
        ("some/folder/", False),
    ],
)
def test_of_the_wheels_only_what_runs_is_packed(name, answer):
    assert wanted(name) is answer


def order_without_wheels(root: Path) -> Build:
    shutil.copytree(ROOT / "requirements", root / "requirements")
    return Build("3.13", "python3.13", PYTHON_313, root / "aws.zip", root)


def test_an_index_out_of_reach_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)

    with pytest.raises(ConfigurationError, match=r"is the package index within reach\? pip said:\n.*ERROR"):
        fetch(order_without_wheels(tmp_path))

    assert list((tmp_path / ".cache" / "wheels").iterdir()) == []


def test_a_wheel_that_was_changed_in_the_cache_is_not_used(monkeypatch, tree, tmp_path):
    order = Build("3.13", "python3.13", PYTHON_313, tmp_path / "aws.zip", copy_of(tree, tmp_path))
    wheel = fetch(order)[0]
    wheel.write_bytes(wheel.read_bytes() + b"\0")
    monkeypatch.setattr(package, "_download", lambda order, folder: folder.mkdir())

    with pytest.raises(ConfigurationError, match="pip brought other wheels"):
        fetch(order)


def test_a_python_that_is_missing_is_named_with_both_remedies(capsys):
    code = main(["aws", "--interpreter", "/no/such/python3.13"])

    said = capsys.readouterr().err
    assert code == 2
    assert "Python 3.13 is needed, and '/no/such/python3.13' is not one" in said
    assert "--interpreter PATH" in said
    assert "--python 3.11" in said


def test_a_python_of_another_version_is_refused():
    other = "3.11" if sys.version_info[:2] != (3, 11) else "3.12"

    with pytest.raises(ConfigurationError, match="is not one"):
        find_python(other, sys.executable, "")


def test_a_machine_without_pip_is_told_what_to_do(monkeypatch, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setattr(package.sys, "executable", str(tmp_path / "one"))

    with pytest.raises(ConfigurationError, match="has pip, which fetches the wheels: use `make package`"):
        package._pip(tmp_path / "two")


def test_bytecode_of_one_version_is_not_packed_for_another(capsys):
    with pytest.raises(SystemExit):
        main(["aws", "--runtime", "python3.13", "--python", "3.11"])

    assert "--runtime python3.13 can't run what --python 3.11 compiles" in capsys.readouterr().err


def test_the_tool_needs_nothing_but_the_standard_library():
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import functions.package"

    run = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False)

    assert (run.returncode, run.stderr) == (0, "")
