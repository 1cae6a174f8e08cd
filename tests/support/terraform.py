"""Terraform's stacks in copies of the tree: initialised, and planned with mocks, as `terraform test` does."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from terraform import cli
from tests.support.terraform_schemas import stub

ROOT = Path(__file__).parents[2]
SCHEMAS = Path(__file__).with_name("terraform_schemas")

_PLANNED = """\
mock_provider "{provider}" {{
  source          = "./tests/mocks"
  override_during = plan
}}

run "planned" {{
  command = plan
}}
"""

_OVERRIDDEN = """
override_resource {{
  target          = {target}
  override_during = plan
  values          = {values}
}}
"""

_PRIVATE = shutil.ignore_patterns(".terraform*", "*.tfstate*", "*.tfvars*", "backend.tf", "__pycache__")


@dataclass(frozen=True)
class Stack:
    """A copy of a stack, initialised: nobody's state, variables or lock file plays a part."""

    folder: Path
    environment: dict[str, str]
    provider: str = "aws"

    def run(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        command = ["terraform", f"-chdir={self.folder}", *words]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=check, timeout=300)

    def test(self, *words: str) -> dict[str, list[Any]]:
        """The messages of `terraform test`, by type."""
        done = self.run("test", "-json", *words, check=False)
        messages: dict[str, list[Any]] = {}
        for line in done.stdout.splitlines():
            message = json.loads(line)
            messages.setdefault(message["type"], []).append(message)
        return messages

    def plan(self, **variables: Any) -> list[Any]:
        """The changes that would make the services of the contract, with mocks in the cloud's place."""
        told = {"package": "main.tf", **_PLACES[self.provider], **variables}
        folder = self.folder / "planned"
        folder.mkdir(exist_ok=True)
        text = _PLANNED.format(provider=self.provider) + "".join(self._overrides(**told))
        (folder / "planned.tftest.hcl").write_text(text)
        words = [f"-var={name}={_hcl(value)}" for name, value in told.items()]
        messages = self.test("-verbose", "-test-directory=planned", *words)
        assert failures(messages) == []
        (plan,) = messages["test_plan"]
        return list(plan["test_plan"]["resource_changes"])

    def _overrides(
        self, name: str = "trefoil", stage: str = "dev", contract: str = "../../../shared/asyncapi.json", **_: Any
    ) -> Iterator[str]:
        """What the mocks would make the same for all services: an address."""
        channels = json.loads((self.folder / contract).read_bytes())["channels"].values()
        services = {channel["x-trefoil"]["service"] for channel in channels if "service" in channel["x-trefoil"]}
        for service in sorted(services):
            for target, values in _ADDRESSES[self.provider](service, f"{name}-{stage}"):
                yield _OVERRIDDEN.format(target=target, values=values)


def _queues(service: str, prefix: str) -> Iterator[tuple[str, str]]:
    for resource, ending in (("this", ""), ("dead_letter", "-dead")):
        arn = f"arn:aws:sqs:eu-central-1:123456789012:{prefix}-{service}{ending}"
        yield f'module.channel["{service}"].aws_sqs_queue.{resource}', f'{{ arn = "{arn}" }}'


def _functions(service: str, prefix: str) -> Iterator[tuple[str, str]]:
    uri = f"https://{prefix}-{service}.example"
    function = "google_cloudfunctions2_function.this"
    yield f'module.function["{service}"].{function}', f'{{ service_config = {{ uri = "{uri}" }} }}'


def _known(_service: str, _prefix: str) -> Iterator[tuple[str, str]]:
    """What Azure's stack says of a service, it knows from names."""
    return iter(())


_PROVIDERS = {"aws": "aws", "gcp": "google", "azure": "azurerm"}

_ADDRESSES = {"aws": _queues, "google": _functions, "azurerm": _known}

_PLACES: dict[str, dict[str, str]] = {
    "aws": {},  # the mocks say where
    "google": {"project": "shop-412345", "region": "europe-west3"},
    "azurerm": {"subscription": "01234567-89ab-cdef-0123-456789abcdef", "region": "westeurope"},
}
"""Variables that say where things lie."""


def _hcl(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def failures(messages: Mapping[str, list[Any]]) -> list[str]:
    """What went wrong, in Terraform's words."""
    found = [message["diagnostic"] for message in messages.get("diagnostic", [])]
    return [f"{each['summary']}, {each.get('range', {}).get('filename')}: {each['detail']}" for each in found]


def initialised(tree: Path, target: Path, cloud: str = "aws", served: Mapping[str, str] | None = None) -> Stack:
    """A cloud's stack of a tree, in a folder of its own; `served` leads to a provider that is served already."""
    shutil.copytree(tree / "terraform", target / "terraform", ignore=_PRIVATE)
    (target / "shared").mkdir()
    shutil.copyfile(tree / "shared" / "asyncapi.json", target / "shared" / "asyncapi.json")
    environment = _without_user(os.environ) | (_provided(target) if served is None else served)
    stack = Stack(target / "terraform" / "stacks" / cloud, environment, _PROVIDERS[cloud])
    done = stack.run("init", "-input=false", "-backend=false", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return stack


def _without_user(environment: Mapping[str, str]) -> dict[str, str]:
    """Neither the user's variables nor an account."""
    theirs = ("ARM_", "AWS_", "AZURE_", "GOOGLE_", "TF_VAR_")
    return {name: value for name, value in environment.items() if not name.startswith(theirs)}


def _provided(tree: Path) -> dict[str, str]:
    """Providers from where deployments have them."""
    if folder := cli.mirror(os.environ):
        configuration = tree / "terraform.rc"
        configuration.write_text(cli.configuration(folder))
        return {"TF_CLI_CONFIG_FILE": str(configuration)}
    cache = ROOT / ".cache" / "terraform"
    cache.mkdir(parents=True, exist_ok=True)
    return {"TF_PLUGIN_CACHE_DIR": str(cache)}


@pytest.fixture(scope="session")
def stack(tmp_path_factory, requires) -> Stack:
    """This repository's for AWS, initialised once a session."""
    requires(shutil.which("terraform"), "Terraform 1.11 or newer")
    return initialised(ROOT, tmp_path_factory.mktemp("terraform"))


@pytest.fixture(scope="session")
def google_provider() -> Iterator[dict[str, str]]:
    """Google's provider as far as its schema goes, always the same one, whatever could be downloaded."""
    with stub.serving(SCHEMAS / "google.json") as environment:
        yield environment


def mirrored(folder: Path, provider: str = f"hashicorp/aws/5.100.0/{cli._platform()}") -> Path:
    """A mirror of the registry that holds one provider."""
    (folder / cli.REGISTRY / provider).mkdir(parents=True)
    return folder


@pytest.fixture(scope="session")
def gcp_stack(tmp_path_factory, requires, google_provider) -> Stack:
    """This repository's for Google Cloud, initialised once a session."""
    requires(shutil.which("terraform"), "Terraform 1.11 or newer")
    return initialised(ROOT, tmp_path_factory.mktemp("terraform"), "gcp", google_provider)


@pytest.fixture(scope="session")
def azure_provider() -> Iterator[dict[str, str]]:
    """Azure's provider, as Google's."""
    with stub.serving(SCHEMAS / "azurerm.json") as environment:
        yield environment


@pytest.fixture(scope="session")
def azure_stack(tmp_path_factory, requires, azure_provider) -> Stack:
    """This repository's for Azure, initialised once a session."""
    requires(shutil.which("terraform"), "Terraform 1.11 or newer")
    return initialised(ROOT, tmp_path_factory.mktemp("terraform"), "azure", azure_provider)
