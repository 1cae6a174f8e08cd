"""Importing the core costs little and does nothing: a cloud function pays for it at every cold start."""

import subprocess
import sys
from pathlib import Path

import pytest

UNWANTED = {"azure", "boto3", "google", "logging.config", "pydantic", "requests", "rich", "sqlite3", "typer"}


def unwanted_after(code: str, folder: Path) -> set[str]:
    """What a fresh interpreter has loaded of the unwanted modules after running the code."""
    report = f"import sys; {code}; print(*sorted(sys.modules), sep='\\n')"
    run = subprocess.run([sys.executable, "-c", report], cwd=folder, capture_output=True, check=True, text=True)
    return UNWANTED & set(run.stdout.split())


def test_importing_the_catalog_loads_no_cloud_no_store_and_no_command_line(root):
    loaded = unwanted_after("import shared.catalog", root)

    assert loaded == set()


def test_importing_the_catalog_leaves_logging_as_it_was(root):
    code = "import logging, shared.catalog; raise SystemExit(len(logging.root.handlers))"

    run = subprocess.run([sys.executable, "-c", code], cwd=root, check=False)

    assert run.returncode == 0


@pytest.mark.parametrize("module", ["logging.config", "sqlite3", "typer"])
def test_an_unwanted_module_is_noticed(root, module):
    loaded = unwanted_after(f"import {module}", root)

    assert module in loaded
