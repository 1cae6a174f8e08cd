"""The bare loop's calls as functions on Azure: what `functions/azure/function_app.py` is measured against."""

import logging
import os
import typing
from collections.abc import Callable
from functools import cache
from threading import Lock

import azure.functions as func

from functions.azure.telemetry import quieten
from infra.azure.clients import BUS
from infra.azure.names import names
from infra.azure.wiring import function
from shared.catalog import CATALOG
from tests.benchmarks.azure_bare import Bare
from tests.benchmarks.done import DONE
from tests.benchmarks.script import note

Messages = typing.List[func.ServiceBusMessage]  # noqa: UP006 - what the worker reads
SCRIPT = note(CATALOG)

_making = Lock()


@cache
def _bare() -> Bare:
    return Bare(function(), SCRIPT)


def _handler(service: str) -> Callable[[Messages], None]:
    def handle(messages: Messages) -> None:
        with _making:
            made = _bare()
        made.handle(service, [message.get_body() for message in messages])
        logging.getLogger("bare").info("%s", DONE * len(messages))  # who measures counts these

    return handle


quieten()

app = func.FunctionApp()

for _service in sorted({service for service, _ in SCRIPT}):
    app.function_name(_service)(
        app.service_bus_queue_trigger(
            arg_name="messages",
            queue_name=names(os.environ).queue(_service),
            connection=BUS,
            cardinality=func.Cardinality.MANY,
            data_type=func.DataType.BINARY,
        )(_handler(_service))
    )
