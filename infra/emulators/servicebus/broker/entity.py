"""What queues and topics have in common: sequence numbers, messages scheduled for later, duplicate detection."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Protocol

from infra.emulators.servicebus.broker.context import Context
from infra.emulators.servicebus.broker.duplicates import Duplicates
from infra.emulators.servicebus.broker.errors import EntityNotFound, MessageNotFound, MessageTooLarge
from infra.emulators.servicebus.broker.message import SENT, Entry, Journey, Message, State
from infra.emulators.servicebus.broker.store import Kept


class Destination(Protocol):
    """Where messages can be forwarded to."""

    @property
    def path(self) -> str:
        """What it is called."""

    def check(self, message: Message) -> None:
        """Raise BrokerError if the message can't be taken."""

    def arrive(self, message: Message, journey: Journey) -> None:
        """Take a message from another entity."""


class Numbers:
    """Sequence numbers of one entity: 1, 2, 3 and so on, also after a restart."""

    def __init__(self, path: str, context: Context, last: int) -> None:
        self._path = path
        self._context = context
        self._last = last

    def next(self) -> int:
        """One that was never given before."""
        self._last += 1
        self._context.store.save_number(self._path, self._last)
        return self._last


class Schedule:
    """Messages that are not there yet. One that becomes due gets a new number, as if it had been sent just then."""

    def __init__(self, path: str, context: Context, numbers: Numbers, due: Callable[[Message], int]) -> None:
        self._path = path
        self._context = context
        self._numbers = numbers
        self._due = due
        self.entries: dict[int, Entry] = {}
        self.bytes = 0

    def add(self, message: Message) -> int:
        """Keep a message until its time; returns the number by which it can be cancelled."""
        number = self._numbers.next()
        entry = Entry(number, message, self._context.now, number, State.SCHEDULED)
        self._context.store.save(self._path, entry)
        self.restore(entry)
        return number

    def restore(self, entry: Entry) -> None:
        """Have one again that the store has kept."""
        self.entries[entry.number] = entry
        self.bytes += entry.message.size
        self._context.agenda.at(entry.message.scheduled_for or 0, partial(self._release, entry.number))

    def cancel(self, numbers: Iterable[int]) -> None:
        """Forget messages; raises MessageNotFound, and forgets none, when one of them is not to be had any more."""
        wanted = list(numbers)
        if missing := [number for number in wanted if number not in self.entries]:
            raise MessageNotFound(f"'{self._path}' has no scheduled message with the sequence number {missing[0]}.")
        for number in wanted:
            self._remove(number)

    def _release(self, number: int) -> None:
        if number in self.entries:
            self._due(self._remove(number).message)

    def _remove(self, number: int) -> Entry:
        entry = self.entries.pop(number)
        self.bytes -= entry.message.size
        self._context.store.remove(self._path, number)
        return entry


class Entity:
    """The way in, for senders."""

    def __init__(self, path: str, context: Context, kept: Kept, duplicate_window: int, most_bytes: int) -> None:
        self.path = path
        self.gone = False
        """It was removed."""
        self._context = context
        self._most_bytes = most_bytes
        self._numbers = Numbers(path, context, kept.last_number)
        self._duplicates = Duplicates(path, duplicate_window, context, kept.message_ids)
        self.schedule = Schedule(path, context, self._numbers, lambda message: self._enqueue(message, SENT))

    def send(self, messages: Sequence[Message]) -> list[int]:
        """Take all of a batch, or raise BrokerError and take none.

        Returns a number for each; that of a scheduled one can cancel it.
        """
        self._context.advance()
        for message in messages:
            self.check(message)
        return [self._accept(message) for message in messages]

    def cancel(self, numbers: Iterable[int]) -> None:
        """Cancel scheduled messages; raises MessageNotFound, and cancels none, when one has been enqueued already."""
        self._context.advance()
        self.schedule.cancel(numbers)

    def arrive(self, message: Message, journey: Journey) -> None:
        """Take a message from another entity."""
        if not self._duplicates.is_one(message):
            self._enqueue(message, journey)

    def check(self, message: Message) -> None:
        """Raise BrokerError if the message can't be taken."""
        if self.gone:
            raise EntityNotFound(f"'{self.path}' was removed.")
        if message.size > self._most_bytes:
            raise MessageTooLarge(
                f"The message has {message.size} bytes; '{self.path}' takes at most {self._most_bytes}."
            )

    def end(self) -> None:
        """It is removed: what it holds is forgotten, and nothing is taken any more."""
        self.gone = True
        self.schedule.entries.clear()
        self._context.store.forget(self.path)

    def _accept(self, message: Message) -> int:
        if self._duplicates.is_one(message):
            return 0
        if (message.scheduled_for or 0) > self._context.now:
            return self.schedule.add(message)
        return self._enqueue(message, SENT)

    def _enqueue(self, message: Message, journey: Journey) -> int:
        raise NotImplementedError
