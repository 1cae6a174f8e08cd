"""The import contracts of pyproject.toml hold, and each of them can be broken."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from shared.catalog import CATALOG

LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LINT_IMPORTS, "--no-logo", "--no-cache"], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.fixture
def copy(root, tmp_path) -> Path:
    """The packages and their contracts, free to be changed."""
    for package in ("functions", "infra", "shared"):
        shutil.copytree(root / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(root / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_import_contracts_hold(root):
    result = lint_imports(root)

    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("module", "code", "contract"),
    [
        ("infra/extra.py", "import functions.local", "Folders are layers"),
        ("shared/kernel/extra.py", "import infra.local", "Folders are layers"),
        ("shared/kernel/extra.py", "import shared.messages", "Inside shared"),
        ("shared/kernel/extra.py", "import shared.catalog", "Inside shared"),
        ("shared/messages/extra.py", "import shared.catalog", "Inside shared"),
        ("shared/orders/extra.py", "import shared.payments", "Services are independent"),
        ("shared/orders/extra.py", "import shared.payments.model", "Services are independent"),
        ("shared/orders/extra.py", "import shared.catalog", "Services are independent"),
        ("shared/kernel/extra.py", "import shared.orders.model", "Services are independent"),
        ("shared/messages/extra.py", "import shared.orders.model", "Services are independent"),
        ("shared/loyalty/__init__.py", "import shared.orders.model", "Services are independent"),
        ("shared/orders/extra.py", "import boto3", "The core knows no cloud"),
        ("shared/kernel/extra.py", "from os import path", "The core knows no cloud"),
        ("shared/orders/extra.py", "import botocore.session", "The core knows no cloud"),
        ("shared/kernel/extra.py", "import aws_lambda_powertools", "The core knows no cloud"),
        ("shared/kernel/extra.py", "import google.pubsub_v1", "The core knows no cloud"),
        ("shared/orders/extra.py", "from google.cloud import firestore", "The core knows no cloud"),
        ("shared/kernel/extra.py", "import functions_framework", "The core knows no cloud"),
        ("shared/kernel/extra.py", "import grpc", "The core knows no cloud"),
        ("shared/kernel/extra.py", "import azure.servicebus", "The core knows no cloud"),
        ("shared/orders/extra.py", "from azure.data import tables", "The core knows no cloud"),
        ("infra/local/extra.py", "import infra.providers", "Adapters are independent"),
        ("infra/aws/extra.py", "import infra.providers", "Adapters are independent"),
        ("infra/aws/extra.py", "import infra.local.memory", "Adapters are independent"),
        ("infra/local/extra.py", "import infra.aws.names", "Adapters are independent"),
        ("infra/providers/extra.py", "import infra.aws.clients", "Adapters are independent"),
        ("infra/emulators/extra.py", "import infra.aws.names", "Adapters are independent"),
        ("infra/aws/wiring.py", "import infra.local", "Adapters are independent"),
        ("infra/gcp/extra.py", "import infra.providers", "Adapters are independent"),
        ("infra/gcp/extra.py", "import infra.aws.names", "Adapters are independent"),
        ("infra/gcp/extra.py", "import infra.local.memory", "Adapters are independent"),
        ("infra/gcp/wiring.py", "import infra.emulators.google", "Adapters are independent"),
        ("infra/aws/extra.py", "import infra.gcp.names", "Adapters are independent"),
        ("infra/local/extra.py", "import infra.gcp.names", "Adapters are independent"),
        ("infra/providers/extra.py", "import infra.gcp.clients", "Adapters are independent"),
        ("infra/emulators/extra.py", "import infra.gcp.names", "Adapters are independent"),
        ("infra/azure/extra.py", "import infra.providers", "Adapters are independent"),
        ("infra/azure/extra.py", "import infra.aws.names", "Adapters are independent"),
        ("infra/azure/extra.py", "import infra.local.memory", "Adapters are independent"),
        ("infra/azure/wiring.py", "import infra.emulators.azure", "Adapters are independent"),
        ("infra/gcp/extra.py", "import infra.azure.names", "Adapters are independent"),
        ("infra/local/extra.py", "import infra.azure.names", "Adapters are independent"),
        ("infra/providers/extra.py", "import infra.azure.clients", "Adapters are independent"),
        ("infra/emulators/extra.py", "import infra.azure.names", "Adapters are independent"),
    ],
)
def test_a_forbidden_import_breaks_its_contract(copy, module, code, contract):
    (copy / module).parent.mkdir(exist_ok=True)
    (copy / module).write_text(code)

    result = lint_imports(copy)

    assert result.returncode == 1
    assert contract in result.stdout.split("Broken contracts")[-1]


def test_what_lies_in_shared_is_a_service_of_the_catalog_or_what_services_share(root):
    found = {
        path.stem for path in (root / "shared").iterdir() if path.name[0] not in "._" and path.suffix in ("", ".py")
    }

    assert found == {"catalog", "kernel", "messages", *CATALOG.services}
