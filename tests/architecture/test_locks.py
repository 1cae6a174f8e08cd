"""The locks: exact, complete, in agreement, and the same wherever they are installed from."""

import re
import tomllib
from collections import Counter

import pytest

LINE = re.compile(
    r"""
    \s*\#[ ](?!.*://)(?!.*[ ]/).*                           # a comment without an address or an absolute path
    | [a-z0-9-]+==[0-9][\w.+]*([ ];[ ][^:/@]+?)?[ ]\\       # a pin, and where it is wanted
    | [ ]{4}--hash=sha256:[0-9a-f]{64}([ ]\\)?              # what may be installed for it
    """,
    re.VERBOSE,
)

APART = {"checkov.txt", "localstack.txt", "sam.txt"}
"""The locks of tools that have environments of their own, because their exact pins contradict the others."""

PIN = re.compile(r"^([a-z0-9-]+)==(\S+)", re.MULTILINE)


def normalised(requirement: str) -> str:
    """The name that a lock uses: `Some_Name[extra]>=1` is `some-name` (PEP 503)."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=~! ;]", requirement)[0]).lower()


@pytest.fixture(scope="session")
def locks(root) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted((root / "requirements").glob("*.txt"))}


def test_a_lock_holds_pins_hashes_and_comments_only(locks):
    lines = {(name, line) for name, text in locks.items() for line in text.splitlines()}

    strange = [(name, line) for name, line in lines if not LINE.fullmatch(line)]

    assert strange == []


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://example.org/simple",
        "--find-links /some/folder",
        "thing @ https://example.org/thing.whl \\",
        "thing>=1.0 \\",
        "    # via -r /some/folder/run.in",
        "    # from https://example.org/simple",
    ],
)
def test_a_line_that_ties_a_lock_to_one_place_is_noticed(line):
    assert not LINE.fullmatch(line)


def test_every_dependency_of_the_project_is_pinned(root, locks):
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]

    wanted = {normalised(requirement) for requirement in project["dependencies"]}

    assert wanted - dict(PIN.findall(locks["run.txt"])).keys() == set()


@pytest.mark.parametrize(
    "name",
    [
        *("run", "aws", "gcp", "test", "bench", "emulators", "lambda", "lambda-provided", "cloudrun"),
        *("checkov", "localstack", "sam"),
    ],
)
def test_every_requirement_is_pinned(root, locks, name):
    lines = (root / "requirements" / f"{name}.in").read_text().splitlines()

    wanted = {normalised(line) for line in lines if line and not line.startswith(("#", "-"))}

    assert wanted - dict(PIN.findall(locks[f"{name}.txt"])).keys() == set()


def test_the_locks_agree_on_every_version(locks):
    pins = {pin for name in locks.keys() - APART for pin in PIN.findall(locks[name])}

    versions = Counter(name for name, _ in pins)

    assert [name for name, count in versions.items() if count > 1] == []


def test_the_other_locks_include_what_running_takes(locks):
    run, *others = (dict(PIN.findall(locks[name])).keys() for name in ("run.txt", "test.txt", "bench.txt"))

    missing = [run - other for other in others]

    assert missing == [set(), set()]
