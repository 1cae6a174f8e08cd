"""What a handled message asks of Azure: reads, writes and sends, beside a function as one usually writes it."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from azure.servicebus import ServiceBusMessage, ServiceBusReceivedMessage

from functions.azure.function_app import Function
from infra.azure.clients import Clients
from shared.kernel.codec import read_own
from tests.benchmarks.azure_counts import PUBLISHES, READS, WRITES, Calls, counting
from tests.benchmarks.azure_emulator import MESSAGES, fresh, running
from tests.benchmarks.azure_shop import Deployment, Functions, logging_to, triggered
from tests.benchmarks.azure_usual import Payments
from tests.benchmarks.counts import a_message, others
from tests.benchmarks.measure import Scale, Table, batches, check
from tests.benchmarks.samples import captures, purchases
from tests.support.azure_wire import bytes_of

BATCHES = (1, 10)
SHARE = 20
"""A twentieth of the orders is counted: a count does not drift."""
FLOW, PAYMENTS, USUAL = "Trefoil, whole order flow", "Trefoil, payments", "as usual, payments"

NOTES = [
    "Counted at the SDKs' ends, on emulators; receiving and completing is the host's part, and left out.",
    "A batch of messages is one send, a transaction of entities one write, a page of a query one read.",
    "Whole order flow: six services, mails and their claims, timers and read models included.",
    "As usual: an entity that remembers the message, around a handler that reads its state, writes it and sends.",
]

Counted = tuple[Calls, int]
"""The calls, and how many messages they were for."""


def measure(scale: Scale, folder: Path) -> list[Table]:
    """Start the emulators and count."""
    with running(folder) as clients:
        return count(scale, folder, clients)


def count(scale: Scale, folder: Path, clients: Clients) -> list[Table]:
    """A table a kind of call, with a row for each contender and size of batch."""
    orders = max(scale.orders // SHARE, 1)
    contenders: dict[str, Callable[[Clients, int, int], Counted]] = {FLOW: flow, PAYMENTS: payments, USUAL: usual}
    with logging_to(folder / "functions.log"):
        found = {
            f"{name}, batches of {batch}": contender(clients, orders, batch)
            for name, contender in contenders.items()
            for batch in BATCHES
        }
    tables = [
        a_message("On Azure: Tables reads", "calls", found, partial(Calls.count, kinds=READS)),
        a_message("On Azure: Tables writes", "calls", found, partial(Calls.count, kinds=WRITES)),
        a_message("On Azure: Service Bus sends", "calls", found, partial(Calls.count, kinds=PUBLISHES)),
        a_message("On Azure: written to Tables", "bytes", found, lambda calls: calls.written),
    ]
    tables[-1].notes.extend([*NOTES, others(found)])
    return tables


def flow(clients: Clients, orders: int, batch: int) -> Counted:
    """All services."""
    loop, calls = Functions(fresh(Deployment, clients), batch), Calls()
    loop.open()
    loop.send(purchases(orders))
    with counting(calls):
        loop.run()
    check("messages of the order flow", loop.handled, orders * MESSAGES)
    return calls, loop.handled


def payments(clients: Clients, orders: int, batch: int) -> Counted:
    """One service alone, its messages made by hand."""
    return _handle(Function("payments", fresh(Deployment, clients, alone=True)).handle, orders, batch)


def usual(clients: Clients, orders: int, batch: int) -> Counted:
    """The peer, beside a deployment of ours."""
    return _handle(peer(clients).handle, orders, batch)


def peer(clients: Clients) -> Payments:
    """The function as one usually writes it; its two tables are those of a deployment of ours."""
    names = fresh(Deployment, clients, alone=True).names
    return Payments(clients.table(names.commits), clients.table(names.timers), clients.topic_sender(names.topic))


def _handle(handle: Callable[[Any], None], orders: int, batch: int) -> Counted:
    calls = Calls()
    with counting(calls):
        for bodies in batches(captures(orders), batch):
            handle(triggered([as_received(body) for body in bodies]))
    return calls, orders


def as_received(body: bytes) -> ServiceBusReceivedMessage:
    """A command in the form in which it is received."""
    told = read_own(body)
    message = ServiceBusMessage(body, message_id=told.id, application_properties={"type": told.type})
    return ServiceBusReceivedMessage.from_bytes(bytes_of(message))
