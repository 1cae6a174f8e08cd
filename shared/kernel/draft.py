"""Commits under construction: what a group of messages will append."""

from collections.abc import Iterable

from shared.kernel.commit import COMMIT_LIMIT, Commit, Emitted, Handled, Key
from shared.kernel.emission import Emitter
from shared.kernel.errors import TooLarge
from shared.kernel.message import Emission, Envelope, Payload
from shared.kernel.stream import View

GROUP_LIMIT = 100
"""Messages that may share a commit."""

_OVERHEAD = 160  # bytes a handled entry or a message's place takes, but for its ids and body; JSON, measured generously


class Draft:
    """Collects what handlers returned into commits that fit the store; a group that does not fit is split."""

    def __init__(self, emitter: Emitter, view: View, now: float) -> None:
        self.commits: list[Commit] = []
        self._emitter = emitter
        self._view = view
        self._now = now
        self._begin()

    def _begin(self) -> None:
        self._version = self._view.version + 1
        self._handled: list[Handled] = []
        self._messages: list[Emitted] = []
        self._released: list[Key] = []
        self._size = _OVERHEAD

    def add(self, handled: Handled, cause: Envelope, emissions: Iterable[Emission]) -> list[Emitted]:
        """Answer one message; the view's state and memory follow.

        Raises TooLarge when a commit of this message alone would not fit.
        """
        emissions = tuple(emissions)
        if len(self._handled) == GROUP_LIMIT:
            self.close()
        emitted, size = self._emit(handled, cause, emissions)
        if self._size + size > COMMIT_LIMIT and self._handled:
            self.close()
            emitted, size = self._emit(handled, cause, emissions)
        if self._size + size > COMMIT_LIMIT:
            raise TooLarge(f"what the handler returned takes {size:,} bytes; a commit holds {COMMIT_LIMIT:,}")
        view = self._view
        state = view.state
        for _, payload in emitted:
            state = view.folder.fold(state, payload)
        # Nothing below can fail, so a message is in the commit as a whole or not at all.
        view.state = state
        view.remember((handled,), (), (), self._version, self._now)
        messages = [message for message, _ in emitted]
        self._messages += messages
        self._handled.append(handled)
        self._size += size
        return messages

    def _emit(
        self, handled: Handled, cause: Envelope, emissions: Iterable[Emission]
    ) -> tuple[list[tuple[Emitted, Payload]], int]:
        emitted = []
        size = _OVERHEAD + len(handled.source) + len(handled.id)
        index = len(self._messages)
        for emission in emissions:
            message, payload = self._emitter.emit(
                emission, cause, len(self._handled), self._view.stream, self._version, index, self._now
            )
            emitted.append((message, payload))
            size += _OVERHEAD + len(message.body)
            index += 1
        return emitted, size

    def release(self, key: Key) -> None:
        """Give a claim back: its effect did not happen."""
        self._released.append(key)
        self._view.remember((), (), (key,), self._version, self._now)

    def close(self) -> None:
        """End the current commit, if anything is in it."""
        if self._handled or self._released:
            commit = Commit(
                self._view.stream,
                self._version,
                self._now,
                self._handled,
                self._messages,
                released=self._released,
            )
            self.commits.append(self._view.close(commit, self._size))
            self._begin()


