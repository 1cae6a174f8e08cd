"""`trefoil topology`: its files follow from the code, and `--check` notices when one does not."""

import json

import pytest

from shared.catalog import CATALOG
from tests.local.driver import ROOT, trefoil

FILES = ["asyncapi.json", "template.yaml"]


@pytest.fixture
def topology(tmp_path):
    """The command on files of a folder of its own."""

    def run(*arguments):
        return trefoil(
            *("topology", "--file", tmp_path / "asyncapi.json", "--template", tmp_path / "template.yaml"), *arguments
        )

    return run


def test_the_document_names_every_service(topology, tmp_path):
    written = topology()

    assert (written.code, written.err) == (0, "")
    document = json.loads((tmp_path / "asyncapi.json").read_text())
    assert document["asyncapi"] == "3.0.0"
    assert set(CATALOG.services) <= set(document["channels"])


def test_both_files_are_written_and_named(topology, tmp_path):
    written = topology()

    assert written.out == "".join(f"{tmp_path / name} written\n" for name in FILES)
    assert sorted(path.name for path in tmp_path.iterdir()) == FILES


def test_the_files_in_the_repository_are_up_to_date():
    files = ("--file", ROOT / "shared" / "asyncapi.json", "--template", ROOT / "template.yaml")

    checked = trefoil("topology", "--check", *files)

    assert (checked.code, checked.err) == (0, "")


def test_what_is_up_to_date_is_not_written_again(topology, tmp_path):
    topology()
    before = [(tmp_path / name).stat().st_mtime_ns for name in FILES]

    again = topology()

    assert again.out == "".join(f"{tmp_path / name} is up to date\n" for name in FILES)
    assert [(tmp_path / name).stat().st_mtime_ns for name in FILES] == before


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("content", [None, "", "{}", "\xff"], ids=["none", "empty", "another", "no text"])
def test_a_file_that_is_out_of_date_is_named_and_left_alone(topology, tmp_path, name, content):
    topology()
    file = tmp_path / name
    file.unlink()
    if content is not None:
        file.write_text(content, encoding="latin-1")

    checked = topology("--check")

    assert checked.code == 1
    assert checked.err == f"{file} is out of date; run `trefoil topology`\n"
    assert (file.read_text(encoding="latin-1") if file.exists() else None) == content


@pytest.mark.parametrize("option", ["--file", "--template"])
@pytest.mark.parametrize("name", [".", "missing/file"])
def test_a_place_that_can_not_be_written_is_an_error(topology, tmp_path, option, name):
    done = topology(option, tmp_path / name)

    assert done.code in (1, 2)
    assert str(tmp_path / name) in done.err.replace("\n", "")
