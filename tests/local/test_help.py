"""Every command explains itself: an example in its help, `--data` and `--json` where they belong."""

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from functions.local.cli import app
from tests.local.driver import trefoil

EMULATORS = {"emulators up", "emulators down", "emulators status"}

FILES_ONLY = {"import cdnow", "import temperatures", "topology", *EMULATORS}
"""Commands that read and write no data folder."""

PIPED = {"run", "send", "status", "show", "trace", "dead list", "dead show", "audit", "emulators status"}
"""Commands whose answer another program may want to read; `import` writes JSON lines anyway."""

EXPLAINED_BY_THEIR_NAME = {"id_"}
"""Arguments of which there is nothing more to say: `dead show ID`."""


def walk(command: Any, *path: str) -> Iterator[tuple[str, Any]]:
    """All commands, however deep."""
    for name, each in getattr(command, "commands", {}).items():
        yield from walk(each, *path, name)
    if not getattr(command, "commands", {}):
        yield " ".join(path), command


COMMANDS = dict(walk(typer.main.get_command(app)))


EMULATORS = {name for name in COMMANDS if name.startswith("emulators ")}

HERE_ONLY = {"run", "work"}
"""Commands that work on this machine, whatever TREFOIL_CLOUD says."""


def options(name: str) -> set[str]:
    return {option for parameter in COMMANDS[name].params for option in parameter.opts}


def text_of_help(*names: str) -> str:
    """A command's help, in one line."""
    shown = trefoil(*names, "--help")
    assert (shown.code, shown.err) == (0, "")
    return " ".join(re.sub(r"[│╭╮╰╯─]", " ", shown.out).split())


def test_the_commands_are_those_that_are_promised():
    promised = {
        *("run", "send", "work", "status", "show", "trace", "pause", "resume", "replay", "audit", "topology"),
        *("import cdnow", "import temperatures", "dead list", "dead show", "dead replay", "dead drop"),
        *("emulators up", "emulators down", "emulators status"),
    }

    assert set(COMMANDS) == promised


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_shows_an_example_of_it(name):
    _, _, example = text_of_help(*name.split()).partition("Example: ")

    assert f"trefoil {name}" in example


@pytest.mark.parametrize("name", COMMANDS)
def test_an_example_names_only_options_that_the_command_has(name):
    (example,) = re.findall(r"Example: (?:eval .*)?trefoil ([^\n)]*)", COMMANDS[name].callback.__doc__)

    command = example.split(" > ")[0].split("| trefoil ")[-1]
    words = [word for word in shlex.split(command) if word.startswith("--")]
    assert set(words) <= options(name if command.startswith(name) else "send")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_and_argument_is_explained(name):
    bare = {each.name for each in COMMANDS[name].params if not getattr(each, "help", None)}

    assert bare <= EXPLAINED_BY_THEIR_NAME


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - FILES_ONLY - EMULATORS))
def test_every_command_about_data_takes_a_folder(name):
    (data,) = [parameter for parameter in COMMANDS[name].params if "--data" in parameter.opts]

    assert data.envvar == "TREFOIL_DATA"
    assert "--data" in text_of_help(*name.split())


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - FILES_ONLY - EMULATORS - HERE_ONLY))
def test_every_command_about_a_deployment_takes_a_cloud(name):
    (cloud,) = [parameter for parameter in COMMANDS[name].params if "--cloud" in parameter.opts]

    assert cloud.envvar == "TREFOIL_CLOUD"
    assert "local|aws" in text_of_help(*name.split())


@pytest.mark.parametrize("name", sorted(PIPED))
def test_what_a_person_might_pipe_can_be_had_as_json(name):
    assert "--json" in options(name)


@pytest.mark.parametrize("group", [(), ("import",), ("dead",)], ids=["trefoil", "import", "dead"])
def test_without_a_command_the_help_lists_them(group):
    shown = trefoil(*group)

    below = {name.removeprefix(" ".join(group)).split()[0] for name in COMMANDS if name.startswith(" ".join(group))}
    assert below <= set(shown.both.split())


@pytest.mark.parametrize("line", ["fly", "dead fly", "status --fly", "show", "work --workers x", "work --workers 0"])
def test_what_no_command_knows_is_an_error_of_usage(line):
    refused = trefoil(*line.split())

    assert (refused.code, refused.out) == (2, "")
    assert "Usage: " in refused.err


def test_the_folder_may_be_named_by_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("TREFOIL_DATA", str(tmp_path / "from-environment"))

    shown = trefoil("status", "--json")

    assert shown.code == 0
    assert (tmp_path / "from-environment" / "trefoil.db").exists()


def test_the_folder_is_trefoil_data_where_one_stands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    shown = trefoil("status")

    assert shown.code == 0
    assert (tmp_path / "trefoil-data" / "trefoil.db").exists()
