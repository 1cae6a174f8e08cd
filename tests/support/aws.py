"""A deployment for one test, as Terraform would make it, less what an emulator does not mind: made in a moment."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest

from infra.aws.clients import Clients, with_boto3
from infra.aws.names import Names
from infra.aws.wiring import Aws
from shared.kernel.catalog import Catalog
from shared.kernel.topology_messages import received
from tests.support.aws_emulators import AwsEmulator


def names_for(place: Path) -> Names:
    """Names that one test, and its processes, have to themselves."""
    return Names("t" + blake2b(str(place).encode(), digest_size=6).hexdigest(), "test")


_clients: dict[str, Clients] = {}
"""One set an emulator for all tests: making clients takes longer than most of them."""


def clients_of(endpoint: str) -> Clients:
    """The clients of an emulator that this process uses."""
    return _clients.setdefault(endpoint, Clients(with_boto3))


@contextmanager
def at(emulator: AwsEmulator) -> Iterator[None]:
    """Clients of this process, and of those it starts, go to the emulator."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", emulator.endpoint)
        for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
            patch.setenv(name, emulator.region)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "test")
        if emulator.endpoint not in _clients:
            session = emulator.session()
            session.start()
            _clients[emulator.endpoint] = Clients(lambda: session.boto3.default_session.client)
        yield


def opened(place: Path) -> Aws:
    """The deployment of the test that has this place."""
    return Aws(names_for(place), clients_of(os.environ["AWS_ENDPOINT_URL"]))


def provision(aws: Aws, catalog: Catalog, *, tables: bool = True) -> None:
    """Make topic, queues, subscriptions and tables, unless they are there."""
    if tables:
        make_tables(aws)
    topic = aws.clients.sns.create_topic(Name=aws.names.topic)["TopicArn"]
    for service in catalog.services.values():
        dead = _queue(aws, aws.names.dead(service.name))
        redrive = {"deadLetterTargetArn": dead, "maxReceiveCount": service.limits.deliveries}
        queue = _queue(aws, aws.names.queue(service.name), RedrivePolicy=json.dumps(redrive))
        types = [str(payload.message_type) for payload in received(service)]
        aws.clients.sns.subscribe(
            TopicArn=topic,
            Protocol="sqs",
            Endpoint=queue,
            Attributes={"RawMessageDelivery": "true", "FilterPolicy": json.dumps({"type": types})},
        )


def _queue(aws: Aws, name: str, **attributes: str) -> str:
    aws.clients.sqs.create_queue(QueueName=name, Attributes=attributes)
    return aws.queues.arn(name)


def make_tables(aws: Aws) -> None:
    """The commits and the timers."""
    _make_table(
        aws,
        TableName=aws.names.commits,
        AttributeDefinitions=_attributes(stream="S", version="N"),
        KeySchema=_key("stream", "version"),
    )
    by_due = {"IndexName": "by-due", "KeySchema": _key("shard", "due"), "Projection": {"ProjectionType": "ALL"}}
    _make_table(
        aws,
        TableName=aws.names.timers,
        AttributeDefinitions=_attributes(shard="S", id="S", due="N"),
        KeySchema=_key("shard", "id"),
        LocalSecondaryIndexes=[by_due],
    )


def _make_table(aws: Aws, **table: Any) -> None:
    dynamodb = aws.clients.dynamodb
    with suppress(dynamodb.exceptions.ResourceInUseException):  # another process of the test was first
        dynamodb.create_table(BillingMode="PAY_PER_REQUEST", **table)


def _attributes(**kinds: str) -> list:
    return [{"AttributeName": name, "AttributeType": kind} for name, kind in kinds.items()]


def _key(hash_: str, range_: str) -> list:
    return [{"AttributeName": hash_, "KeyType": "HASH"}, {"AttributeName": range_, "KeyType": "RANGE"}]
