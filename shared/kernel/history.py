"""Reading history across services: what a message caused, what caused it, who had it (no index: ids name commits)."""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from shared.kernel.catalog import Catalog
from shared.kernel.codec import read_own
from shared.kernel.commit import Commit, Emitted, Key
from shared.kernel.errors import PermanentError, TransientError
from shared.kernel.message import Envelope, Message
from shared.kernel.ports import Store
from shared.kernel.service import Service

_EMITTED_ID = re.compile(
    r"(?P<service>[a-z_]+)/(?P<key>[A-Za-z0-9._~-]+):(?P<version>[0-9]{1,15}):(?P<index>[0-9]{1,9})"
)
_STREAMS_KEPT = 4096


class History:
    """All commits of a system, by stream."""

    def __init__(self, catalog: Catalog, store: Store) -> None:
        self.catalog = catalog
        self._store = store
        self._answers: Callable[[str], dict[Key, int]] = lru_cache(_STREAMS_KEPT)(self._read_answers)

    def commits(self, stream: str) -> list[Commit]:
        """A stream's commits, oldest first."""
        return list(self._store.read(stream))[::-1]

    def emitted(self) -> Iterator[tuple[Service, Commit, Emitted]]:
        """Every message that any service committed."""
        for service in self.catalog.services.values():
            for stream in list(self._store.streams(service.name)):
                for commit in self.commits(stream):
                    for message in commit.messages:
                        yield service, commit, message

    def audience(self, teller: Service, message: Emitted) -> list[str]:
        """The services that are to have an emitted message."""
        if message.private:
            return []
        if message.due is not None:
            return [teller.name]
        return self.catalog.subscribers(read_own(message.body).type)

    def stream_in(self, service: str, envelope: Envelope) -> str | None:
        """The stream of a service that a message belongs to; None when its payload can't be read."""
        try:
            payload = self.catalog.vocabulary.read(envelope.type, envelope.data)
            return self.catalog.service(service).stream(Message[Any](envelope, payload))
        except (PermanentError, TransientError):
            return None

    def answered_at(self, stream: str, key: Key) -> int | None:
        """The version of the commit that answered a message; None when none did."""
        return self._answers(stream).get(key)

    def _read_answers(self, stream: str) -> dict[Key, int]:
        return {m.key: commit.version for commit in self._store.read(stream) for m in commit.handled}

    def origin(self, id_: str, source: str | None = None) -> tuple[Commit, int] | None:
        """The commit that emitted a message, and the message's index in it; None when no service here did.

        A message from outside may have an id that looks like ours; its `source` tells it apart.
        """
        found = _EMITTED_ID.fullmatch(id_)
        if not found or found["service"] not in self.catalog.services:
            return None
        if source not in (None, self.catalog.service(found["service"]).source):
            return None
        version, index = int(found["version"]), int(found["index"])
        commit = next(self._store.read(f"{found['service']}/{found['key']}", version + 1), None)
        if commit is None or commit.version != version or index >= len(commit.messages):
            return None
        return commit, index
