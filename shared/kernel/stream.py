"""A stream as a fold of its commits (Young, "Event Sourcing"), with snapshots and an exact memory of bounded size."""

from collections.abc import Sequence
from typing import Any

import msgspec

from shared.kernel.codec import read_own
from shared.kernel.commit import COMMIT_LIMIT, Commit, Emitted, Handled, Key, Remembered, Snapshot
from shared.kernel.errors import PermanentError
from shared.kernel.message import Payload
from shared.kernel.ports import Store
from shared.kernel.service import Service

SNAPSHOT_EVERY = 50
"""Commits. A snapshot comes sooner when it costs no more than what readers would otherwise read again."""

SNAPSHOT_WORTH = 8
"""Handled ids and messages that are as quickly folded as a snapshot is read."""

NEVER = -1.0

_json = msgspec.json.Encoder()


class Folder:
    """Turns what a service emitted into its state; built once a service."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.initial = service.state()
        self._folds = dict(service.emits)
        self._vocabulary = service.outgoing()
        self._decode_state = msgspec.json.Decoder(service.state).decode

    def fold(self, state: Any, payload: Payload) -> Any:
        """The state after the service emitted `payload`."""
        fold = self._folds[type(payload)]
        return state if fold is None else fold(state, payload)

    def fold_stored(self, state: Any, message: Emitted) -> Any:
        """The state after a stored message.

        Raises UnknownVersion when newer code wrote it, RuntimeError when this code can no longer read it.
        """
        envelope = read_own(message.body)
        try:
            if self._folds[self._vocabulary.payload_class(envelope.type)] is None:
                return state
            return self.fold(state, self._vocabulary.read(envelope.type, envelope.data))
        except PermanentError as error:
            raise RuntimeError(f"'{envelope.id}' in the store can't be read any more: {error}") from error

    def restore(self, snapshot: Snapshot) -> Any:
        """The state in a snapshot."""
        return self._decode_state(snapshot.state)


class View:
    """A stream as it stood when it was loaded, and as the commits planned since would leave it."""

    __slots__ = ("_since", "folder", "forgotten_until", "memory", "state", "stream", "version")

    def __init__(self, folder: Folder, stream: str) -> None:
        self.folder = folder
        self.stream = stream
        self.version = 0
        self.state = folder.initial
        self.memory: dict[Key, Remembered] = {}
        self.forgotten_until = NEVER
        self._since = 0  # what a reader has to take in beyond the last snapshot: ids and messages

    @classmethod
    def load(cls, folder: Folder, store: Store, stream: str) -> "View":
        """Read back to the newest snapshot and fold forward."""
        view = cls(folder, stream)
        commits: list[Commit] = []
        for commit in store.read(stream):
            commits.append(commit)
            if commit.snapshot is not None:
                break
        for commit in reversed(commits):
            view._replay(commit)
        return view

    def _replay(self, commit: Commit) -> None:
        self.version = commit.version
        if commit.snapshot:
            self.state = self.folder.restore(commit.snapshot)
            self.memory = {entry.key: entry for entry in commit.snapshot.memory}
            self.forgotten_until = commit.snapshot.forgotten_until
            return
        for message in commit.messages:
            self.state = self.folder.fold_stored(self.state, message)
        self.remember(commit.handled, commit.claims, commit.released, commit.version, commit.time)
        self._since += len(commit.handled) + len(commit.messages) + len(commit.claims)

    def remember(
        self, handled: Sequence[Handled], claims: Sequence[Handled], released: Sequence[Key], version: int, time: float
    ) -> None:
        """Take in what a commit answers, claims and releases."""
        for key in released:
            self.memory.pop(key, None)
        for m in claims:
            self.memory[m.source, m.id] = Remembered(m.source, m.id, m.digest, m.time, version, time)
        for m in handled:
            self.memory[m.source, m.id] = Remembered(m.source, m.id, m.digest, m.time, version)

    def find(self, store: Store, key: Key, time: float) -> Remembered | None:
        """What is known of a message. Exact whatever the memory's size: older ones are looked up in older commits."""
        known = self.memory.get(key)
        if known or time > self.forgotten_until:
            return known
        return find_in_history(store, self.stream, key)

    def advance(self, weight: int, size: int) -> Snapshot | None:
        """Move on to the next version, which answers and emits `weight` entries in `size` bytes.

        Return a snapshot when one is due and fits beside them; the memory is bounded then.
        """
        self.version += 1
        self._since += weight
        if self._since <= max(len(self.memory), SNAPSHOT_WORTH) and self.version % SNAPSHOT_EVERY:
            return None
        self._forget()
        state = msgspec.Raw(_json.encode(self.state))
        snapshot = Snapshot(state, list(self.memory.values()), self.forgotten_until)
        if size + len(_json.encode(snapshot)) > COMMIT_LIMIT:
            return None
        self._since = 0
        return snapshot

    def _forget(self) -> None:
        surplus = len(self.memory) - self.folder.service.limits.memory
        if surplus <= 0:
            return
        oldest = sorted(self.memory.values(), key=lambda entry: entry.time)[:surplus]
        for entry in oldest:
            del self.memory[entry.key]
        self.forgotten_until = max(self.forgotten_until, oldest[-1].time)


def find_in_history(store: Store, stream: str, key: Key) -> Remembered | None:
    """Search a stream's commits, newest first, for what became of a message."""
    for commit in store.read(stream):
        for entry in commit.handled:
            if entry.key == key:
                return Remembered(entry.source, entry.id, entry.digest, entry.time, commit.version)
        if key in {tuple(released) for released in commit.released}:
            return None
        for entry in commit.claims:
            if entry.key == key:
                return Remembered(entry.source, entry.id, entry.digest, entry.time, commit.version, commit.time)
    return None


def commit_at(store: Store, stream: str, version: int) -> Commit:
    """One commit by its version, which must exist."""
    return next(store.read(stream, before=version + 1))
