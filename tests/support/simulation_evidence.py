"""What a run left behind, read back from the store, the dead letters and the bus."""

from collections import Counter, defaultdict
from typing import Any

import msgspec

from shared.kernel.catalog import Catalog
from shared.kernel.codec import decode, digest, read_own
from shared.kernel.commit import Commit, Emitted, Handled
from shared.kernel.message import Envelope, Payload
from tests.support.simulation_world import World


class Fact:
    """One emitted message, where it stands."""

    def __init__(self, service: str, commit: Commit, message: Emitted, catalog: Catalog) -> None:
        self.service = service
        self.commit = commit
        self.message = message
        self.envelope: Envelope = read_own(message.body)
        self.data: Payload = catalog.vocabulary.read(self.envelope.type, self.envelope.data)
        self.subject = self.envelope.subject

    @property
    def cause(self) -> Handled | None:
        """The handled message that it names as its cause; None when the commit has no such place."""
        handled = self.commit.handled
        return handled[self.message.cause] if 0 <= self.message.cause < len(handled) else None


class Copy(msgspec.Struct, frozen=True):
    """A message as a service was to have it."""

    service: str
    source: str
    id: str
    digest: str


class Evidence:
    """Everything that was committed, given up and sent."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.streams: dict[str, list[Commit]] = {}
        self.facts: list[Fact] = []
        self.by_type: dict[type[Payload], list[Fact]] = defaultdict(list)
        self.handled: Counter[tuple[str, str, str]] = Counter()
        self.answered: set[Copy] = set()
        for service in world.catalog.services:
            for stream in world.store.streams(service):
                self._read(service, stream)
        self.letters = world.letters()
        self.given_up = {copy_of(letter.service, letter.body): letter.failure.reason for letter in self.letters}

    def _read(self, service: str, stream: str) -> None:
        commits = self.streams[stream] = list(self.world.store.read(stream))[::-1]
        for commit in commits:
            for entry in commit.handled:
                self.handled[service, entry.source, entry.id] += 1
                self.answered.add(Copy(service, entry.source, entry.id, entry.digest))
            for message in commit.messages:
                fact = Fact(service, commit, message, self.world.catalog)
                self.facts.append(fact)
                self.by_type[type(fact.data)].append(fact)

    def about(self, payload: type[Payload], subject: str) -> list[Any]:
        """The payloads of a type that were emitted about a subject."""
        return [fact.data for fact in self.by_type[payload] if fact.subject == subject]


def copy_of(service: str, body: bytes) -> Copy:
    """What the receiver will know it by."""
    envelope = decode(body)
    return Copy(service, envelope.source, envelope.id, digest(envelope, envelope.time.timestamp()))
