"""The deployment that a command is about: a folder on this machine, or one on a cloud."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from shared.kernel.errors import ConfigurationError
from shared.kernel.ports import System


class Cloud(StrEnum):
    """Where Trefoil runs."""

    LOCAL = "local"
    AWS = "aws"
    AZURE = "azure"
    GCP = "gcp"


On = Annotated[
    Cloud,
    typer.Option("--cloud", envvar="TREFOIL_CLOUD", show_envvar=True, help="Where it runs; a cloud ignores --data."),
]
HERE = Cloud.LOCAL


@contextmanager
def deployment(cloud: Cloud, data: Path) -> Iterator[System]:
    """Open it; raises ConfigurationError naming what is missing."""
    if cloud is Cloud.LOCAL:
        from infra.local.wiring import local  # noqa: PLC0415 - each cloud pays for its own imports only

        with local(data) as opened:
            yield opened.system
        return
    with _ON_CLOUDS[cloud]() as system:
        yield system


@contextmanager
def _aws() -> Iterator[System]:
    with _needing("aws", "boto3", "botocore"):
        import boto3  # noqa: F401, PLC0415 - botocore alone may be there

        from infra.aws.wiring import aws  # noqa: PLC0415 - see deployment
    with aws() as opened:
        yield opened.system


@contextmanager
def _azure() -> Iterator[System]:
    with _needing("azure", "azure-servicebus", "azure"):
        import azure.data.tables  # noqa: PLC0415 - a part of Azure's libraries may be there
        import azure.servicebus  # noqa: F401, PLC0415 - see above

        from infra.azure.wiring import azure as deployed  # noqa: PLC0415 - see deployment
    with deployed() as opened:
        yield opened.system


@contextmanager
def _gcp() -> Iterator[System]:
    with _needing("gcp", "google-cloud-pubsub", "google", "grpc"):
        import google.cloud.firestore  # noqa: PLC0415 - a part of Google's libraries may be there
        import google.pubsub_v1  # noqa: F401, PLC0415 - see above

        from infra.gcp.wiring import gcp  # noqa: PLC0415 - see deployment
    with gcp() as opened:
        yield opened.system


_ON_CLOUDS = {Cloud.AWS: _aws, Cloud.AZURE: _azure, Cloud.GCP: _gcp}


@contextmanager
def _needing(cloud: str, package: str, *others: str) -> Iterator[None]:
    """While a cloud's own modules are imported, say what to install when one of them is not there."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in (package, *others):
            raise
        raise ConfigurationError(
            f"--cloud {cloud} takes {package}: `make {cloud}`, or pip install 'trefoil[{cloud}]'"
        ) from error


def shows_a_sample(cloud: Cloud) -> bool:
    """Whether a listing of dead letters may lack some: Service Bus, like a file, can be looked into."""
    return cloud in (Cloud.AWS, Cloud.GCP)


def who_handles(cloud: Cloud) -> str:
    """What makes a service handle what was sent to it."""
    return "`trefoil work --until-idle` handles them" if cloud is Cloud.LOCAL else "their functions handle them"
