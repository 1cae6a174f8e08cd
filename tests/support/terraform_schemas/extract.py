"""Writes a provider's schema beside this file: `python -m tests.support.terraform_schemas.extract google`.

It is what `terraform providers schema -json` would print, for the types in use only. That command needs the provider;
this one takes the npm package that CDK for Terraform generated from it, and so needs npm.
"""

import json
import subprocess
import sys
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from terraform.cli import REGISTRY
from tests.support.terraform_schemas.cdktf import Module

FOLDER = Path(__file__).parent

_KINDS = {"TerraformResource": "resource_schemas", "TerraformDataSource": "data_source_schemas"}


@dataclass(frozen=True)
class Provider:
    """What to take, and from which package."""

    package: str
    source: str
    types: tuple[str, ...]
    """The package's folders: resource types without the provider's name; those of data sources begin with `data-`."""


PROVIDERS = {
    "azurerm": Provider(
        package="@cdktf/provider-azurerm@14.23.1",  # of the provider's version 4.55.0
        source=f"{REGISTRY}/hashicorp/azurerm",
        types=(
            "application-insights",
            "data-azurerm-client-config",
            "function-app-flex-consumption",
            "log-analytics-workspace",
            "management-lock",
            "monitor-diagnostic-setting",
            "monitor-metric-alert",
            "monitor-scheduled-query-rules-alert-v2",
            "resource-group",
            "resource-group-template-deployment",
            "role-assignment",
            "service-plan",
            "servicebus-namespace",
            "servicebus-queue",
            "servicebus-subscription",
            "servicebus-subscription-rule",
            "servicebus-topic",
            "storage-account",
            "storage-blob",
            "storage-container",
            "user-assigned-identity",
        ),
    ),
    "google": Provider(
        package="@cdktf/provider-google@16.12.0",  # of the provider's version 6.50.0
        source=f"{REGISTRY}/hashicorp/google",
        types=(
            "artifact-registry-repository",
            "artifact-registry-repository-iam-member",
            "cloud-run-v2-service-iam-member",
            "cloud-scheduler-job",
            "cloudfunctions2-function",
            "data-google-project",
            "firestore-database",
            "firestore-field",
            "kms-crypto-key-iam-member",
            "monitoring-alert-policy",
            "project-iam-member",
            "pubsub-subscription",
            "pubsub-subscription-iam-member",
            "pubsub-topic",
            "pubsub-topic-iam-member",
            "service-account",
            "storage-bucket",
            "storage-bucket-object",
        ),
    ),
}


def extract(provider: Provider, read: Callable[[str], str]) -> str:
    """The schema as JSON, a line for each type, so that a change can be read; `read` gives a folder's module."""
    kinds: dict[str, dict[str, Any]] = {kind: {} for kind in _KINDS.values()}
    for module in map(Module, map(read, provider.types)):
        kinds[_KINDS[module.base]][module.type] = _schema(module)
    texts = [f'"provider": {_line(_schema(Module(read("provider"))))}']
    for kind, types in kinds.items():
        lines = ",\n".join(f'"{name}": {_line(schema)}' for name, schema in sorted(types.items()))
        texts.append(f'"{kind}": {{\n{lines}\n}}')
    inner = ",\n".join(texts)
    return f'{{"format_version": "1.0", "provider_schemas": {{"{provider.source}": {{\n{inner}\n}}}}}}\n'


def _schema(module: Module) -> dict[str, Any]:
    return {"version": 0, "block": module.block()}


def _line(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def download(package: str, folder: str) -> tarfile.TarFile:
    """The package as npm gives it."""
    packed = subprocess.run(
        ["npm", "pack", "--silent", package], cwd=folder, check=True, capture_output=True, text=True
    ).stdout
    return tarfile.open(Path(folder, packed.strip()))


def main(name: str) -> None:
    """Write `NAME.json`."""
    provider = PROVIDERS[name]
    with TemporaryDirectory() as folder, download(provider.package, folder) as package:

        def read(directory: str) -> str:
            file = package.extractfile(f"package/lib/{directory}/index.js")
            assert file is not None
            return file.read().decode()

        text = extract(provider, read)
    (FOLDER / f"{name}.json").write_text(text)


if __name__ == "__main__":
    main(sys.argv[1])
