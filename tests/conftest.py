"""What all tests share: skips that name their remedy, and the Hypothesis profiles."""

import os
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.support.aws_emulators", "tests.support.gcp_emulators", "tests.support.azure_emulators"]

IN_CI = os.environ.get("CI") == "true"

DOES_NOT_APPLY = "does not apply: "
"""Begins the reason of a skip that no installation can cure, such as a limit that an adapter declares."""

# What the make around these tests was told is not for those that tests call.
for _told in ("ARGS", "MAKEFLAGS", "MAKEOVERRIDES", "MFLAGS"):
    os.environ.pop(_told, None)

# Hypothesis would make a folder of its own at the root.
os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(Path(__file__).parents[1] / ".cache" / "hypothesis"))

# Neither profile judges speed: a busy machine is not a defect.
settings.register_profile("dev", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("dev"), derandomize=False, print_blob=True)
settings.load_profile("ci" if IN_CI else "dev")


def _requires(condition: object, install: str) -> None:
    if not condition:
        pytest.skip(f"install {install}")


@pytest.fixture(scope="session")
def requires() -> Callable[[object, str], None]:
    """Skip from inside a test or a fixture: `requires(port_is_open, "the Firestore emulator")`."""
    return _requires


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Obey `@pytest.mark.requires(shutil.which("terraform"), install="Terraform")` before any fixture is made."""
    for mark in item.iter_markers("requires"):
        _requires(*mark.args, **mark.kwargs)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """See a test's report last, when an expected failure is already marked as one."""
    report = yield
    _fail_skips_in_ci(report)
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """See the report of a module that skipped itself as a whole, as `pytest.importorskip` does."""
    report = yield
    _fail_skips_in_ci(report)
    return report


def _fail_skips_in_ci(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Without this, a suite that lost an emulator would stay green and test nothing."""
    if not IN_CI or not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if DOES_NOT_APPLY not in reason:
        report.outcome = "failed"
        report.longrepr = f"Nothing is skipped in CI. {reason}"
