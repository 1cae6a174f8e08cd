"""Duplicate detection: ids of messages that came within the window, oldest first."""

from collections.abc import Mapping
from itertools import takewhile

from infra.emulators.servicebus.broker.context import Context
from infra.emulators.servicebus.broker.message import Message


class Duplicates:
    """The history of one entity; with a window of 0 it remembers nothing."""

    def __init__(self, path: str, window: int, context: Context, kept: Mapping[str, int]) -> None:
        self._path = path
        self._window = window
        self._context = context
        self._until = dict(kept)

    def is_one(self, message: Message) -> bool:
        """Whether the same id came before; from now on it is known."""
        if not self._window or message.message_id is None:
            return False
        self._forget()
        message_id = str(message.message_id)
        if message_id in self._until:
            return True
        self._until[message_id] = self._context.now + self._window
        self._context.store.save_message_id(self._path, message_id, self._until[message_id])
        return False

    def _forget(self) -> None:
        # The window is the same for all, so they end in the order in which they came.
        over = [each for each, _ in takewhile(lambda pair: pair[1] <= self._context.now, self._until.items())]
        for each in over:
            del self._until[each]
        if over:
            self._context.store.forget_message_ids(self._path, over)
