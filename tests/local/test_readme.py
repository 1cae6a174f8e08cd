"""Every command in the README, in its order, as a new user would type it; those on clouds are in tests/deploy."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.readme import ON_CLOUDS, README, ROOT, commands

SECTIONS = commands()
COMMANDS = [command for heading, commands in SECTIONS.items() if heading not in ON_CLOUDS for command in commands]
TARGETS = sorted({command.split()[1] for commands in SECTIONS.values() for command in commands if "make " in command})
# `make` sets up what the tests already run in; its targets are checked by name.
AS_RUN_HERE = {"make run": "trefoil run", "make test": "true", ". .venv/bin/activate": "true"}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkout")
    (folder / "functions").symlink_to(ROOT / "functions")
    return folder


def test_every_command_of_the_readme_works_in_its_order(checkout: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TREFOIL_")}

    failed = []
    for command in COMMANDS:
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", AS_RUN_HERE.get(command, command)],
            cwd=checkout, env={**environment, "PATH": path}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            failed.append((command, done.stdout, done.stderr))

    assert not failed
    assert (checkout / "trefoil-data" / "trefoil.db").exists()


def test_no_command_of_the_readme_is_left_out() -> None:
    """One that stands above the first heading, or below a line that looks like one, would be."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)

    assert {language for language, _ in fenced} == {"", "console"}
    assert sum(map(len, SECTIONS.values())) == sum(
        len(text.splitlines()) for language, text in fenced if language == "console"
    )
    assert all(SECTIONS[heading] for heading in ON_CLOUDS)
    assert COMMANDS


@pytest.mark.parametrize("target", TARGETS)
def test_every_make_target_of_the_readme_exists(target: str) -> None:
    targets = re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)

    assert target in targets


def test_the_readme_is_at_most_150_lines_long() -> None:
    assert len(README.splitlines()) <= 150
