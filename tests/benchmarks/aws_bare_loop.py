"""The order flow as a bare boto3 loop that makes Trefoil's calls and nothing else.

The same queries, conditional writes, publishes and threads; but no digest, no deduplication, no state, no retry, no
dead letter, no log, and of validation only what decoding does. It plays answers back instead of computing them.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from infra.aws.clients import CONNECTIONS
from infra.aws.wiring import Aws
from shared.catalog import CATALOG
from shared.kernel.commit import Commit, Emitted
from shared.kernel.message import Envelope
from tests.benchmarks.aws_loop import Loop, Messages
from tests.benchmarks.measure import batches, check
from tests.benchmarks.playback import Playback, encode, leaving, read, read_commit
from tests.benchmarks.script import Script

_PAGE = 64
_ENTRIES = 10

Item = dict[str, dict[str, str]]


class BareLoop(Loop):
    """Poll, decode, query the stream, put, publish, delete."""

    def __init__(self, aws: Aws, services: Sequence[str], batch: int, script: Script) -> None:
        super().__init__(aws, services, batch)
        self._dynamodb, self._sns, self._topic = aws.clients.dynamodb, aws.clients.sns, aws.topic()
        self._names = aws.names
        self._played = Playback(script)
        self._pool = ThreadPoolExecutor(CONNECTIONS)

    def handle(self, service: str, messages: Messages) -> None:
        groups: dict[str, list[Envelope]] = defaultdict(list)
        for each in messages:
            stream, message = self._played.open(service, each["Body"])
            groups[stream].append(message)
        versions = dict(zip(groups, self._each(self._version, groups), strict=True))
        if CATALOG.services[service].at_most_once:
            claims = [self._played.claim(stream, versions[stream] + 1, ms) for stream, ms in groups.items()]
            self._each(self._append, claims)
            versions = {stream: version + 1 for stream, version in versions.items()}
        commits = [self._played.answer(service, stream, versions[stream] + 1, ms) for stream, ms in groups.items()]
        self._each(self._append, commits)
        self._send([each for commit in commits for each in commit.messages])

    def _each(self, step: Callable[[Any], Any], parts: Any) -> list[Any]:
        parts = list(parts)
        return [step(part) for part in parts] if len(parts) < 2 else list(self._pool.map(step, parts))

    def _version(self, stream: str) -> int:
        """The stream's newest version; the commits on its page are decoded, as a state would need them."""
        page = self._dynamodb.query(
            TableName=self._names.commits,
            KeyConditionExpression="#stream = :stream",
            ExpressionAttributeNames={"#stream": "stream"},
            ExpressionAttributeValues={":stream": {"S": stream}},
            ScanIndexForward=False,
            ConsistentRead=True,
            Limit=_PAGE,
        )
        return max((read_commit(item["body"]["S"]).version for item in page["Items"]), default=0)

    def _append(self, commit: Commit) -> None:
        item = {
            "stream": {"S": commit.stream},
            "version": {"N": str(commit.version)},
            "body": {"S": encode(commit).decode()},
        }
        self._put(self._names.commits, item, "stream")

    def _put(self, table: str, item: Item, key: str) -> None:
        self._dynamodb.put_item(
            TableName=table,
            Item=item,
            ConditionExpression="attribute_not_exists(#key)",
            ExpressionAttributeNames={"#key": key},
        )

    def _send(self, emitted: Sequence[Emitted]) -> None:
        self._each(self._publish, batches(leaving(emitted), _ENTRIES))
        for each in emitted:
            if each.due is not None:
                self._set_timer(bytes(each.body), each.due)

    def _publish(self, emitted: Sequence[Emitted]) -> None:
        answer = self._sns.publish_batch(
            TopicArn=self._topic,
            PublishBatchRequestEntries=[
                {"Id": str(number), "Message": bytes(each.body).decode(), "MessageAttributes": _attributes(each)}
                for number, each in enumerate(emitted)
            ],
        )
        check("messages that were not published", len(answer.get("Failed", ())), 0)

    def _set_timer(self, body: bytes, due: float) -> None:
        message = read(body)
        service = message.source.removeprefix("/")
        item = {"shard": "0", "id": message.id, "type": message.type, "subject": message.subject, "to": service}
        texts = {name: {"S": value} for name, value in {**item, "body": body.decode()}.items()}
        self._put(self._names.timers, {**texts, "due": {"N": repr(due)}}, "id")


def _attributes(emitted: Emitted) -> dict[str, Any]:
    message = read(emitted.body)
    return {name: {"DataType": "String", "StringValue": getattr(message, name)} for name in ("type", "subject")}
