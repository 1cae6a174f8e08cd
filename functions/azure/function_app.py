"""The Azure entry point: a batched Service Bus trigger for each service of the catalog, and a timer for the tick.

One app holds all of them; Flex Consumption scales each function by itself. `host.json` holds what the host is told, and
docs/azure.md says why.
"""

import logging
import os
import random
import typing
from collections.abc import Callable
from functools import cache
from threading import Lock

# What the clients take is imported here: no first message waits for it, also not that of a worker that replaces one.
import azure.data.tables
import azure.functions as func

from functions.azure.telemetry import HostLogging, quieten
from infra.azure.clients import BUS, BUS_HOST
from infra.azure.names import names
from infra.azure.records import triggered
from infra.azure.wiring import Azure, function
from shared.catalog import CATALOG
from shared.kernel.errors import PublishFailed
from shared.kernel.outcome import DeadLetter, Defer, deliveries_exhausted
from shared.kernel.receiver import SUSPECT_AFTER
from shared.kernel.timers import tick_until
from shared.kernel.topology_limits import SETTLE_SECONDS, function_timeout
from shared.notifications.model import Mailer

if os.environ.get(BUS_HOST):  # the clients take an identity
    import azure.identity  # noqa: F401

if typing.TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.kernel.outcome import Outcome
    from shared.kernel.ports import Delivery

TICK_SECONDS = 55
"""A tick ends before the next one begins."""

# The annotation that the worker reads; it knows no `list[...]` here.
Messages = typing.List[func.ServiceBusMessage]  # noqa: UP006


class Function:
    """One service's function: what an instance keeps between events."""

    def __init__(self, service: str, azure: Azure) -> None:
        definition = CATALOG.service(service)
        self.name = service
        self.azure = azure
        self.telemetry = HostLogging(logging.getLogger(f"trefoil.{service}"))
        if definition.provider is Mailer and not os.environ.get("TREFOIL_SMTP_URL"):
            self.telemetry.warn("mails stay on this instance's disk and are gone with it: set TREFOIL_SMTP_URL")
        self.receiver = azure.receiver(definition, self.telemetry)
        self._seconds = function_timeout(definition.limits) - SETTLE_SECONDS

    def handle(self, messages: "Sequence[func.ServiceBusMessage]") -> None:
        """Handle a batch; the host completes all of it when this returns.

        Raises PublishFailed, and the host abandons all of it, only when a copy or a dead letter could not be sent.

        A message that kills the function has its whole batch abandoned, also those beside it that were handled. So
        what has come too often is parted: each is put aside as a copy, to come back at another time than the others.
        """
        staying: list[Delivery] = []

        def settle(settlements: "Sequence[tuple[Delivery, Outcome]]") -> None:
            staying.extend(self.azure.channels.carry_out(self.name, settlements))

        deliveries = triggered(messages, self.name)
        together = _often(messages) if deliveries[1:] else ()
        rest = [delivery for number, delivery in enumerate(deliveries) if number not in together]
        self.receiver.receive(rest, settle, self.azure.clock.now() + self._seconds)
        if together:
            self.telemetry.warn(f"{len(together)} messages were often delivered, and never settled: they are parted")
            settle([(deliveries[number], self._parted(deliveries[number])) for number in together])
        if staying:
            raise PublishFailed(f"{len(staying)} of {len(deliveries)} messages could be neither settled nor copied")

    def _parted(self, delivery: "Delivery") -> "Outcome":
        limits, why = self.receiver.service.limits, deliveries_exhausted(delivery.attempts)
        if delivery.attempts >= limits.deliveries:  # Service Bus counts anew for each copy
            return DeadLetter(why)
        return Defer(limits.backoff.wait(delivery.attempts, random.random), why)


def _often(messages: "Sequence[func.ServiceBusMessage]") -> list[int]:
    """Positions of messages that came often as the copies that they are; a retry is another copy."""
    return [number for number, each in enumerate(messages) if (each.delivery_count or 1) >= SUSPECT_AFTER]


_making = Lock()


@cache
def _azure() -> Azure:
    return function()


@cache
def _function(service: str) -> Function:
    return Function(service, _azure())


def _handler(service: str) -> Callable[[Messages], None]:
    def handle(messages: Messages) -> None:
        with _making:
            made = _function(service)
        made.handle(messages)

    return handle


quieten()

app = func.FunctionApp()

for _service in CATALOG.services:
    app.function_name(_service)(
        app.service_bus_queue_trigger(
            arg_name="messages",
            queue_name=names(os.environ).queue(_service),
            connection=BUS,
            cardinality=func.Cardinality.MANY,
            data_type=func.DataType.BINARY,
        )(_handler(_service))
    )


@app.function_name("tick")
@app.timer_trigger(arg_name="timer", schedule="0 * * * * *")
def tick(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the binding's name
    """The schedule rings: publish every timer that is due, each to the service that set it."""
    with _making:
        azure = _azure()
    end = azure.clock.now() + TICK_SECONDS - SETTLE_SECONDS
    published = tick_until(end, azure.timers, azure.bus, azure.clock)
    logging.getLogger("trefoil.tick").info("%d timers were published", published)
