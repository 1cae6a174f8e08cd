"""Importing the core costs little and does nothing: a cloud function pays for it at every cold start."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

UNWANTED = {"azure", "boto3", "google", "logging.config", "pydantic", "requests", "rich", "sqlite3", "typer"}

UNWANTED_ON_AWS = {
    *("boto3", "s3transfer", "awscrt", "pydantic", "requests", "rich", "sqlite3", "typer", "yaml"),
    *("functions.local", "infra.aws.sam", "infra.emulators", "infra.local", "infra.providers"),
}

NOT_WITHOUT_A_PROVIDER = {"pybreaker", "smtplib", "tenacity"}

AWS_ENTRY = "import functions.aws.handler"


def loaded_after(code: str, folder: Path, **environment: str) -> set[str]:
    """What a fresh interpreter has loaded after running the code."""
    report = f"import sys; {code}; print(*sorted(sys.modules), sep='\\n')"
    run = subprocess.run(
        [sys.executable, "-c", report],
        cwd=folder,
        capture_output=True,
        check=True,
        text=True,
        env={**os.environ, **environment},
    )
    return set(run.stdout.split())


def unwanted_after(code: str, folder: Path) -> set[str]:
    """What of the unwanted modules is among it."""
    return UNWANTED & loaded_after(code, folder)


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


@pytest.fixture
def cold(root):
    """What a function on AWS has loaded before its first event."""

    def start(service: str) -> set[str]:
        keys = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "test")
        settings = {"AWS_LAMBDA_FUNCTION_NAME": "f", "AWS_DEFAULT_REGION": "eu-west-1", "TREFOIL_SERVICE": service}
        return loaded_after(AWS_ENTRY, root, **settings, **keys)

    return start


def test_a_cold_start_on_aws_loads_no_other_adapter_and_no_command_line(cold):
    loaded = cold("orders")

    assert loaded & (UNWANTED_ON_AWS | NOT_WITHOUT_A_PROVIDER) == set()
    assert "botocore.client" in loaded


def test_a_service_with_a_provider_loads_its_provider_besides(cold):
    loaded = cold("payments")

    assert loaded & UNWANTED_ON_AWS == {"infra.providers"}
    assert "infra.providers.wiring" in loaded


def test_importing_the_aws_entry_outside_of_lambda_makes_nothing(root):
    loaded = loaded_after(AWS_ENTRY, root, TREFOIL_SERVICE="no such service")

    assert loaded & UNWANTED_ON_AWS == set()
    assert "botocore.client" not in loaded
