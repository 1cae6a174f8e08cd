"""MiniStack for one measurement, and deployments of the shop on it."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from infra.aws.clients import Clients, with_botocore
from infra.aws.wiring import Aws
from infra.emulators.supervisor import free_port
from infra.emulators.wiring import supervisor
from shared.catalog import CATALOG
from tests.support.aws import at, names_for, provision
from tests.support.aws_emulators import MINISTACK_SERVICES, AwsEmulator

_turns = count()


@contextmanager
def running(folder: Path) -> Iterator[AwsEmulator]:
    """An emulator of its own; clients that are made meanwhile go to it."""
    emulators = supervisor(folder / "emulators")
    try:
        emulator = AwsEmulator(emulators.up("aws", free_port()).place.port, MINISTACK_SERVICES)
        with at(emulator):
            yield emulator
    finally:
        emulators.down()


def fresh(deployment: type[Aws], folder: Path, **arguments: Any) -> Any:
    """The shop, deployed under names that nobody has had before, and its clients made."""
    names = names_for(folder / f"turn-{next(_turns)}")
    aws = deployment(names, Clients(with_botocore), **arguments)
    provision(aws, CATALOG)
    aws.topic()  # else the first message would ask whose account it is; a function is told
    aws.warm()
    return aws
