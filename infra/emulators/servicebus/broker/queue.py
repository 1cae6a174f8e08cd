"""A queue: each message waits, is locked by one receiver at a time, and is settled or waits again, in its old place."""

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any
from uuid import UUID

from infra.emulators.servicebus.broker.context import Context
from infra.emulators.servicebus.broker.entity import Destination, Entity
from infra.emulators.servicebus.broker.errors import (
    BrokerError,
    EntityDisabled,
    MessageLockLost,
    MessageNotFound,
    NotAllowed,
    QuotaExceeded,
)
from infra.emulators.servicebus.broker.forwarding import forwarded
from infra.emulators.servicebus.broker.lanes import Lanes
from infra.emulators.servicebus.broker.message import (
    DEAD_LETTER_DESCRIPTION,
    DEAD_LETTER_REASON,
    Entry,
    Journey,
    Message,
    State,
)
from infra.emulators.servicebus.broker.sessions import SessionLock
from infra.emulators.servicebus.broker.settings import QueueSettings, Status
from infra.emulators.servicebus.broker.store import Kept

_ONLY_LANE = ""

_log = logging.getLogger(__name__)


class Queue(Entity):
    """A queue, a subscription, or the dead-letter queue of one."""

    def __init__(self, path: str, settings: QueueSettings, context: Context, kept: Kept) -> None:
        super().__init__(path, context, kept, settings.duplicate_window, settings.max_message_bytes)
        self.settings = settings
        self.forward: Destination | None = None
        self.dead_letters: Queue | None = None
        """Where messages go that can't be handled."""
        self.transfer_dead_letters: Queue | None = None
        """Where messages go that can't be forwarded."""
        self.status = Status.ACTIVE
        self._bytes = 0
        self._entries: dict[int, Entry] = {}
        self._locked: dict[UUID, Entry] = {}
        self._lanes = Lanes(lambda number: number in self._entries and self._entries[number].waits)
        for entry in kept.entries:
            if entry.state is State.SCHEDULED:
                self.schedule.restore(entry)
            else:
                self._hold(entry)

    @property
    def bytes(self) -> int:
        """What all its messages take, with those of its dead-letter queues."""
        below = (self.dead_letters, self.transfer_dead_letters)
        return self._bytes + self.schedule.bytes + sum(queue.bytes for queue in below if queue is not None)

    def held(self, *states: State) -> int:
        """How many messages are in one of these states; those that are locked are active ones."""
        return sum(entry.state in states for entry in (*self._entries.values(), *self.schedule.entries.values()))

    def set_status(self, status: Status) -> None:
        """From now on messages are taken and delivered, or not; what is locked can be settled all the same."""
        self.status = status
        self._context.stirred[self] = None

    def end(self) -> None:
        """It is removed: what it holds is forgotten, and nothing is taken or delivered any more."""
        super().end()
        self._entries.clear()
        self._locked.clear()
        self._context.stirred[self] = None

    def check_delivers(self) -> None:
        """Raise EntityDisabled if it delivers nothing just now."""
        if not self.status.delivers:
            raise EntityDisabled(f"'{self.path}' delivers nothing: it is {self.status}.")

    def check(self, message: Message) -> None:
        """Raise BrokerError if the message can't be taken."""
        super().check(message)
        if not self.status.takes:
            raise EntityDisabled(f"'{self.path}' takes no messages: it is {self.status}.")
        if self.bytes + message.size > self.settings.max_bytes:
            raise QuotaExceeded(f"'{self.path}' is full: it may hold {self.settings.max_bytes} bytes.")

    def receive(self, session: SessionLock | None = None, *, delete: bool = False) -> Entry | None:
        """Lock the message whose turn it is, or take it away; None while nothing waits."""
        self._context.advance()
        number = self._lanes.take(self._receivers_lane(session)) if self.status.delivers else None
        if number is None:
            return None
        return self._hand_out(self._entries[number], session, delete=delete)

    def receive_deferred(
        self, numbers: Sequence[int], session: SessionLock | None = None, *, delete: bool = False
    ) -> list[Entry]:
        """The same for deferred messages, by number; raises MessageNotFound, and locks none, if one is not there."""
        self._context.advance()
        self.check_delivers()
        lane = self._receivers_lane(session)
        entries = [self._deferred(number, lane) for number in numbers]
        return [self._hand_out(entry, session, delete=delete) for entry in entries]

    def peek(self, first: int, count: int, session_id: str | None = None) -> list[Entry]:
        """Messages from a number on, whatever their state; nothing happens to them."""
        self._context.advance()
        everything = sorted({**self._entries, **self.schedule.entries}.items())
        entries = (entry for number, entry in everything if number >= first)
        return [each for each in entries if session_id in (None, each.message.session_id)][:count]

    def complete(self, token: UUID) -> None:
        """It is done; raises MessageLockLost like every way to settle."""
        self._remove(self._settled(token))

    def abandon(self, token: UUID, properties: Mapping[str, Any] | None = None) -> None:
        """It comes again at once; a try is used."""
        self._fail(self._settled(token), properties or {})

    def release(self, token: UUID) -> None:
        """It was never looked at: it comes again, and no try is used."""
        self._return(self._settled(token))

    def defer(self, token: UUID, properties: Mapping[str, Any] | None = None) -> None:
        """From now on it is to be had by its number only."""
        entry = self._settled(token)
        entry.state = State.DEFERRED
        entry.message = entry.message.with_properties(properties or {})
        self._context.store.save(self.path, entry)

    def dead_letter(
        self, token: UUID, reason: str = "", description: str = "", properties: Mapping[str, Any] | None = None
    ) -> None:
        """It goes to the dead-letter queue; from there it can go no further, and NotAllowed is raised."""
        if self.dead_letters is None:
            raise NotAllowed(f"'{self.path}' is a dead-letter queue; a message can't be dead-lettered once more.")
        entry = self._settled(token)
        entry.message = entry.message.with_properties(properties or {})
        self._bury(entry, reason, description)

    def renew(self, token: UUID) -> int:
        """Lock a message for longer; returns until when."""
        self._context.advance()
        entry = self._held(token)
        entry.locked_until = self._context.now + self.settings.lock_duration
        self._context.agenda.at(entry.locked_until, partial(self._lock_ends, token))
        return entry.locked_until

    def _lane(self, _message: Message) -> str:
        """The lane in which a message waits."""
        return _ONLY_LANE

    def _receivers_lane(self, session: SessionLock | None) -> str:
        """The lane that a receiver has."""
        if session is not None:
            raise NotAllowed(f"'{self.path}' has no sessions.")
        return _ONLY_LANE

    def _lock(self, entry: Entry, session: SessionLock | None) -> None:  # noqa: ARG002 - for queues with sessions
        entry.token = self._context.tokens()
        entry.locked_until = self._context.now + self.settings.lock_duration
        self._context.agenda.at(entry.locked_until, partial(self._lock_ends, entry.token))

    def _lost(self) -> BrokerError:
        return MessageLockLost(f"The lock of the message in '{self.path}' has expired, or the message was settled.")

    def _enqueue(self, message: Message, journey: Journey) -> int:
        if self.forward is not None and forwarded(self, message, journey, self.forward):
            return 0
        return self._add(message, journey)

    def _add(self, message: Message, journey: Journey) -> int:
        number = self._numbers.next()
        entry = Entry(
            number,
            message,
            enqueued_at=self._context.now,
            first_number=journey.first_number or number,
            failures=journey.failures,
            expires_at=self._expiry(message),
            dead_letter_source=journey.dead_letter_source,
        )
        self._context.store.save(self.path, entry)
        self._hold(entry)
        return number

    def _expiry(self, message: Message) -> int | None:
        limits = [each for each in (message.time_to_live, self.settings.time_to_live) if each is not None]
        return self._context.now + min(limits) if limits and not self.settings.keeps_all else None

    def _hold(self, entry: Entry) -> None:
        self._entries[entry.number] = entry
        self._bytes += entry.message.size
        if entry.expires_at is not None:
            self._context.agenda.at(entry.expires_at, partial(self._life_ends, entry.number))
        if entry.state is State.ACTIVE:
            self._wait(entry)

    def _wait(self, entry: Entry) -> None:
        self._lanes.add(self._lane(entry.message), entry.number)
        self._context.stirred[self] = None

    def _remove(self, entry: Entry) -> None:
        del self._entries[entry.number]
        self._bytes -= entry.message.size
        self._context.store.remove(self.path, entry.number)

    def _deferred(self, number: int, lane: str) -> Entry:
        entry = self._entries.get(number)
        if entry is not None and entry.token is None and self._is_over(entry):
            self._expire(entry)
        elif entry and entry.state is State.DEFERRED and entry.token is None and self._lane(entry.message) == lane:
            return entry
        raise MessageNotFound(f"'{self.path}' has no deferred message with the sequence number {number}.")

    def _hand_out(self, entry: Entry, session: SessionLock | None, *, delete: bool) -> Entry:
        if delete:
            self._remove(entry)
            return entry
        self._lock(entry, session)
        if entry.token is not None:
            self._locked[entry.token] = entry
        return entry

    def _held(self, token: UUID) -> Entry:
        if token not in self._locked:
            raise self._lost()
        return self._locked[token]

    def _settled(self, token: UUID) -> Entry:
        self._context.advance()
        return self._unlock(token)

    def _unlock(self, token: UUID) -> Entry:
        entry = self._held(token)
        del self._locked[token]
        entry.token, entry.locked_until = None, 0
        return entry

    def _lock_ends(self, token: UUID) -> None:
        entry = self._locked.get(token)
        if entry is not None and entry.locked_until <= self._context.now:
            self._fail(self._unlock(token), {})

    def _life_ends(self, number: int) -> None:
        entry = self._entries.get(number)
        if entry is not None and entry.waits and self._is_over(entry):
            self._expire(entry)

    def _is_over(self, entry: Entry) -> bool:
        return entry.expires_at is not None and entry.expires_at <= self._context.now

    def _fail(self, entry: Entry, properties: Mapping[str, Any]) -> None:
        entry.failures += 1
        entry.message = entry.message.with_properties(properties)
        most = self.settings.max_delivery_count
        if self.dead_letters is not None and entry.failures >= most:
            self._bury(
                entry, "MaxDeliveryCountExceeded", f"Message could not be consumed after {most} delivery attempts."
            )
        else:
            self._context.store.save(self.path, entry)
            self._return(entry)

    def _return(self, entry: Entry) -> None:
        """Have a message wait again, unless its time ran out while it was locked; a deferred one stays deferred."""
        if entry.state is not State.ACTIVE:
            return
        if self._is_over(entry):
            self._expire(entry)
        else:
            self._wait(entry)

    def _expire(self, entry: Entry) -> None:
        if self.settings.dead_letters_expired:
            self._bury(entry, "TTLExpiredException", "The message expired and was dead lettered.")
        else:
            self._remove(entry)

    def _bury(self, entry: Entry, reason: str, description: str) -> None:
        _log.info("%s: message %d is dead-lettered: %s", self.path, entry.number, reason or "no reason given")
        self._remove(entry)
        why = {DEAD_LETTER_REASON: reason, DEAD_LETTER_DESCRIPTION: description}
        message = entry.message.with_properties({name: text for name, text in why.items() if text})
        if self.dead_letters is not None:
            self.dead_letters.arrive(message, Journey(0, entry.first_number, entry.failures, self.path))
