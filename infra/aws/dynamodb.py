"""The store and the timers on DynamoDB: one conditional PutItem a message, one Query to load."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any
from zlib import crc32

from botocore.exceptions import BotoCoreError, ClientError

from infra.aws.clients import Clients
from shared.kernel.commit import Commit, decode_commit, encode_commit
from shared.kernel.errors import ConcurrencyConflict, StoreUnavailable
from shared.kernel.ports import Outgoing, Timer

PAGE = 64
"""Commits a query reads: enough to reach a snapshot, which about every 50th carries."""

SHARDS = 8
"""DynamoDB writes about 1,000 items a second under one hash key; the tick reads this many."""

BY_DUE = "by-due"

Run = Callable[[Callable[[Timer], None], Iterable[Timer]], None]

# `stream`, `version`, `type`, `to` and other names of ours are reserved words, so each goes by a placeholder.


@contextmanager
def _asking(table: str) -> Iterator[None]:
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise StoreUnavailable(f"DynamoDB, table '{table}': {error}") from error


class DynamoStore:
    """Commits in a table with the key (stream, version); the version's absence is the append's condition."""

    def __init__(self, clients: Clients, table: str) -> None:
        self._clients = clients
        self._table = table

    def append(self, commit: Commit) -> None:
        """See Store.

        When an answer is lost, the SDK asks again and meets its own item: a conflict that the reload explains.
        """
        dynamodb = self._clients.dynamodb
        item = {
            "stream": {"S": commit.stream},
            "version": {"N": str(commit.version)},
            "body": {"S": encode_commit(commit).decode()},  # text, so that the console shows it
        }
        with _asking(self._table):
            try:
                dynamodb.put_item(
                    TableName=self._table,
                    Item=item,
                    ConditionExpression="attribute_not_exists(#stream)",
                    ExpressionAttributeNames={"#stream": "stream"},
                )
            except dynamodb.exceptions.ConditionalCheckFailedException as error:
                raise ConcurrencyConflict(f"version {commit.version} of '{commit.stream}' is taken") from error

    def read(self, stream: str, before: int | None = None) -> Iterator[Commit]:
        """See Store."""
        bound = "" if before is None else " and #version < :before"
        values = {":stream": {"S": stream}} | ({} if before is None else {":before": {"N": str(before)}})
        names = {"#stream": "stream"} | ({} if before is None else {"#version": "version"})
        pages = self._clients.dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="#stream = :stream" + bound,
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=values,
            ScanIndexForward=False,
            ConsistentRead=True,
            PaginationConfig={"PageSize": PAGE},
        )
        with _asking(self._table):
            for page in pages:
                for item in page["Items"]:
                    yield decode_commit(item["body"]["S"].encode())

    def streams(self, service: str) -> Iterator[str]:
        """See Store. Reads the whole table, which costs as much as it holds: for audits, not for handlers."""
        pages = self._clients.dynamodb.get_paginator("scan").paginate(
            TableName=self._table,
            ProjectionExpression="#stream",
            FilterExpression="#version = :first and begins_with(#stream, :service)",
            ExpressionAttributeNames={"#stream": "stream", "#version": "version"},
            ExpressionAttributeValues={":first": {"N": "1"}, ":service": {"S": f"{service}/"}},
        )
        with _asking(self._table):
            for page in pages:
                for item in page["Items"]:
                    yield item["stream"]["S"]

    def flush(self) -> None:
        """See Store."""


class DynamoTimers:
    """Timers in a table of their own, spread over shards; a local index orders each shard by time."""

    def __init__(self, clients: Clients, table: str, run: Run) -> None:
        self._clients = clients
        self._table = table
        self._run = run

    def set(self, timers: Sequence[Timer]) -> None:
        """See Timers."""
        self._run(self._set, timers)

    def _set(self, timer: Timer) -> None:
        dynamodb, message = self._clients.dynamodb, timer.message
        item = {
            **_key(message.id),
            "due": {"N": repr(timer.due)},
            "type": {"S": message.type},
            "subject": {"S": message.subject},
            "body": {"S": message.body.decode()},
        }
        if message.to:
            item["to"] = {"S": message.to}
        with _asking(self._table), suppress(dynamodb.exceptions.ConditionalCheckFailedException):
            dynamodb.put_item(
                TableName=self._table,
                Item=item,
                ConditionExpression="attribute_not_exists(#id)",
                ExpressionAttributeNames={"#id": "id"},
            )

    def due(self, now: float, limit: int) -> list[Timer]:
        """See Timers."""
        found = [timer for shard in range(SHARDS) for timer in self._due(str(shard), now, limit)]
        return sorted(found, key=lambda timer: timer.due)[:limit]

    def _due(self, shard: str, now: float, limit: int) -> Iterator[Timer]:
        with _asking(self._table):
            pages = self._clients.dynamodb.get_paginator("query").paginate(
                TableName=self._table,
                IndexName=BY_DUE,
                KeyConditionExpression="#shard = :shard and #due <= :now",
                ExpressionAttributeNames={"#shard": "shard", "#due": "due"},
                ExpressionAttributeValues={":shard": {"S": shard}, ":now": {"N": repr(now)}},
                ConsistentRead=True,
                PaginationConfig={"MaxItems": limit, "PageSize": limit},
            )
            for page in pages:
                for item in page["Items"]:
                    yield _timer(item)

    def remove(self, timers: Sequence[Timer]) -> None:
        """See Timers."""
        self._run(self._remove, timers)

    def _remove(self, timer: Timer) -> None:
        with _asking(self._table):
            self._clients.dynamodb.delete_item(TableName=self._table, Key=_key(timer.message.id))

    def all(self) -> Iterator[Timer]:
        """Every timer that is set, due or not; reads the whole table."""
        with _asking(self._table):
            for page in self._clients.dynamodb.get_paginator("scan").paginate(TableName=self._table):
                for item in page["Items"]:
                    yield _timer(item)


def _key(id_: str) -> dict[str, dict[str, str]]:
    return {"shard": {"S": str(crc32(id_.encode()) % SHARDS)}, "id": {"S": id_}}


def _timer(item: Mapping[str, Any]) -> Timer:
    to = item["to"]["S"] if "to" in item else None
    message = Outgoing(item["id"]["S"], item["type"]["S"], item["subject"]["S"], item["body"]["S"].encode(), to)
    return Timer(float(item["due"]["N"]), message)
