"""Sessions of a queue: who has which, until when, and the state that receivers leave there."""

from collections.abc import Mapping

from infra.emulators.servicebus.broker.context import Context
from infra.emulators.servicebus.broker.errors import SessionLockLost


class SessionLock:
    """What its holder shows to receive and to settle."""

    def __init__(self, session_id: str, locked_until: int) -> None:
        self.session_id = session_id
        self.locked_until = locked_until
        self.lost = False
        """Somebody else may have the session now."""


class Sessions:
    """Locks are never kept over a restart; states are."""

    def __init__(self, path: str, context: Context, kept: Mapping[str, tuple[bytes, int]]) -> None:
        self._path = path
        self._context = context
        self._states = dict(kept)
        self.locks: dict[str, SessionLock] = {}

    def held(self, session_id: str) -> SessionLock:
        """The lock of a session; raises SessionLockLost when nobody has it."""
        if session_id not in self.locks:
            raise SessionLockLost(f"The session '{session_id}' of '{self._path}' is not locked.")
        return self.locks[session_id]

    def state(self, session_id: str) -> bytes | None:
        """What was left there by whoever had the session before."""
        self.held(session_id)
        return self._states.get(session_id, (None, 0))[0]

    def set_state(self, session_id: str, state: bytes | None) -> None:
        """Leave something for the next receiver; None clears it."""
        self.held(session_id)
        self._context.store.save_session(self._path, session_id, state, self._context.now)
        if state is None:
            self._states.pop(session_id, None)
        else:
            self._states[session_id] = (state, self._context.now)

    def with_state(self, after: int = -1) -> list[str]:
        """Sessions whose state was set after a time."""
        return sorted(session for session, (_, time) in self._states.items() if time > after)
