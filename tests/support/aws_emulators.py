"""Pytest's way to the AWS emulators: one of each a session, on a free port, stopped at its end whatever happened.

Use it with `from tests.support.aws_emulators import ministack, patched_boto3` in a conftest, or `pytest_plugins`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec

import pytest
from pytest_localstack import constants, service_checks
from pytest_localstack.session import RunningSession

from infra.emulators.aws import REGION
from infra.emulators.emulator import HOST
from infra.emulators.supervisor import free_port
from infra.emulators.wiring import ROOT, supervisor

LOCALSTACK_PYTHON = ROOT / ".venv-localstack" / "bin" / "python"
MINISTACK_SERVICES = (
    "cloudwatch",
    "dynamodb",
    "events",
    "iam",
    "kms",
    "lambda",
    "logs",
    "scheduler",
    "sns",
    "sqs",
    "sts",
)
LOCALSTACK_SERVICES = ("kms", "sns", "sqs", "sts")


@dataclass(frozen=True)
class AwsEmulator:
    """Where an emulator answers, and for what."""

    port: int
    services: tuple[str, ...]
    region: str = REGION

    @property
    def endpoint(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def client_arguments(self) -> dict[str, str]:
        """For `boto3.client(name, **emulator.client_arguments)`, whatever the environment says."""
        return {
            "endpoint_url": self.endpoint,
            "region_name": self.region,
            "aws_access_key_id": "test",
            "aws_secret_access_key": "test",
        }

    def session(self) -> RunningSession:
        """pytest-localstack's way to a server that runs already; its `boto3` makes clients that go there."""
        for name in self.services:
            # It knows no address of some services; that the port is open is check enough.
            constants.SERVICE_PORTS.setdefault(name, self.port)
            service_checks.SERVICE_CHECKS.setdefault(name, service_checks.port_check(name))
        ports = dict.fromkeys(self.services, self.port)
        return RunningSession(HOST, ports, region_name=self.region, localstack_version="latest")


@contextmanager
def _running(name: str, services: tuple[str, ...], factory: pytest.TempPathFactory) -> Iterator[AwsEmulator]:
    emulators = supervisor(factory.mktemp(f"emulator-{name}"))
    try:
        yield AwsEmulator(emulators.up(name, free_port()).place.port, services)
    finally:
        emulators.down()


@pytest.fixture(scope="session")
def ministack(tmp_path_factory, requires) -> Iterator[AwsEmulator]:
    requires(find_spec("ministack"), "MiniStack: make emulators")
    with _running("aws", MINISTACK_SERVICES, tmp_path_factory) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def localstack(tmp_path_factory, requires) -> Iterator[AwsEmulator]:
    requires(LOCALSTACK_PYTHON.exists(), "LocalStack: make tools")
    with _running("localstack", LOCALSTACK_SERVICES, tmp_path_factory) as emulator:
        yield emulator
