"""A deployment for one test, as Terraform would make it, less what an emulator does not mind: made in a moment."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import ResourceExistsError
from azure.servicebus.management import SqlRuleFilter

from infra.azure.names import Names
from infra.azure.wiring import Azure, function
from shared.kernel.catalog import Catalog
from shared.kernel.topology_messages import received

LOCK = timedelta(seconds=2)
"""How long a message is locked: as long as the contract's shortest lease, and what a test does meanwhile."""


def names_for(place: Path) -> Names:
    """Names that one test, and its processes, have to themselves."""
    return Names("t" + blake2b(str(place).encode(), digest_size=6).hexdigest(), "test")


@contextmanager
def at_azure(servicebus: Any, azurite: Any) -> Iterator[None]:
    """Clients of this process, and of those it starts, go to the emulators."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**servicebus.exports, **azurite.exports}.items():
            patch.setenv(name, value)
        yield


@contextmanager
def opened(place: Path) -> Iterator[Azure]:
    """The deployment of the test that has this place. Each link is a connection and a thread, so they are closed."""
    clients = function().clients
    try:
        yield Azure(names_for(place), clients)
    finally:
        clients.close()


def provision(azure: Azure, catalog: Catalog, lock: timedelta = LOCK) -> None:
    """Make topic, queues, subscriptions and tables, unless they are there."""
    names, administration = azure.names, azure.clients.administration
    for table in (names.commits, names.timers):
        azure.clients.tables.create_table_if_not_exists(table)
    with suppress(ResourceExistsError):  # another process of the test was first
        administration.create_topic(names.topic)
        for service in catalog.services.values():
            queue, dead = names.queue(service.name), names.dead(service.name)
            administration.create_queue(dead, max_delivery_count=2000, lock_duration=timedelta(minutes=5))
            administration.create_queue(
                queue,
                max_delivery_count=service.limits.deliveries,
                lock_duration=lock,
                forward_dead_lettered_messages_to=dead,
            )
            administration.create_subscription(names.topic, service.name, forward_to=queue)
            types = ", ".join(f"'{payload.message_type}'" for payload in received(service))
            rule = SqlRuleFilter(f"type IN ({types})")
            administration.create_rule(names.topic, service.name, "types", filter=rule)
            administration.delete_rule(names.topic, service.name, "$Default")
