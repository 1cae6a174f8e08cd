"""What a handled message asks of Google Cloud: reads, writes and publishes, beside a function as one usually writes it.

A request brings one message, so there are no batches to share a call.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http import HTTPStatus
from pathlib import Path
from time import time
from typing import Any

from functions.gcp.main import Function
from infra.gcp.wiring import Gcp
from shared.kernel.codec import encode, read_own
from tests.benchmarks.counts import a_message, others
from tests.benchmarks.gcp_counts import PUBLISHES, READS, WRITES, Calls, counting
from tests.benchmarks.gcp_emulator import DELIVERIES, MESSAGES, SCRIPT, fresh, output_to, running
from tests.benchmarks.gcp_shop import Deployment, Functions, Request, pushed
from tests.benchmarks.gcp_usual import Payments
from tests.benchmarks.measure import Scale, Table, check
from tests.benchmarks.samples import captures, purchases

SHARE = 100
"""A hundredth of the orders is counted: a count does not drift."""
FLOW, CROWDED = "Trefoil, whole order flow, one at a time", "Trefoil, whole order flow, 10 of a service at once"
PAYMENTS, USUAL = "Trefoil, payments", "as usual, payments"
DAY, BUSY_DAY = "Trefoil, revenue of one day, one at a time", "Trefoil, revenue of one day, 10 at once"
MORE = 10
"""Payments of one day, for each order of the flow: they meet in eight streams."""

NOTES = [
    "Counted at the clients' gRPC channels, on Google's emulators; acknowledging is Pub/Sub's part, and left out.",
    "Firestore bills a document for each that a query finds, and one where it finds none; writes by document.",
    "Revenue of one day: all messages meet in eight streams, and read what lies there back to a snapshot.",
    "Whole order flow: six services, mails and their claims, timers and read models included.",
    "As usual: a document that remembers the message, around a handler that reads its state, writes it and publishes.",
]

Counted = tuple[Calls, int]
"""The calls, and how many messages they were for."""


def measure(scale: Scale, folder: Path) -> list[Table]:
    """Start the emulators and count."""
    with running(folder):
        return count(scale, folder)


def count(scale: Scale, folder: Path) -> list[Table]:
    """A table a kind of call, with a row for each contender."""
    orders = max(scale.orders // SHARE, 1)
    contenders: dict[str, Callable[[Path, int], Counted]] = {
        FLOW: partial(flow, at_once=1),
        CROWDED: partial(flow, at_once=10),
        PAYMENTS: payments,
        USUAL: usual,
        DAY: partial(day, at_once=1),
        BUSY_DAY: partial(day, at_once=10),
    }
    with output_to(folder / "log.jsonl"):
        found = {name: contender(folder, orders) for name, contender in contenders.items()}
    tables = [
        a_message("On Google Cloud: Firestore reads", "calls", found, partial(Calls.count, kinds=READS)),
        a_message("On Google Cloud: documents read", "documents", found, lambda calls: calls.documents),
        a_message("On Google Cloud: Firestore writes", "calls", found, partial(Calls.count, kinds=WRITES)),
        a_message("On Google Cloud: Pub/Sub publishes", "calls", found, partial(Calls.count, kinds=PUBLISHES)),
        a_message("On Google Cloud: written to Firestore", "bytes", found, lambda calls: calls.written),
    ]
    tables[-1].notes.extend([*NOTES, others(found)])
    return tables


def flow(folder: Path, orders: int, at_once: int) -> Counted:
    """All services, what they ignore included."""
    gcp, calls = counted(folder)
    loop = Functions(gcp, at_once)
    loop.send(purchases(orders))
    calls.clear()
    with loop:
        loop.wait(orders * DELIVERIES)
    return calls, orders * MESSAGES


def counted(folder: Path) -> tuple[Deployment, Calls]:
    """A deployment whose functions' calls are counted; what pulls for them has clients that are not."""
    calls = Calls()
    with counting(calls):
        gcp = fresh(Deployment, folder)
    calls.clear()
    return gcp, calls


def payments(folder: Path, orders: int) -> Counted:
    """One service alone, its pushes made by hand."""
    gcp, calls = counted(folder)
    function = Function("payments", gcp)
    _handle(lambda push: function.handle(Request(push)), orders)
    return calls, orders


def day(folder: Path, orders: int, at_once: int) -> Counted:
    """The service whose streams are the hottest: each is an eighth of a day."""
    gcp, calls = counted(folder)
    function = Function("revenue", gcp)
    pushes = [_captured(body) for body in captures(orders * MORE)]
    with ThreadPoolExecutor(at_once) as pool:
        for answer in pool.map(lambda push: function.handle(Request(push)), pushes):
            check("the answer to a payment", answer, HTTPStatus.NO_CONTENT)
    check("messages that were put aside", gcp.channels.deferred, 0)
    return calls, len(pushes)


def _captured(capture: bytes) -> dict[str, Any]:
    """What the payments service answers, as a push."""
    cause = read_own(capture)
    (step,) = SCRIPT["payments", cause.type].steps
    envelope = step.envelope(cause, f"payments/{cause.subject}", 1, 0, time())
    return pushed(encode(envelope), {"type": envelope.type, "subject": envelope.subject})


def usual(folder: Path, orders: int) -> Counted:
    """The peer, beside a deployment of ours and on the same topic."""
    calls = Calls()
    gcp = fresh(Deployment, folder)
    with counting(calls):
        function = peer(gcp)
        _handle(lambda push: function.handle(push)[1], orders)
    return calls, orders


def peer(gcp: Gcp) -> Payments:
    """The function as one usually writes it."""
    return Payments(gcp.clients.project, gcp.names.database, gcp.topics.path(gcp.names.topic))


def _handle(handle: Callable[[Any], int], orders: int) -> None:
    for body in captures(orders):
        message = read_own(body)
        answer = handle(pushed(body, {"type": message.type, "subject": message.subject}))
        check("the answer to a payment", answer, HTTPStatus.NO_CONTENT)
