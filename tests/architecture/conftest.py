"""The project as files: what the architecture tests read."""

import ast
import subprocess
from pathlib import Path

import pytest

PACKAGES = ("functions", "infra", "shared")


@pytest.fixture(scope="session")
def root() -> Path:
    return Path(__file__).parents[2]


@pytest.fixture(scope="session")
def modules(root) -> dict[str, ast.Module]:
    """The syntax tree of each module of the three packages and of Terraform's script, by its path from the root."""
    paths = [path for package in PACKAGES for path in (root / package).rglob("*.py")]
    paths += (root / "terraform").glob("*.py")
    return {path.relative_to(root).as_posix(): ast.parse(path.read_bytes()) for path in sorted(paths)}


@pytest.fixture(scope="session")
def repository_files(root, requires) -> list[str]:
    """The paths that git holds or would add."""
    requires((root / ".git").exists(), "git and work in a clone: an unpacked archive has no list of its files")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=root, capture_output=True, check=True, text=True).stdout
    return [path for path in listed.split("\0") if path and (root / path).is_file()]
