"""Stacks that SAM deploys to an emulator, by the commands that a person would use.

Use it with `from tests.support.sam import sam_stack` beside `from tests.support.aws_emulators import ministack`.
"""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.support.aws_emulators import AwsEmulator

ROOT = Path(__file__).parents[2]

OLDEST_MINISTACK = (1, 5)
"""Before, its CloudFormation lost redrive policies, encryption and tags, and `sam delete` failed."""

_OURS = ("AWS_", "MAKE", "MFLAGS", "SAM_", "TREFOIL_")
"""Settings of whoever runs the tests, which are not the stack's."""

_PATIENCE = 300.0


@dataclass(frozen=True)
class SamStack:
    """One deployment of template.yaml."""

    emulator: AwsEmulator
    stage: str
    name: str = "trefoil"

    @property
    def endpoint(self) -> str:
        return self.emulator.endpoint

    @property
    def prefix(self) -> str:
        return f"{self.name}-{self.stage}"

    @property
    def environment(self) -> dict[str, str]:
        """What sends `make deploy-sam`, and `trefoil --cloud aws`, to this deployment."""
        return {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_DEFAULT_REGION": self.emulator.region,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": self.emulator.region,
            "AWS_SECRET_ACCESS_KEY": "test",
            "TREFOIL_NAME": self.name,
            "TREFOIL_STAGE": self.stage,
        }

    def client(self, service: str) -> Any:
        return boto3.client(service, **self.emulator.client_arguments)

    def deploy(self, parameters: str = "") -> str:
        """What the command says; an error if it fails."""
        return self._make("deploy-sam", f"PARAMETERS={parameters}")

    def destroy(self) -> str:
        return self._make("destroy-sam", "ARGS=--no-prompts")

    def _make(self, *words: str) -> str:
        return run(["make", "--no-print-directory", *words], **self.environment)


def run(command: list[str], cwd: Path = ROOT, **environment: str) -> str:
    """What a command says on both of its streams; an error that holds it if the command fails."""
    around = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**around, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_PATIENCE,
        check=False,
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}"
    return done.stdout


def _ministack_version() -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in version("ministack").split(".")[:2])
    except PackageNotFoundError:
        return ()


@pytest.fixture(scope="session")
def cloudformation(requires) -> None:
    """MiniStack's CloudFormation does what the tests of a stack need."""
    oldest = ".".join(map(str, OLDEST_MINISTACK))
    requires(_ministack_version() >= OLDEST_MINISTACK, f"MiniStack {oldest} or newer")


@pytest.fixture(scope="session")
def sam_stack(cloudformation, ministack) -> Iterator[SamStack]:
    """The stack `trefoil-sam`, deployed once a session and removed at its end."""
    stack = SamStack(ministack, "sam")
    stack.deploy()
    yield stack
    stack.destroy()
