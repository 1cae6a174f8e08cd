"""The order flow with Trefoil's calls of Azure's clients and nothing else, in as many threads.

The same queries, inserts, transactions and sends; but no digest, no deduplication, no state, no retry, no dead letter,
no log, and of validation only what decoding does. It plays answers back instead of computing them.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

from azure.servicebus import ServiceBusMessage
from msgspec import Raw

from infra.azure.clients import CALL_SECONDS, CONNECTIONS
from infra.azure.tables import PAGE
from infra.azure.wiring import Azure
from shared.catalog import CATALOG
from shared.kernel.commit import Commit, Emitted
from shared.kernel.message import Envelope
from tests.benchmarks.playback import Playback, encode, leaving, read, read_commit
from tests.benchmarks.script import Script

_NEWEST = 10**10
_JSON = "application/cloudevents+json"


class Bare:
    """Decode, query the streams, insert, send."""

    def __init__(self, azure: Azure, script: Script) -> None:
        self._azure = azure
        self._commits = azure.clients.table(azure.names.commits)
        self._timers = azure.clients.table(azure.names.timers)
        self._played = Playback(script)
        self._pool = ThreadPoolExecutor(CONNECTIONS)

    def handle(self, service: str, bodies: Sequence[bytes]) -> None:
        """Do what a batch asks for."""
        groups: dict[str, list[Envelope]] = defaultdict(list)
        for body in bodies:
            stream, message = self._played.open(service, body)
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
        found = self._commits.query_entities(
            "PartitionKey eq @stream", parameters={"stream": stream.replace("/", ":", 1)}, results_per_page=PAGE
        )
        return max((read_commit(entity["body00"]).version for entity in islice(found, PAGE)), default=0)

    def _append(self, commit: Commit) -> None:
        key = {"PartitionKey": commit.stream.replace("/", ":", 1), "RowKey": f"{_NEWEST - commit.version:010d}"}
        self._commits.create_entity({**key, "body00": encode(commit).decode()})

    def _send(self, emitted: Sequence[Emitted]) -> None:
        if letters := [_letter(each) for each in leaving(emitted)]:
            sender = self._azure.clients.topic_sender(self._azure.names.topic)
            sender.send_messages(letters, timeout=CALL_SECONDS)
        for each in emitted:
            if each.due is not None:
                self._set_timer(each.body, each.due)

    def _set_timer(self, body: Raw, due: float) -> None:
        message = read(body)
        row = {
            "PartitionKey": "0",
            "RowKey": f"due-{int(due * 1000):016d}-{message.id.replace('/', '%2F')}",
            "id": message.id,
            "due": due,
            "type": message.type,
            "subject": message.subject,
            "to": message.source.removeprefix("/"),
            "body00": bytes(body).decode(),
        }
        known = {"PartitionKey": "0", "RowKey": f"id-{message.id.replace('/', '%2F')}", "row": row["RowKey"]}
        self._timers.submit_transaction([("create", known), ("create", row)])


def _letter(emitted: Emitted) -> ServiceBusMessage:
    message = read(emitted.body)
    return ServiceBusMessage(
        bytes(emitted.body),
        message_id=message.id,
        application_properties={"type": message.type, "subject": message.subject},
        content_type=_JSON,
        subject=message.subject,
    )
