"""Azure clients: made when first asked for, once, with the same time limits and retries."""

from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, Any

from azure.core.exceptions import AzureError, DeserializationError
from msgspec import Struct

from infra.pool import Pool
from shared.kernel.errors import ConfigurationError

if TYPE_CHECKING:
    from azure.data.tables import TableClient, TableServiceClient
    from azure.servicebus import ServiceBusClient, ServiceBusReceiver, ServiceBusSender
    from azure.servicebus.management import ServiceBusAdministrationClient

FAULTS = (AzureError, DeserializationError)
"""Whatever Azure's clients raise when a call failed, or was answered by something else; Service Bus's are among it."""

UNSETTLED = (*FAULTS, ValueError)
"""The same of settling a message: a receiver whose connection is gone calls that a wrong value. It comes again."""

CONNECTIONS = 16
"""How many groups of a batch are handled at once, and so how many calls are under way."""

_LINKS = ("topic", "queue", "receiver")

CALLS = 3
"""Repeats of a call, with the SDK's own backoff; after that the channel's redelivery is the retry."""
CALL_SECONDS = 10


BUS, BUS_HOST = "TREFOIL_SERVICEBUS", "TREFOIL_SERVICEBUS__fullyQualifiedNamespace"
ADMINISTRATION = "TREFOIL_SERVICEBUS_ADMINISTRATION"
TABLES, TABLES_HOST = "TREFOIL_TABLES", "TREFOIL_TABLES__tableServiceUri"
"""Settings as Azure Functions' own connections are named: a connection string, or where an identity is known."""


class Address(Struct, frozen=True):
    """Where a service is: a connection string with a key in it, or a host, which takes an identity."""

    connection: str = ""
    host: str = ""
    """A name for Service Bus, an address for Tables."""
    administration: str = ""
    """A connection string for Service Bus's administration, where it is not at the same place: an emulator's."""


class Clients:
    """One client a service, and one sender or receiver an entity: to make one takes Service Bus about a second."""

    def __init__(self, bus: Address, tables: Address) -> None:
        self._bus = bus
        self._tables = tables
        self._made: dict[tuple[str, str], Any] = {}
        self._locks: dict[tuple[str, str], Lock] = {}

    @property
    def bus(self) -> "ServiceBusClient":
        """Service Bus."""
        return self._once("bus", "", self._new_bus)  # type: ignore[no-any-return]

    @property
    def administration(self) -> "ServiceBusAdministrationClient":
        """Service Bus's entities, what they hold and whether they deliver."""
        return self._once("administration", "", self._new_administration)  # type: ignore[no-any-return]

    def table(self, name: str) -> "TableClient":
        """A table."""
        return self._once("table", name, lambda: self.tables.get_table_client(name))  # type: ignore[no-any-return]

    @property
    def tables(self) -> "TableServiceClient":
        """The storage account's tables."""
        return self._once("tables", "", self._new_tables)  # type: ignore[no-any-return]

    def topic_sender(self, topic: str) -> "ServiceBusSender":
        """Sends to a topic."""
        return self._once("topic", topic, lambda: self.bus.get_topic_sender(topic))  # type: ignore[no-any-return]

    def queue_sender(self, queue: str) -> "ServiceBusSender":
        """Sends to a queue."""
        return self._once("queue", queue, lambda: self.bus.get_queue_sender(queue))  # type: ignore[no-any-return]

    def receiver(self, queue: str) -> "ServiceBusReceiver":
        """Receives from a queue, and looks into it. Asks for no more than it is told to: nothing is prefetched."""
        # Opened at once: opening counts towards the wait of the call that does it, and takes longer than some.
        return self._once("receiver", queue, lambda: self.bus.get_queue_receiver(queue).__enter__())  # type: ignore[no-any-return]

    def close(self) -> None:
        """Close all connections; senders and receivers at once, for each takes the SDK up to a second."""
        made = [(kind, client) for (kind, _), client in reversed(list(self._made.items()))]
        for kinds in (("administration", "tables"), _LINKS, ("bus",)):
            Pool(CONNECTIONS).run(lambda client: client.close(), [each for kind, each in made if kind in kinds])
        self._made.clear()

    def _once(self, kind: str, name: str, make: Callable[[], Any]) -> Any:
        key = (kind, name)
        if key not in self._made:
            with self._locks.setdefault(key, Lock()):  # one each, for some are made of others
                if key not in self._made:
                    self._made[key] = make()
        return self._made[key]

    def _new_bus(self) -> Any:
        from azure.servicebus import ServiceBusClient  # noqa: PLC0415 - a tick needs no tables, a look no bus

        settings: dict[str, Any] = {"retry_total": CALLS, "retry_backoff_factor": 0.2, "retry_backoff_max": 2}
        if self._bus.connection:
            return ServiceBusClient.from_connection_string(self._bus.connection, **settings)
        return ServiceBusClient(_host(self._bus, BUS_HOST), _identity(), **settings)

    def _new_administration(self) -> Any:
        from azure.servicebus.management import ServiceBusAdministrationClient  # noqa: PLC0415 - for operators

        connection = self._bus.administration or self._bus.connection
        if "UseDevelopmentEmulator=true" in connection:
            from infra.azure.plain_http import PlainHttp  # noqa: PLC0415 - for emulators

            return ServiceBusAdministrationClient.from_connection_string(connection, transport=PlainHttp())
        if connection:
            return ServiceBusAdministrationClient.from_connection_string(connection)
        return ServiceBusAdministrationClient(_host(self._bus, BUS_HOST), _identity())

    def _new_tables(self) -> Any:
        from azure.data.tables import TableServiceClient  # noqa: PLC0415 - see _new_bus

        settings: dict[str, Any] = {"retry_total": CALLS}
        settings |= {"connection_timeout": CALL_SECONDS, "read_timeout": CALL_SECONDS}
        if self._tables.connection:
            return TableServiceClient.from_connection_string(self._tables.connection, **settings)
        return TableServiceClient(_host(self._tables, TABLES_HOST), credential=_identity(), **settings)


def _host(address: Address, setting: str) -> str:
    if not address.host:
        raise ConfigurationError(f"{setting} is not set; it says where the deployment is (docs/azure.md)")
    return address.host


def _identity() -> Any:
    """Whoever this is: a managed identity in a function, the Azure CLI's login on people's machines."""
    try:
        from azure.identity import DefaultAzureCredential  # noqa: PLC0415 - connection strings do without
    except ModuleNotFoundError as error:
        raise ConfigurationError("an identity takes azure-identity: `make azure`, or set connection strings") from error

    return DefaultAzureCredential()
