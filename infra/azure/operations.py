"""What an operator asks of channels on Azure."""

from collections.abc import Iterator
from itertools import chain

from azure.servicebus.exceptions import MessagingEntityDisabledError

from infra.azure.clients import Clients
from infra.azure.dead_letters import looked_into
from infra.azure.names import Names
from infra.azure.records import body_of
from infra.azure.tables import TableTimers
from shared.kernel.errors import TrefoilError
from shared.kernel.ports import Depth

PAUSED = "ReceiveDisabled"
GOING = "Active"


class AzureOperations:
    """Service Bus counts what is locked among what waits; a pause has a queue take messages and deliver none."""

    def __init__(self, clients: Clients, names: Names, timers: TableTimers) -> None:
        self._clients = clients
        self._names = names
        self._timers = timers

    def depth(self, service: str) -> Depth:
        """See Operations."""
        told = self._clients.administration
        channel = told.get_queue_runtime_properties(self._names.queue(service))
        dead = told.get_queue_runtime_properties(self._names.dead(service))
        paused = told.get_queue(self._names.queue(service)).status == PAUSED
        waiting = (channel.active_message_count or 0) + (channel.scheduled_message_count or 0)
        return Depth(waiting, None, dead.active_message_count or 0, paused)

    def pause(self, service: str) -> None:
        """See Operations."""
        self._set(service, PAUSED)

    def resume(self, service: str) -> None:
        """See Operations."""
        self._set(service, GOING)

    def waiting(self, service: str) -> Iterator[bytes]:
        """See Operations. Looking takes no lock, and shows what is locked and what is scheduled, too.

        Raises TrefoilError for a service that is paused: such a queue lets in nobody who comes to look.
        """
        queued = self._queued(service)
        timed = (timer.message.body for timer in self._timers.all() if timer.message.to == service)
        return chain(queued, timed)

    def _queued(self, service: str) -> Iterator[bytes]:
        try:
            yield from map(body_of, looked_into(self._clients, self._names.queue(service)))
        except MessagingEntityDisabledError as error:
            raise TrefoilError(f"{service} is paused; what waits can be seen when it is resumed: {error}") from error

    def timers(self) -> int:
        """See Operations."""
        return sum(1 for _ in self._timers.all())

    def _set(self, service: str, status: str) -> None:
        administration = self._clients.administration
        queue = administration.get_queue(self._names.queue(service))
        queue.status = status
        administration.update_queue(queue)
