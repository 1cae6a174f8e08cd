"""What a handled message asks of AWS: reads, writes and publishes, beside powertools' idempotency."""

from collections.abc import Callable
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any

from functions.aws.handler import Function
from infra.aws.wiring import Aws
from shared.catalog import CATALOG
from tests.benchmarks.aws_counts import PUBLISHES, READS, WRITES, Calls
from tests.benchmarks.aws_emulator import fresh, running
from tests.benchmarks.aws_powertools import Payments
from tests.benchmarks.aws_shop import Deployment, Functions
from tests.benchmarks.counts import a_message, others
from tests.benchmarks.measure import Scale, Table, batches, check
from tests.benchmarks.powertools import event
from tests.benchmarks.samples import captures, purchases
from tests.benchmarks.script import note
from tests.support.aws_pump import Context

BATCHES = (1, 10)
SHARE = 20
"""A twentieth of the orders is counted: a count does not drift."""
FLOW, PAYMENTS, POWERTOOLS = "Trefoil, whole order flow", "Trefoil, payments", "powertools, payments"

NOTES = [
    "Counted at botocore's events, on MiniStack; a batch of entries is one publish, a page of a query one read.",
    "Whole order flow: six services, mails and their claims, timers and read models included.",
    "powertools: idempotency in DynamoDB around a handler that reads its state, writes it and publishes.",
]

Counted = tuple[Calls, int]
"""The calls, and how many messages they were for."""


def measure(scale: Scale, folder: Path) -> list[Table]:
    """Start an emulator and count."""
    with running(folder):
        return count(scale, folder)


def count(scale: Scale, folder: Path) -> list[Table]:
    """A table a kind of call, with a row for each contender and size of batch."""
    orders = max(scale.orders // SHARE, 1)
    contenders: dict[str, Callable[[Path, int, int], Counted]] = {
        FLOW: _flow,
        PAYMENTS: payments,
        POWERTOOLS: _powertools,
    }
    log = folder / "log.jsonl"
    with log.open("a") as file, redirect_stdout(file):
        found = {
            f"{name}, batches of {batch}": contender(folder, orders, batch)
            for name, contender in contenders.items()
            for batch in BATCHES
        }
    log.unlink()
    tables = [
        a_message("On AWS: DynamoDB reads", "calls", found, partial(Calls.count, kinds=READS)),
        a_message("On AWS: DynamoDB writes", "calls", found, partial(Calls.count, kinds=WRITES)),
        a_message("On AWS: SNS publishes", "calls", found, partial(Calls.count, kinds=PUBLISHES)),
        a_message("On AWS: written to DynamoDB", "bytes", found, lambda calls: calls.written),
    ]
    tables[-1].notes.extend([*NOTES, others(found)])
    return tables


def _flow(folder: Path, orders: int, batch: int) -> Counted:
    """The pollers have clients of their own, which are not counted."""
    aws = fresh(Deployment, folder)
    calls = counted(aws)
    script = note(CATALOG)
    loop = Functions(aws, sorted({service for service, _ in script}), batch)
    loop.send(purchases(orders))
    calls.clear()
    loop.run()
    check("messages of the order flow", loop.handled, orders * len(script))
    return calls, loop.handled


def counted(aws: Aws) -> Calls:
    """The calls of a deployment's functions; its SQS client is Lambda's as well, and is left out."""
    return Calls(aws.clients.dynamodb, aws.clients.sns, aws.clients.sts)


def payments(folder: Path, orders: int, batch: int) -> Counted:
    """One service alone, its events made by hand."""
    aws = fresh(Deployment, folder)
    function = Function("payments", aws)
    calls = Calls(aws.clients.dynamodb, aws.clients.sns, aws.clients.sqs, aws.clients.sts)
    return _handle(function.handle, calls, orders, batch)


def _powertools(folder: Path, orders: int, batch: int) -> Counted:
    function = peer(fresh(Deployment, folder))
    return _handle(function.handle, Calls(function.dynamodb, function.sns), orders, batch)


def peer(aws: Aws) -> Payments:
    """The function on powertools, beside a deployment of ours and on the same topic."""
    states, ids = f"{aws.names.commits}-states", f"{aws.names.commits}-ids"
    _make_table(aws, states, "order")
    _make_table(aws, ids, "id")
    return Payments(states, ids, aws.topic())


def _make_table(aws: Aws, name: str, key: str) -> None:
    aws.clients.dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
        KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
    )


def _handle(handle: Callable[[Any, Any], Any], calls: Calls, orders: int, batch: int) -> Counted:
    for bodies in batches(captures(orders), batch):
        check("payments that failed", len(handle(event(bodies), Context())["batchItemFailures"]), 0)
    return calls, orders
