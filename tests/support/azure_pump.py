"""What the Functions host does between a queue and a function: receives a batch, and settles all of it alike."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from azure.functions.meta import Datum
from azure.functions.servicebus import ServiceBusMessageInConverter

from functions.azure.function_app import Function
from infra.azure.clients import FAULTS, UNSETTLED, Clients
from infra.azure.dead_letters import looked_into
from infra.emulators.azurefunctions.bindings import bodies, of_batch
from infra.emulators.azurefunctions.hostjson import read
from infra.emulators.azurefunctions.rpc import TypedData
from infra.emulators.wiring import ROOT
from tests.support.cloud import Handed

if TYPE_CHECKING:
    from tests.support.azure_cloud import AzureDeployment

PATIENCE = 0.25
"""Seconds that it waits for messages that others may have locked."""

ACTIVE = 0
"""The state of a message that is neither deferred nor scheduled."""


def batch(messages: Sequence[Any]) -> Any:
    """Received messages as the worker hands them over, after all that host and worker do to them."""
    told = of_batch(messages, include_empty=False)
    metadata = {name: _datum(value) for name, value in told.items()}
    return ServiceBusMessageInConverter.decode(_datum(bodies(messages)), trigger_metadata=metadata)


def _datum(data: TypedData) -> Datum:
    kind = data.WhichOneof("data")
    return Datum(getattr(data, kind), kind)


class Triggers:
    """The queue triggers of a deployment: its `Line`. How long a message is hidden, its queue decides.

    A worker that dies has failed, and its batch is abandoned; when the host dies with it, the lock ends in its time.
    """

    most = read(ROOT / "functions" / "azure").extensions.service_bus.max_message_batch_size
    rings = False
    """A deferral is a copy in the queue, scheduled."""

    def __init__(self, azure: "AzureDeployment") -> None:
        self._azure = azure

    def poll(self, service: str, _: int) -> list[Handed]:
        """See Line. It looks first, for waiting in vain takes longer; a broker that is gone is asked again later."""
        found: list[Any] = []
        with suppress(*FAULTS):
            if waiting := min(self.most, sum(each.state.value == ACTIVE for each in self._held(service))):
                found = self._receiver(service).receive_messages(waiting, max_wait_time=PATIENCE)
        return [Handed(str(message.sequence_number), (service, message), message) for message in found]

    def hand(self, function: Function, handed: Sequence[Handed]) -> set[str]:
        """See Line. What a trigger is given stays as a whole, and only when the function raises."""
        function.handle(batch([message.event for message in handed]))
        return set()

    def settle(self, service: str, handed: Sequence[Handed], staying: set[str]) -> None:
        """See Line. What can't be settled, for its lock has ended, comes again."""
        for message in handed:
            _, received = message.handle
            with suppress(*UNSETTLED):
                receiver = self._receiver(service)
                settle = receiver.abandon_message if message.id in staying else receiver.complete_message
                settle(received)

    def died(self, handed: Sequence[Handed]) -> None:
        """See Line."""
        for message in handed:
            service, _ = message.handle
            self.settle(service, [message], {message.id})

    def waiting(self, service: str) -> int:
        """See Line."""
        return len(self._held(service))

    def empty(self, services: Iterable[str], _: float) -> bool:
        """See Line. A broker that is gone tells nothing."""
        with suppress(*FAULTS):
            return not any(map(self.waiting, services))
        return False

    def _held(self, service: str) -> list[Any]:
        self._receiver(service)
        return list(looked_into(self._azure.clients, self._azure.names.queue(service)))

    def _receiver(self, service: str) -> Any:
        names = self._azure.names
        open_receivers(self._azure.clients, map(names.queue, self._azure.catalog.services))
        return self._azure.clients.receiver(names.queue(service))


def open_receivers(clients: Clients, queues: Iterable[str]) -> None:
    """Have receivers of all these queues; one after another would take the SDK half a second each."""
    together(clients.receiver, [queue for queue in queues if ("receiver", queue) not in clients._made])


def together(act: Callable[[Any], Any], arguments: Sequence[Any]) -> None:
    """Call something with each argument, all at the same time."""
    if arguments:
        with ThreadPoolExecutor(len(arguments)) as threads:
            list(threads.map(act, arguments))
