"""A queue with sessions: a receiver locks a session, and has its messages alone and in order."""

from collections.abc import Iterator
from functools import partial
from uuid import UUID

from infra.emulators.servicebus.broker.context import Context
from infra.emulators.servicebus.broker.errors import (
    BrokerError,
    InvalidRequest,
    NotAllowed,
    SessionCannotBeLocked,
    SessionLockLost,
)
from infra.emulators.servicebus.broker.message import (
    DEAD_LETTER_DESCRIPTION,
    DEAD_LETTER_REASON,
    Entry,
    Journey,
    Message,
)
from infra.emulators.servicebus.broker.queue import Queue
from infra.emulators.servicebus.broker.sessions import SessionLock, Sessions
from infra.emulators.servicebus.broker.settings import QueueSettings
from infra.emulators.servicebus.broker.store import Kept

_NO_SESSION_ID = "Session enabled entity doesn't allow a message whose session identifier is null."


class SessionQueue(Queue):
    """The lock of a message is that of its session."""

    def __init__(self, path: str, settings: QueueSettings, context: Context, kept: Kept) -> None:
        self.sessions = Sessions(path, context, kept.sessions)
        super().__init__(path, settings, context, kept)

    def check(self, message: Message) -> None:
        """Raise BrokerError if the message can't be taken."""
        super().check(message)
        if message.session_id is None:
            raise NotAllowed(f"'{self.path}' has sessions, and the message has no session id.")

    def accept_session(self, session_id: str | None = None) -> SessionLock | None:
        """Lock a session: this one, or the one that has waited longest, which may be none.

        Raises SessionCannotBeLocked when somebody has it.
        """
        self._context.advance()
        wanted = self._lanes.oldest(self.sessions.locks) if session_id is None else session_id
        if wanted is None:
            return None
        if wanted in self.sessions.locks:
            raise SessionCannotBeLocked(f"The session '{wanted}' of '{self.path}' is locked by another receiver.")
        lock = SessionLock(wanted, self._context.now + self.settings.lock_duration)
        self.sessions.locks[wanted] = lock
        self._context.agenda.at(lock.locked_until, partial(self._session_lock_ends, lock))
        return lock

    def renew_session(self, session_id: str) -> int:
        """Lock a session and its messages for longer; returns until when."""
        self._context.advance()
        lock = self.sessions.held(session_id)
        lock.locked_until = self._context.now + self.settings.lock_duration
        for entry in self._locked_in(session_id):
            entry.locked_until = lock.locked_until
        self._context.agenda.at(lock.locked_until, partial(self._session_lock_ends, lock))
        return lock.locked_until

    def release_session(self, lock: SessionLock) -> None:
        """Let others have the session; what was locked with it comes again, and a try is used."""
        self._context.advance()
        self._lose(lock)

    def session_state(self, session_id: str) -> bytes | None:
        """What was left in a session; raises SessionLockLost when nobody has it."""
        self._context.advance()
        return self.sessions.state(session_id)

    def set_session_state(self, session_id: str, state: bytes | None) -> None:
        """Leave something in a session; raises SessionLockLost when nobody has it."""
        self._context.advance()
        self.sessions.set_state(session_id, state)

    def list_sessions(self) -> list[str]:
        """Sessions that have messages waiting, or a state."""
        self._context.advance()
        return sorted({*self._lanes.names(), *self.sessions.with_state()})

    def renew(self, token: UUID) -> int:
        """A message's lock is that of its session."""
        raise InvalidRequest(f"'{self.path}' has sessions: renew the session's lock, not that of message {token}.")

    def _enqueue(self, message: Message, journey: Journey) -> int:
        if message.session_id is None and self.forward is None and self.dead_letters is not None:
            self._bury_on_arrival(message, journey)
            return 0
        return super()._enqueue(message, journey)

    def _bury_on_arrival(self, message: Message, journey: Journey) -> None:
        """What a topic or another queue sends is not refused, but can't be kept either."""
        why = {DEAD_LETTER_REASON: "Session ID is null.", DEAD_LETTER_DESCRIPTION: _NO_SESSION_ID}
        lost = Journey(first_number=journey.first_number, dead_letter_source=self.path)
        if self.dead_letters is not None:
            self.dead_letters.arrive(message.with_properties(why), lost)

    def _lane(self, message: Message) -> str:
        return message.session_id or ""

    def _receivers_lane(self, session: SessionLock | None) -> str:
        if session is None:
            raise NotAllowed(f"'{self.path}' has sessions, so its receivers must name one, or accept the next.")
        if session.lost:
            raise self._lost()
        return session.session_id

    def _lock(self, entry: Entry, session: SessionLock | None) -> None:
        if session is not None:
            entry.token, entry.locked_until = self._context.tokens(), session.locked_until

    def _lost(self) -> BrokerError:
        return SessionLockLost(f"The lock of the session in '{self.path}' has expired.")

    def _session_lock_ends(self, lock: SessionLock) -> None:
        if not lock.lost and lock.locked_until <= self._context.now:
            self._lose(lock)

    def _lose(self, lock: SessionLock) -> None:
        if lock.lost:
            return
        lock.lost = True
        del self.sessions.locks[lock.session_id]
        for token in [entry.token for entry in self._locked_in(lock.session_id) if entry.token]:
            self._fail(self._unlock(token), {})
        self._context.stirred[self] = None

    def _locked_in(self, session_id: str) -> Iterator[Entry]:
        return (entry for entry in self._locked.values() if entry.message.session_id == session_id)
