"""A command whose reader goes away before the end: it ends quietly."""

import shlex
import subprocess
import sys

import pytest

from tests.local.driver import ROOT, SAMPLES, Finished

TREFOIL = f"{shlex.quote(sys.executable)} -m functions.local"


def in_a_shell(line: str) -> Finished:
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    return Finished(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(
    "what",
    [
        f"cdnow {shlex.quote(str(SAMPLES / 'CDNOW_sample.txt'))}",
        f"temperatures {shlex.quote(str(SAMPLES / 'sf-temps.csv'))} --sensor attic --unit F",
    ],
)
@pytest.mark.parametrize(("reader", "lines"), [("head -2", 2), ("true", 0)])
def test_an_import_whose_reader_has_enough_has_not_failed(what, reader, lines):
    done = in_a_shell(f"{TREFOIL} import {what} | {reader}")

    assert (done.code, done.err) == (0, "")
    assert len(done.out.splitlines()) == lines


@pytest.mark.parametrize("command", ["--help", "emulators status", "emulators status --json"])
def test_a_command_that_nobody_reads_leaves_no_traceback(command):
    """It may have failed, but says nothing."""
    done = in_a_shell(f"{TREFOIL} {command} | true")

    assert done.err == ""
