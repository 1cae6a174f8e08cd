"""The causation tree of a flow: each message, who answered it when, and what came of that."""

from collections.abc import Callable, Iterator

from msgspec import Struct

from shared.kernel.audit import key_of
from shared.kernel.codec import read_own
from shared.kernel.commit import Commit, Handled, Key
from shared.kernel.history import History
from shared.kernel.ports import System

Whereabouts = Callable[[str, Key], str]
"""(service, key) -> `waiting`, `perhaps waiting`, `dead-lettered` or `nowhere`, for what no commit answers."""


class Fate(Struct, frozen=True):
    """What one service made of a message."""

    service: str
    outcome: str
    """`handled`, or where it is instead."""
    time: float | None = None
    """When it was committed, seconds since 1970."""
    caused: "list[Node]" = []


class Node(Struct, frozen=True):
    """A message in the tree."""

    id: str
    type: str
    subject: str
    time: float
    private: bool = False
    due: float | None = None
    fates: list[Fate] = []


def trace(history: History, system: System, start: str) -> list[Node]:
    """The trees that `start` belongs to, from their roots: a subject, or the id of an emitted message.

    Empty when nothing is known of it.
    """
    found = dict.fromkeys(_roots(history, start))
    whereabouts = _Whereabouts(system)
    return [_from_root(history, whereabouts, stream, handled) for stream, handled in found]


def _roots(history: History, start: str) -> Iterator[tuple[str, Handled]]:
    if origin := history.origin(start):
        yield _climb(history, origin)
        return
    for service in history.catalog.services:
        stream = f"{service}/{start}"
        for commit in history.commits(stream):
            for handled in commit.handled:
                origin = history.origin(handled.id, handled.source)
                yield _climb(history, origin) if origin else (stream, handled)


def _climb(history: History, origin: tuple[Commit, int]) -> tuple[str, Handled]:
    """The message from outside that started it all, and the stream that answered it."""
    climbed: set[tuple[str, int]] = set()
    while True:
        commit, index = origin
        cause = commit.handled[commit.messages[index].cause]
        further = history.origin(cause.id, cause.source)
        # Somebody who forges our source could lead us in a circle.
        if further is None or (commit.stream, commit.version) in climbed:
            return commit.stream, cause
        climbed.add((commit.stream, commit.version))
        origin = further


def _from_root(history: History, whereabouts: Whereabouts, stream: str, root: Handled) -> Node:
    service, _, key = stream.partition("/")
    # The payload of a message from outside is not kept, so other services that may have had it can't be asked.
    fate = _fate(history, whereabouts, service, stream, root.key)
    return Node(root.id, root.type, key, root.time, fates=[fate])


def _fate(history: History, whereabouts: Whereabouts, service: str, stream: str | None, key: Key) -> Fate:
    version = history.answered_at(stream, key) if stream else None
    if stream is None or version is None:
        return Fate(service, whereabouts(service, key))
    commit = history.commits(stream)[version - 1]
    return Fate(service, "handled", commit.time, list(_children(history, whereabouts, service, commit, key)))


def _children(history: History, whereabouts: Whereabouts, service: str, commit: Commit, key: Key) -> Iterator[Node]:
    for message in commit.caused_by(key):
        envelope = read_own(message.body)
        fates = [
            _fate(history, whereabouts, name, history.stream_in(name, envelope), (envelope.source, envelope.id))
            for name in history.audience(history.catalog.service(service), message)
        ]
        yield Node(
            envelope.id, envelope.type, envelope.subject, envelope.time.timestamp(), message.private, message.due, fates
        )


class _Whereabouts:
    """Looks into channels and dead letters, once a service."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._known: dict[str, dict[Key, str]] = {}
        self._else: dict[str, str] = {}

    def __call__(self, service: str, key: Key) -> str:
        if service not in self._known:
            self._look(service)
        return self._known[service].get(key, self._else[service])

    def _look(self, service: str) -> None:
        bodies = list(self._system.operations.waiting(service))
        waiting = {key: "waiting" for body in bodies if (key := key_of(body))}
        dead = self._system.dead_letters.parked(service)
        self._known[service] = waiting | {key: "dead-lettered" for letter in dead if (key := key_of(letter.body))}
        depth = self._system.operations.depth(service)
        unseen = not depth.told or depth.held > len(bodies)  # no queue on a cloud shows what waits
        self._else[service] = "perhaps waiting" if unseen else "nowhere"
