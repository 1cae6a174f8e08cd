"""What all entities of a namespace share: the time, the agenda, the store, and the list of what has stirred."""

from collections.abc import Callable
from typing import TYPE_CHECKING
from uuid import UUID

from infra.emulators.servicebus.broker.agenda import Agenda
from infra.emulators.servicebus.broker.store import Store

if TYPE_CHECKING:
    from infra.emulators.servicebus.broker.queue import Queue

Clock = Callable[[], int]
Tokens = Callable[[], UUID]


class Context:
    """Time, in milliseconds since the epoch, stands still between two calls of `advance`."""

    def __init__(self, clock: Clock, tokens: Tokens, store: Store) -> None:
        self.now = clock()
        self.tokens = tokens
        self.store = store
        self.agenda = Agenda()
        self.stirred: dict[Queue, None] = {}
        """Queues in which a receiver may find something new, in the order in which they stirred."""
        self._clock = clock

    def advance(self) -> int:
        """Read the clock, and do what has become due; time never runs backwards."""
        self.now = max(self.now, self._clock())
        self.agenda.run(self.now)
        return self.now
