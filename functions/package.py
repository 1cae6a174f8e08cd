"""Builds one cloud's zip from the tree and its locks, bit for bit the same every time.

`python -m functions.package aws` (or `azure`) needs the standard library, pip, and a Python of the target's version,
which compiles the bytecode. Wheels are fetched once and kept in `.cache`; every build checks them against the lock. The
compression is the running Python's, so two machines agree when their zlib does. `python -m functions.package gcp` takes
no wheels: Cloud Build installs what the lock pins.
"""

import argparse
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from functions.zips import Sizes, build_source, copy_needed, pack, put
from infra.emulators.interpreters import find_python
from shared.kernel.errors import ConfigurationError

ROOT = Path(__file__).parents[1]

ZIP_LIMIT = 50 * 2**20
UNPACKED_LIMIT = 250 * 2**20
"""What Lambda takes: a zip uploaded directly, and all of it unpacked (Lambda quotas, deployment package size)."""

PROVIDED = "provided.al2023"
PYTHONS = ("3.11", "3.12", "3.13")
PARTS_SHOWN = 8

_SITES = {"aws": ".", "azure": ".python_packages/lib/site-packages"}
"""Where a cloud's runtime looks for what the lock pins."""

_SERVICES = {"dynamodb", "sns", "sqs", "sts"}
"""The AWS services that the entry calls: botocore's descriptions of the others are nine tenths of all its bytes."""

_UNWANTED = re.compile(
    r"""
    [^/]+\.(dist-info|data)/.*                                   # for installers
    | (.*/)?(tests?|__pycache__|swagger_ui)/.*                   # swagger_ui: a web page that powertools can serve
    | boto3/examples/.*
    | .*\.(pyi|pyx|pxd|c|h|md|rst)
    | (.*/)?py\.typed
    """,
    re.VERBOSE,
)
_DESCRIPTION = re.compile(r"(?:botocore|boto3)/data/([^/]+)/.*")

_PLATFORMS = ("manylinux2014_x86_64", "manylinux_2_28_x86_64", "manylinux_2_34_x86_64")
"""Amazon Linux 2023 has glibc 2.34."""

# One process and one order for all files, because marshal notes which strings are shared.
_COMPILE = """
import py_compile, sys
for path in sys.stdin.read().splitlines():
    py_compile.compile(path, dfile=path, doraise=True, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
"""


@dataclass(frozen=True)
class Build:
    """What to build, and with what."""

    python: str
    runtime: str
    interpreter: Path
    out: Path
    root: Path = ROOT
    cloud: str = "aws"

    @property
    def entries(self) -> Path:
        """The folder of what the cloud invokes."""
        return self.root / "functions" / self.cloud

    @property
    def lock(self) -> Path:
        """The pins of what goes into the zip."""
        if self.cloud == "azure":
            return self.root / "requirements" / "azurefunctions.txt"
        return self.root / "requirements" / ("lambda-provided.txt" if self.runtime == PROVIDED else "lambda.txt")


def build(order: Build) -> Sizes:
    """Write the zip, whole or not at all; raises ConfigurationError when something that it takes is missing."""
    wheels = fetch(order)
    with tempfile.TemporaryDirectory(prefix="trefoil-package-") as folder:
        stage, draft = Path(folder, "tree"), Path(folder, "draft.zip")
        for wheel in wheels:
            _unpack(wheel, stage / _SITES[order.cloud])
        copy_needed(order.root, order.entries.glob("*.py"), stage)
        _ROOTS[order.cloud](order, stage)
        _compile(order.interpreter, stage)
        sizes = pack(stage, draft, programs={"bootstrap"})
        if order.cloud == "aws":
            _check(sizes)
        put(draft, order.out)
    return sizes


def fetch(order: Build) -> list[Path]:
    """The wheels of the lock, from the cache where they are whole, else from the package index."""
    hashes = set(re.findall(r"--hash=sha256:([0-9a-f]{64})", order.lock.read_text()))
    pins = re.findall(r"^[a-z0-9-]+==", order.lock.read_text(), re.MULTILINE)
    named_by = hashlib.sha256(order.lock.read_bytes() + order.python.encode()).hexdigest()[:16]
    cache = order.root / ".cache" / "wheels" / named_by
    if not _whole(cache, hashes, len(pins)):
        cache.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f"{named_by}-", dir=cache.parent) as folder:
            fresh = Path(folder, "wheels")
            _download(order, fresh)
            if not _whole(fresh, hashes, len(pins)):
                raise ConfigurationError(f"pip brought other wheels than {order.lock} pins: run `make lock`")
            shutil.rmtree(cache, ignore_errors=True)
            fresh.rename(cache)
    return sorted(cache.glob("*.whl"))


def _whole(folder: Path, hashes: set[str], count: int) -> bool:
    found = [hashlib.sha256(wheel.read_bytes()).hexdigest() for wheel in folder.glob("*.whl")]
    return len(found) == count and hashes.issuperset(found)


def _download(order: Build, folder: Path) -> None:
    command = [str(_pip(order.interpreter)), "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--require-hashes", "--only-binary=:all:", "--implementation=cp"]
    command += [f"--python-version={order.python}", *(f"--platform={name}" for name in _PLATFORMS)]
    command += ["--dest", str(folder), "--requirement", str(order.lock)]
    done = subprocess.run(command, capture_output=True, check=False, text=True)  # noqa: S603 - all of it is ours
    if done.returncode:
        said = "\n".join(done.stderr.strip().splitlines()[-5:])
        raise ConfigurationError(
            f"pip could not fetch the wheels of {order.lock.name} for Python {order.python}: "
            f"is the package index within reach? pip said:\n{said}"
        )


def _pip(interpreter: Path) -> Path:
    for python in (Path(sys.executable), interpreter):
        command = [str(python), "-m", "pip", "--version"]
        if not subprocess.run(command, capture_output=True, check=False).returncode:  # noqa: S603 - all of it is ours
            return python
    raise ConfigurationError(
        f"neither {sys.executable} nor {interpreter} has pip, which fetches the wheels: "
        f"use `make package`, which sets it up, or run `{sys.executable} -m ensurepip`"
    )


def _unpack(wheel: Path, stage: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(stage, [name for name in archive.namelist() if wanted(name)])


def wanted(name: str) -> bool:
    """Whether a wheel's file is of use at run time."""
    if name.endswith("/") or _UNWANTED.fullmatch(name):
        return False
    described = _DESCRIPTION.fullmatch(name)
    return not described or described[1] in _SERVICES


def _trim_endpoints(path: Path) -> None:
    """Forget where other services are: botocore reads the whole file, 1.2 MB, at each cold start."""
    known = json.loads(path.read_bytes())
    for partition in known["partitions"]:
        partition["services"] = {name: each for name, each in partition["services"].items() if name in _SERVICES}
    path.write_bytes(json.dumps(known, separators=(",", ":")).encode())


def _finish_aws(order: Build, stage: Path) -> None:
    _trim_endpoints(stage / "botocore" / "data" / "endpoints.json")
    if order.runtime != PROVIDED:
        return
    text = (order.root / "functions" / "aws" / "bootstrap").read_text()
    (stage / "bootstrap").write_text(text.replace("python3.13", f"python{order.python}"), newline="\n")


def _finish_azure(order: Build, stage: Path) -> None:
    """The worker and the host look for theirs at the root."""
    (stage / order.entries.relative_to(order.root) / "function_app.py").rename(stage / "function_app.py")
    shutil.copyfile(order.entries / "host.json", stage / "host.json")


_ROOTS: dict[str, Callable[[Build, Path], None]] = {"aws": _finish_aws, "azure": _finish_azure}


def _compile(interpreter: Path, stage: Path) -> None:
    names = sorted(path.relative_to(stage).as_posix() for path in stage.rglob("*.py"))
    done = subprocess.run(  # noqa: S603 - all of it is ours
        [interpreter, "-I", "-S", "-c", _COMPILE],
        cwd=stage,
        input="\n".join(names),
        capture_output=True,
        check=False,
        text=True,
    )
    if done.returncode:
        raise ConfigurationError(f"{interpreter} could not compile the zip's modules:\n{done.stderr.strip()}")


def _check(sizes: Sizes) -> None:
    if sizes.zipped > ZIP_LIMIT or sizes.unpacked > UNPACKED_LIMIT:
        raise ConfigurationError(
            f"the zip holds {_mebibytes(sizes.zipped)}, unpacked {_mebibytes(sizes.unpacked)}: "
            f"Lambda takes {_mebibytes(ZIP_LIMIT)}, unpacked {_mebibytes(UNPACKED_LIMIT)}"
        )


def _mebibytes(count: int) -> str:
    return f"{count / 2**20:.1f} MiB"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m functions.package", description="Build one cloud's zip.")
    clouds = parser.add_subparsers(dest="cloud", required=True)
    aws = clouds.add_parser("aws", help="for Lambda: the tree and its wheels, compiled")
    aws.add_argument("--python", default="3.13", choices=PYTHONS, help="whose bytecode and wheels (%(default)s)")
    runtimes = [*(f"python{version}" for version in PYTHONS), PROVIDED]
    aws.add_argument("--runtime", choices=runtimes, help="Lambda's runtime (that of --python)")
    aws.add_argument("--interpreter", default="", help="that Python, if it is not on the path and not pyenv's")
    aws.add_argument("--out", type=Path, help="the zip (build/aws.zip, or build/aws-provided.zip)")
    azure = clouds.add_parser("azure", help="for Azure Functions: the tree and its wheels, compiled")
    azure.add_argument("--interpreter", default="", help="a Python 3.13, if it is not on the path and not pyenv's")
    azure.add_argument("--out", type=Path, default=ROOT / "build" / "azure.zip", help="the zip (build/azure.zip)")
    gcp = clouds.add_parser("gcp", help="for Cloud Build: the tree, and the pins of what is to be installed")
    gcp.add_argument("--out", type=Path, default=ROOT / "build" / "gcp.zip", help="the zip (build/gcp.zip)")
    return parser


def _order(parser: argparse.ArgumentParser, given: argparse.Namespace) -> Build:
    runtime = given.runtime or f"python{given.python}"
    if runtime not in {f"python{given.python}", PROVIDED}:
        parser.error(f"--runtime {runtime} can't run what --python {given.python} compiles: leave one of them out")
    interpreter = find_python(
        given.python, given.interpreter, "--interpreter PATH; or build for another, --python 3.11"
    )
    out = given.out or ROOT / "build" / ("aws-provided.zip" if runtime == PROVIDED else "aws.zip")
    return Build(given.python, runtime, interpreter, out)


def _order_for_azure(given: argparse.Namespace) -> Build:
    python = "3.13"
    return Build(python, "", find_python(python, given.interpreter, "--interpreter PATH"), given.out, cloud="azure")


def _built(words: Sequence[str] | None) -> tuple[Path, Sizes]:
    parser = _parser()
    given = parser.parse_args(words)
    if given.cloud == "gcp":
        return given.out, build_source(ROOT, given.out)
    order = _order_for_azure(given) if given.cloud == "azure" else _order(parser, given)
    return order.out, build(order)


def main(words: Sequence[str] | None = None) -> int:
    """Build what the command line asks for; a failure that Trefoil names is one sentence, never a traceback."""
    try:
        out, sizes = _built(words)
    except (ConfigurationError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2 if isinstance(error, ConfigurationError) else 1
    lines = [f"{out}: {_mebibytes(sizes.zipped)}, unpacked {_mebibytes(sizes.unpacked)}"]
    biggest = sorted(sizes.parts.items(), key=lambda part: (-part[1], part[0]))
    lines += [f"  {_mebibytes(count):>9}  {name}" for name, count in biggest[:PARTS_SHOWN]]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
