"""What lies in the repository: nothing unexpected at its root, nothing that holds on one machine only."""

import re
from pathlib import Path, PurePosixPath

import pytest

TOP_LEVEL = {
    ".ci",
    ".gitignore",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Makefile",
    "README.md",
    "docs",
    "functions",
    "infra",
    "pyproject.toml",
    "requirements",
    "shared",
    "template.yaml",
    "terraform",
    "tests",
}

COMMON_FOLDERS = {"/", "/app", "/home", "/opt", "/srv", "/tmp", "/usr", "/var"}  # noqa: S108 - nothing is written there
"""As a clone's parent or a home they betray nothing, and texts may speak of them."""


def machine_paths(root: Path, home: Path) -> list[str]:
    """What would betray where this clone lies."""
    places = (str(root), str(root.parent), str(home))
    return [place for place in places if place not in COMMON_FOLDERS]


def mentions(text: str, place: str) -> bool:
    """Whether the place stands there as a path or begins one; `near/place` and `/placebo` don't mention `/place`."""
    return re.search(rf"(?<![\w.~}}*-]){re.escape(place)}(?!-|\.?\w)", text) is not None


def test_the_root_holds_only_what_the_layout_names(repository_files):
    names = {PurePosixPath(path).parts[0] for path in repository_files}

    assert names - TOP_LEVEL == set()


def test_no_file_names_a_path_of_this_machine(root, repository_files):
    texts = {path: (root / path).read_text(errors="replace") for path in repository_files}

    found = [
        f"{path}: {place}"
        for path, text in texts.items()
        for place in machine_paths(root, Path.home())
        if mentions(text, place)
    ]

    assert found == []


def test_every_make_target_that_a_text_names_is_there(root, repository_files):
    targets = set(re.findall(r"^([a-z0-9-]+):", (root / "Makefile").read_text(), re.MULTILINE))
    told = {
        path: set(re.findall(r"`make ([a-z0-9-]+)", (root / path).read_text(errors="replace")))
        for path in repository_files
        if path.endswith((".py", ".md"))
    }

    missing = {path: names - targets for path, names in told.items() if names - targets}

    assert missing == {}


@pytest.mark.parametrize("text", ["/place/tree", "see /place.", 'open("/place/x")', "file:///place/x", "A=/place"])
def test_a_path_of_the_machine_is_noticed(text):
    assert mentions(text, "/place")


@pytest.mark.parametrize("text", ["/placebo", "near/place", "/place-name", "../place/x", "/place.yaml"])
def test_another_path_is_let_through(text):
    assert not mentions(text, "/place")


def test_a_clone_in_a_common_folder_is_sought_by_its_own_name_only():
    assert machine_paths(Path("/srv/tree"), Path("/")) == ["/srv/tree"]
