"""The shop's real functions on AWS, in this process: everything on, instant providers, one log line a record."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

from functions.aws.handler import Function
from infra.aws.wiring import Aws
from shared.kernel.receiver import Receiver
from shared.kernel.service import Service
from shared.kernel.telemetry import Telemetry
from tests.benchmarks.aws_loop import Loop, Messages
from tests.benchmarks.measure import check
from tests.benchmarks.providers import PROVIDERS
from tests.support.aws_pump import Context, shaped


class Deployment(Aws):
    """A deployment whose providers answer at once."""

    def receiver(self, service: Service, telemetry: Telemetry) -> Receiver:
        return Receiver(
            service,
            store=self.store,
            bus=self.bus,
            timers=self.timers,
            clock=self.clock,
            random=random.random,
            telemetry=telemetry,
            provider=PROVIDERS.get(service.name),
            run=self.run,
        )


class Functions(Loop):
    """Hands each batch to the function of its service, as an event."""

    def __init__(self, aws: Deployment, services: Sequence[str], batch: int) -> None:
        super().__init__(aws, services, batch)
        self._functions = {service: Function(service, aws) for service in services}

    def handle(self, service: str, messages: Messages) -> None:
        answer: Mapping[str, Any] = self._functions[service].handle(
            {"Records": [shaped(message) for message in messages]}, Context()
        )
        check(f"messages that {service} refused", len(answer["batchItemFailures"]), 0)
