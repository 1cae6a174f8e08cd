"""Commits under construction: what a group of messages will append."""

from shared.kernel.commit import COMMIT_LIMIT, Commit, Emitted, Handled, Key
from shared.kernel.emission import Emitter, Emitting
from shared.kernel.errors import TooLarge
from shared.kernel.message import Emission, Envelope
from shared.kernel.ports import Outgoing, Timer
from shared.kernel.stream import View

GROUP_LIMIT = 100
"""Messages that may share a commit."""

_OVERHEAD = 160  # bytes a handled entry or a message's place takes, but for its ids and body; JSON, measured generously
_ESCAPED = 6  # bytes a character of an id takes at worst: JSON writes control characters as \u0001


class Draft:
    """Collects what handlers returned into commits that fit the store; a group that does not fit is split."""

    def __init__(self, emitter: Emitter, view: View, now: float) -> None:
        self.commits: list[Commit] = []
        self._emitter = emitter
        self._view = view
        self._now = now
        self._begin()

    def _begin(self) -> None:
        self._handled: list[Handled] = []
        self._messages: list[Emitted] = []
        self._released: list[Key] = []
        self._size = _OVERHEAD

    def add(self, handled: Handled, cause: Envelope, emissions: tuple[Emission, ...]) -> list[Outgoing | Timer]:
        """Answer one message; the view's state and memory follow. Return what is to be sent.

        Raises TooLarge when a commit of this message alone would not fit.
        """
        emitting = self._emit(cause, emissions)
        size = _size(handled, emitting)
        if self._handled and (self._size + size > COMMIT_LIMIT or len(self._handled) == GROUP_LIMIT):
            self.close()
            self._begin()
            emitting = self._emit(cause, emissions)
        if self._size + size > COMMIT_LIMIT:
            raise TooLarge(f"what the handler returned takes {size:,} bytes; a commit holds {COMMIT_LIMIT:,}")
        view = self._view
        state = view.state
        for payload in emitting.payloads:
            state = view.folder.fold(state, payload)
        # Nothing below can fail, so a message is in the commit as a whole or not at all.
        view.state = state
        view.remember((handled,), (), (), view.version + 1, self._now)
        self._messages += emitting.stored
        self._handled.append(handled)
        self._size += size
        return emitting.sent

    def _emit(self, cause: Envelope, emissions: tuple[Emission, ...]) -> Emitting:
        view = self._view
        return self._emitter.emit(
            emissions, cause, len(self._handled), view.stream, view.version + 1, len(self._messages), self._now
        )

    def release(self, key: Key) -> None:
        """Give a claim back: its effect did not happen."""
        self._released.append(key)
        self._view.remember((), (), (key,), self._view.version + 1, self._now)

    def close(self) -> None:
        """End the current commit, if anything is in it."""
        if not self._handled and not self._released:
            return
        view = self._view
        snapshot = view.advance(len(self._handled) + len(self._messages), self._size)
        self.commits.append(
            Commit(view.stream, view.version, self._now, self._handled, self._messages, (), self._released, snapshot)
        )


def _size(handled: Handled, emitting: Emitting) -> int:
    ids = len(handled.source) + len(handled.id)
    bodies = sum([_OVERHEAD + len(message.body) for message in emitting.stored])
    return _OVERHEAD + _ESCAPED * ids + bodies
