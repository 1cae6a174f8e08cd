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

ROOT = Path(__file__).parents[2]

_PLANNED = """\
mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  package = "main.tf"
}

run "planned" {
  command = plan
}
"""

_PRIVATE = shutil.ignore_patterns(".terraform*", "*.tfstate*", "*.tfvars*", "backend.tf", "__pycache__")


@dataclass(frozen=True)
class Stack:
    """A copy of a stack, initialised: nobody's state, variables or lock file plays a part."""

    folder: Path
    environment: dict[str, str]

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
        folder = self.folder / "planned"
        folder.mkdir(exist_ok=True)
        (folder / "planned.tftest.hcl").write_text(_PLANNED + "".join(self._overrides(**variables)))
        told = [f"-var={name}={_hcl(value)}" for name, value in variables.items()]
        messages = self.test("-verbose", "-test-directory=planned", *told)
        assert failures(messages) == []
        (plan,) = messages["test_plan"]
        return list(plan["test_plan"]["resource_changes"])

    def _overrides(
        self, name: str = "trefoil", stage: str = "dev", contract: str = "../../../shared/asyncapi.json", **_: Any
    ) -> Iterator[str]:
        """The address of each queue: the mocks would give all of them the same."""
        channels = json.loads((self.folder / contract).read_bytes())["channels"].values()
        services = {channel["x-trefoil"]["service"] for channel in channels if "service" in channel["x-trefoil"]}
        for service in sorted(services):
            for resource, ending in (("this", ""), ("dead_letter", "-dead")):
                target = f'module.channel["{service}"].aws_sqs_queue.{resource}'
                arn = f"arn:aws:sqs:eu-central-1:123456789012:{name}-{stage}-{service}{ending}"
                yield (
                    f"\noverride_resource {{\n  target          = {target}\n  override_during = plan\n"
                    f'  values          = {{ arn = "{arn}" }}\n}}\n'
                )


def _hcl(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def failures(messages: Mapping[str, list[Any]]) -> list[str]:
    """What went wrong, in Terraform's words."""
    found = [message["diagnostic"] for message in messages.get("diagnostic", [])]
    return [f"{each['summary']}, {each.get('range', {}).get('filename')}: {each['detail']}" for each in found]


def initialised(tree: Path, target: Path) -> Stack:
    """The stack for AWS of a tree, in a folder of its own."""
    shutil.copytree(tree / "terraform", target / "terraform", ignore=_PRIVATE)
    (target / "shared").mkdir()
    shutil.copyfile(tree / "shared" / "asyncapi.json", target / "shared" / "asyncapi.json")
    stack = Stack(target / "terraform" / "stacks" / "aws", _environment(target))
    done = stack.run("init", "-input=false", "-backend=false", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return stack


def _environment(tree: Path) -> dict[str, str]:
    """Neither the user's variables nor an account: providers from where deployments have them."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TF_VAR_"))}
    if folder := cli.mirror(os.environ):
        configuration = tree / "terraform.rc"
        configuration.write_text(cli.configuration(folder))
        return {**environment, "TF_CLI_CONFIG_FILE": str(configuration)}
    cache = ROOT / ".cache" / "terraform"
    cache.mkdir(parents=True, exist_ok=True)
    return {**environment, "TF_PLUGIN_CACHE_DIR": str(cache)}


@pytest.fixture(scope="session")
def stack(tmp_path_factory, requires) -> Stack:
    """This repository's, initialised once a session."""
    requires(shutil.which("terraform"), "Terraform 1.11 or newer")
    return initialised(ROOT, tmp_path_factory.mktemp("terraform"))
