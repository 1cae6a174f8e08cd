"""The locks: exact, complete, in agreement, and the same wherever they are installed from."""

import re
import tomllib
from collections import Counter
from collections.abc import Mapping

import pytest
from packaging.markers import Marker

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

NEWER = {"azurefunctions.txt", "azureworker.txt"}
"""The locks of what runs on Python 3.13 alone: their pins don't have to say so."""

PYTHONS = ("3.11", "3.12", "3.13", "3.14")

PIN = re.compile(r"^([a-z0-9-]+)==(\S+)", re.MULTILINE)
MARKED = re.compile(r"^([a-z0-9-]+)==(\S+)(?: ; (.+?))? \\$", re.MULTILINE)


def pinned(lock: str, python: str) -> set[tuple[str, str]]:
    """What a lock pins for one version of Python."""
    around = {"python_version": python, "python_full_version": f"{python}.1"}
    found = MARKED.findall(lock)
    return {(name, version) for name, version, marker in found if not marker or Marker(marker).evaluate(around)}


def disagreements(locks: Mapping[str, str], python: str) -> list[str]:
    """The packages of which two locks pin different versions for one version of Python."""
    pins = {pin for lock in locks.values() for pin in pinned(lock, python)}
    versions = Counter(name for name, _ in pins)
    return sorted(name for name, count in versions.items() if count > 1)


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
        *("run", "aws", "azure", "gcp", "test", "bench", "emulators"),
        *("lambda", "lambda-provided", "cloudrun", "azurefunctions", "azureworker"),
        *("checkov", "localstack", "sam"),
    ],
)
def test_every_requirement_is_pinned(root, locks, name):
    lines = (root / "requirements" / f"{name}.in").read_text().splitlines()

    wanted = {normalised(line) for line in lines if line and not line.startswith(("#", "-"))}

    assert wanted - dict(PIN.findall(locks[f"{name}.txt"])).keys() == set()


@pytest.mark.parametrize("python", PYTHONS)
def test_the_locks_agree_on_every_version(locks, python):
    apart = APART if python == "3.13" else APART | NEWER
    together = {name: text for name, text in locks.items() if name not in apart}

    assert disagreements(together, python) == []


def test_every_pin_has_a_marker_that_is_understood(locks):
    counts = {name: (len(PIN.findall(text)), len(MARKED.findall(text))) for name, text in locks.items()}

    assert {name: pins for name, (pins, marked) in counts.items() if pins != marked} == {}
    assert len({marker for text in locks.values() for _, _, marker in MARKED.findall(text)}) > 1


OLD, NEW = "thing==1 ; python_full_version < '3.13' \\\n", "thing==2 ; python_full_version >= '3.13' \\\n"


@pytest.mark.parametrize(
    ("locks", "found"),
    [
        ((OLD + NEW, OLD + NEW), []),
        ((OLD + NEW, NEW), []),
        ((OLD + NEW, "thing==2 \\\n"), ["3.11", "3.12"]),
        ((OLD, "thing==3 ; python_full_version >= '3.12' \\\n"), ["3.12"]),
        (("thing==1 \\\n", "thing==2 \\\n"), [*PYTHONS]),
    ],
)
def test_two_versions_are_a_disagreement_where_both_would_be_installed(locks, found):
    named = dict(zip(("one.txt", "other.txt"), locks, strict=True))

    assert [python for python in PYTHONS if disagreements(named, python) == ["thing"]] == found


def test_the_other_locks_include_what_running_takes(locks):
    run, *others = (dict(PIN.findall(locks[name])).keys() for name in ("run.txt", "test.txt", "bench.txt"))

    missing = [run - other for other in others]

    assert missing == [set(), set()]
