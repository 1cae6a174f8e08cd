"""A test that lacks software says what to install; in CI it fails instead of being skipped."""

import os
import shutil
import subprocess
import sys

import pytest

LACKING = {
    "marker": "@pytest.mark.requires(False, install='a broker')\ndef test_it(): pass",
    "fixture": "def test_it(requires): requires(False, 'a broker')",
    "skip": "def test_it(): pytest.skip('install a broker')",
    "module": "pytest.skip('install a broker', allow_module_level=True)",
    "import": "pytest.importorskip('a_broker', reason='install a broker')",
}

FINE = {
    "met": "@pytest.mark.requires(True, install='a broker')\ndef test_it(requires): requires(True, 'a broker')",
    "declared": "@pytest.mark.skip(reason='does not apply: no timers')\ndef test_it(): pass",
    "expected": "@pytest.mark.xfail\ndef test_it(): assert False",
    "imperative": "def test_it(): pytest.xfail('known')",
}


@pytest.fixture
def run_pytest(root, tmp_path):
    """Run small test modules under this project's configuration, in CI or not."""

    def run(tests: dict[str, str], ci: str) -> subprocess.CompletedProcess[str]:
        for source in (root / "pyproject.toml", root / "tests" / "conftest.py"):
            shutil.copy(source, tmp_path)
        for name, code in tests.items():
            (tmp_path / f"test_{name}.py").write_text(f"import pytest\n\n{code}\n")
        options = ["-rs", "--no-fold-skipped", "--continue-on-collection-errors"]
        command = [sys.executable, "-m", "pytest", *options, tmp_path]
        environment = {**os.environ, "CI": ci, "COLUMNS": "120"}
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    return run


def last_line(result: subprocess.CompletedProcess[str]) -> str:
    return result.stdout.splitlines()[-1]


def test_a_test_that_lacks_software_is_skipped_here_and_names_the_remedy(run_pytest):
    result = run_pytest(LACKING, ci="")

    assert result.stdout.count("install a broker") == len(LACKING)
    assert " 5 skipped in " in last_line(result)


def test_a_test_that_lacks_software_fails_in_ci_and_names_the_remedy(run_pytest):
    result = run_pytest(LACKING, ci="true")

    assert result.stdout.count("Nothing is skipped in CI. Skipped: install a broker") >= len(LACKING)
    assert " 2 failed, 3 errors in " in last_line(result)


def test_ci_accepts_what_is_met_declared_or_expected(run_pytest):
    result = run_pytest(FINE, ci="true")

    assert result.returncode == pytest.ExitCode.OK
    assert " 1 passed, 1 skipped, 2 xfailed in " in last_line(result)
