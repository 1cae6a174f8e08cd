"""The shop's real functions on Azure, in this process: everything on, instant providers, one log line a record."""

import logging
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from azure.functions import ServiceBusMessage
from azure.functions.meta import Datum
from azure.functions.servicebus import ServiceBusMessageInConverter

from functions.azure.function_app import Function
from infra.azure.wiring import Azure
from infra.emulators.azurefunctions.bindings import bodies, of_batch
from infra.emulators.azurefunctions.rpc import TypedData
from shared.kernel.receiver import Receiver
from shared.kernel.service import Service
from shared.kernel.telemetry import Telemetry
from tests.benchmarks.azure_emulator import SERVICES
from tests.benchmarks.azure_loop import Loop, Messages
from tests.benchmarks.providers import PROVIDERS


class Deployment(Azure):
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


@contextmanager
def logging_to(path: Path) -> Iterator[None]:
    """What functions log goes to a file, which is removed in the end, as the worker's log does."""
    logger, handler = logging.getLogger("trefoil"), logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()
        path.unlink()


def triggered(messages: Messages) -> Sequence[ServiceBusMessage]:
    """Messages as the host hands them over and azure-functions reads them."""
    metadata = {name: _datum(value) for name, value in of_batch(messages, include_empty=False).items()}
    found: Any = ServiceBusMessageInConverter.decode(_datum(bodies(messages)), trigger_metadata=metadata)
    return found  # type: ignore[no-any-return]


def _datum(value: TypedData) -> Datum:
    kind = value.WhichOneof("data")
    return Datum(getattr(value, kind or ""), kind)


class Functions(Loop):
    """Hands each batch to the function of its service, as its trigger does."""

    def __init__(self, azure: Deployment, batch: int) -> None:
        super().__init__(azure, batch)
        self._functions = {service: Function(service, azure) for service in SERVICES}

    def handle(self, service: str, messages: Messages) -> None:
        self._functions[service].handle(triggered(messages))
