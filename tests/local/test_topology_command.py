"""`trefoil topology`: the document follows from the code, and `--check` notices when it does not."""

import json

import pytest

from shared.catalog import CATALOG
from tests.local.driver import ROOT, trefoil


def test_the_document_names_every_service(tmp_path):
    written = trefoil("topology", "--file", tmp_path / "asyncapi.json")

    assert (written.code, written.out) == (0, f"{tmp_path / 'asyncapi.json'} written\n")
    document = json.loads((tmp_path / "asyncapi.json").read_text())
    assert document["asyncapi"] == "3.0.0"
    assert set(CATALOG.services) <= set(document["channels"])


def test_the_document_in_the_repository_is_up_to_date():
    checked = trefoil("topology", "--check", "--file", ROOT / "shared" / "asyncapi.json")

    assert (checked.code, checked.err) == (0, "")


def test_what_is_up_to_date_is_not_written_again(tmp_path):
    file = tmp_path / "asyncapi.json"
    trefoil("topology", "--file", file)
    before = file.stat().st_mtime_ns

    again = trefoil("topology", "--file", file)

    assert (again.out, file.stat().st_mtime_ns) == (f"{file} is up to date\n", before)


@pytest.mark.parametrize("content", [None, "", "{}", "\xff"], ids=["none", "empty", "another", "no text"])
def test_a_document_that_is_out_of_date_is_named_and_left_alone(tmp_path, content):
    file = tmp_path / "asyncapi.json"
    if content is not None:
        file.write_text(content, encoding="latin-1")

    checked = trefoil("topology", "--check", "--file", file)

    assert (checked.code, checked.out) == (1, "")
    assert checked.err == f"{file} is out of date; run `trefoil topology`\n"
    assert file.exists() == (content is not None)


@pytest.mark.parametrize("name", [".", "missing/asyncapi.json"])
def test_a_place_that_can_not_be_written_is_an_error(tmp_path, name):
    done = trefoil("topology", "--file", tmp_path / name)

    assert done.code in (1, 2)
    assert done.out == ""
    assert str(tmp_path) in done.err.replace("\n", "")
