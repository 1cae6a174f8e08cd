"""The order flow with Trefoil's calls of Google's clients and nothing else: the same query, creates and publish.

No digest, no deduplication, no state, no retry, no dead letter, no log; it plays answers back.
"""

from collections.abc import Sequence
from itertools import count
from random import random
from time import sleep
from typing import Any
from urllib.parse import quote

from google.api_core.exceptions import AlreadyExists
from google.cloud.firestore import Query
from google.pubsub_v1 import PubsubMessage

from infra.gcp.clients import CALL_SECONDS, PATIENCE
from infra.gcp.firestore import PAGE
from infra.gcp.wiring import Gcp
from shared.catalog import CATALOG
from shared.kernel.backoff import CONFLICT
from shared.kernel.commit import Commit, Emitted
from shared.kernel.message import Envelope
from tests.benchmarks.gcp_emulator import SCRIPT
from tests.benchmarks.gcp_loop import Loop
from tests.benchmarks.playback import Playback, encode, leaving, read, read_commit

_CALL: dict[str, Any] = {"retry": PATIENCE, "timeout": CALL_SECONDS}


class Bare:
    """Decode, query the stream, create, publish; one message at a time."""

    def __init__(self, gcp: Gcp) -> None:
        self._clients = gcp.clients
        self._topic = gcp.topics.path(gcp.names.topic)
        self._played = Playback(SCRIPT)

    def handle(self, service: str, body: bytes) -> bool:
        """Do what a message asks for; whether it is one of the service's."""
        if (service, read(body).type) not in SCRIPT:
            return False
        stream, message = self._played.open(service, body)
        commit = self._committed(service, stream, message)
        self._publish(leaving(commit.messages))
        for each in commit.messages:
            if each.due is not None:
                self._set_timer(bytes(each.body), each.due)
        return True

    def _committed(self, service: str, stream: str, message: Envelope) -> Commit:
        """The commit, and a claim before it where that is due; once more whenever others were faster."""
        for attempt in count(1):
            version = self._version(stream) + 1
            try:
                if CATALOG.services[service].at_most_once:
                    self._append(self._played.claim(stream, version, [message]))
                    version += 1
                commit = self._played.answer(service, stream, version, [message])
                self._append(commit)
            except AlreadyExists:
                sleep(CONFLICT.wait(attempt, random))
            else:
                break
        return commit

    def _commits(self, stream: str) -> Any:
        return self._clients.firestore.collection("streams", stream.replace("/", ":", 1), "commits")

    def _version(self, stream: str) -> int:
        """The stream's newest version; the commits on its page are decoded, as a state would need them."""
        query = self._commits(stream).order_by("version", direction=Query.DESCENDING).select(["body"]).limit(PAGE)
        page = [found.to_dict() for found in query.stream(**_CALL)]
        return max((read_commit(fields["body"]).version for fields in page), default=0)

    def _append(self, commit: Commit) -> None:
        fields: dict[str, Any] = {"version": commit.version, "body": encode(commit).decode()}
        if commit.version == 1:
            fields["stream"] = commit.stream
        self._commits(commit.stream).document(str(commit.version)).create(fields, **_CALL)

    def _publish(self, emitted: Sequence[Emitted]) -> None:
        messages = [PubsubMessage(data=bytes(each.body), attributes=_attributes(each)) for each in emitted]
        if messages:
            self._clients.publisher.publish(topic=self._topic, messages=messages, **_CALL)

    def _set_timer(self, body: bytes, due: float) -> None:
        message = read(body)
        service = message.source.removeprefix("/")
        told = {"id": message.id, "type": message.type, "subject": message.subject, "to": service, "body": body}
        timers = self._clients.firestore.collection("timers", "0", "due")
        timers.document(quote(message.id, safe=":")).create({"due": due, **told}, **_CALL)


class BareLoop(Loop):
    """By pulling."""

    def __init__(self, gcp: Gcp, batch: int) -> None:
        super().__init__(gcp, batch)
        self._bare = Bare(gcp)

    def handle(self, service: str, message: Any) -> None:
        self._bare.handle(service, message.data)


def _attributes(emitted: Emitted) -> dict[str, str]:
    message = read(emitted.body)
    return {"type": message.type, "subject": message.subject}
