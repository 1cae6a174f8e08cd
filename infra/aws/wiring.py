"""A deployment on AWS, found by its names; made of what the environment says."""

import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from infra.aws.clients import CONNECTIONS, Clients, Make, with_boto3, with_botocore
from infra.aws.dead_letters import SqsDeadLetters
from infra.aws.dynamodb import DynamoStore, DynamoTimers
from infra.aws.names import Names, names
from infra.aws.operations import AwsOperations
from infra.aws.queues import Queues
from infra.aws.sns import SnsBus
from infra.aws.sqs import SqsChannels
from infra.clock import SystemClock
from infra.pool import Pool
from shared.kernel.errors import TrefoilError
from shared.kernel.ports import System
from shared.kernel.receiver import Receiver
from shared.kernel.service import Service
from shared.kernel.telemetry import Telemetry

JITTER = random.SystemRandom()
"""Has no seed that SnapStart would hand to every instance."""


class Aws:
    """The adapters of one deployment; nothing is asked of AWS before it is needed."""

    def __init__(self, names: Names, clients: Clients, bus_arn: str | None = None) -> None:
        self.names = names
        self.clients = clients
        self.clock = SystemClock()
        self._bus_arn = bus_arn
        self.run = Pool(CONNECTIONS).run
        self.queues = Queues(self.clients)
        self.store = DynamoStore(self.clients, names.commits)
        self.timers = DynamoTimers(self.clients, names.timers, self.run)
        self.bus = SnsBus(self.clients, self.queues, names, self.topic, self.run)
        self.channels = SqsChannels(self.clients, self.queues, names, self.clock)
        dead_letters = SqsDeadLetters(self.clients, self.queues, names)
        operations = AwsOperations(self.clients, self.queues, names, self.timers)
        self.system = System(self.store, self.bus, self.channels, self.timers, dead_letters, operations, self.clock)

    def warm(self) -> None:
        """Make the clients that every message takes."""
        _ = self.clients.dynamodb, self.clients.sns

    def topic(self) -> str:
        """The topic's ARN: the one we were told, or the one under our own account."""
        if self._bus_arn is None:
            account = self.clients.sts.get_caller_identity()["Account"]
            meta = self.clients.sns.meta
            self._bus_arn = f"arn:{meta.partition}:sns:{meta.region_name}:{account}:{self.names.topic}"
        return self._bus_arn

    def receiver(self, service: Service, telemetry: Telemetry) -> Receiver:
        """The receiver of one service, with the provider that the environment names."""
        return Receiver(
            service,
            store=self.store,
            bus=self.bus,
            timers=self.timers,
            clock=self.clock,
            random=JITTER.random,
            telemetry=telemetry,
            provider=_provider(service),
            run=self.run,
        )


def _provider(service: Service) -> Any:
    if service.provider is None:
        return None
    from infra.providers.wiring import of_function  # noqa: PLC0415 - most services need none of it

    return of_function(service.name, os.environ)


def _of_environment(make: Callable[[], Make]) -> Aws:
    clients = Clients(make, os.environ.get("AWS_REGION") or None)
    return Aws(names(os.environ), clients, os.environ.get("TREFOIL_BUS_ARN") or None)


def function() -> Aws:
    """The deployment that a function belongs to, as its environment says.

    Raises ConfigurationError naming the setting that is wrong.
    """
    return _of_environment(with_botocore)


@contextmanager
def aws() -> Iterator[Aws]:
    """The deployment that a command is about; what AWS refuses becomes a TrefoilError.

    Raises ConfigurationError naming the setting that is wrong.
    """
    opened = _of_environment(with_boto3)
    try:
        yield opened
    except (BotoCoreError, ClientError) as error:
        raise TrefoilError(f"AWS: {error}") from error
