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


On = Annotated[
    Cloud,
    typer.Option("--cloud", envvar="TREFOIL_CLOUD", show_envvar=True, help="Where it runs; a cloud ignores --data."),
]
HERE = Cloud.LOCAL


@contextmanager
def deployment(cloud: Cloud, data: Path) -> Iterator[System]:
    """Open it; raises ConfigurationError naming what is missing."""
    if cloud is Cloud.AWS:
        with _aws() as system:
            yield system
        return
    from infra.local.wiring import local  # noqa: PLC0415 - each cloud pays for its own imports only

    with local(data) as opened:
        yield opened.system


@contextmanager
def _aws() -> Iterator[System]:
    try:
        import boto3  # noqa: F401, PLC0415 - botocore alone may be there

        from infra.aws.wiring import aws  # noqa: PLC0415 - see deployment
    except ModuleNotFoundError as error:
        if error.name not in ("boto3", "botocore"):
            raise
        raise ConfigurationError("--cloud aws takes boto3: `make aws`, or pip install 'trefoil[aws]'") from error
    with aws() as opened:
        yield opened.system


def who_handles(cloud: Cloud) -> str:
    """What makes a service handle what was sent to it."""
    return "`trefoil work --until-idle` handles them" if cloud is Cloud.LOCAL else "their functions handle them"
