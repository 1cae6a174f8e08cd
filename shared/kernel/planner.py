"""What each record of a group comes to, on what its predecessors leave behind; nothing is written here."""

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from shared.kernel.codec import check_not_from_the_future
from shared.kernel.commit import Commit, Remembered
from shared.kernel.draft import Draft
from shared.kernel.emission import Emitter
from shared.kernel.errors import (
    ConcurrencyConflict,
    Deferral,
    Expired,
    HopLimitExceeded,
    IdReused,
    OutcomeUnknown,
    OutOfTime,
    TrefoilError,
)
from shared.kernel.message import Emission, Message
from shared.kernel.ports import Clock, Store
from shared.kernel.record import Record
from shared.kernel.service import Service
from shared.kernel.stream import Folder, View, commit_at

HOP_LIMIT = 16


class Context(Struct, frozen=True):
    """What handling a service's messages takes."""

    service: Service
    folder: Folder
    emitter: Emitter
    store: Store
    clock: Clock
    random: Callable[[], float]
    provider: Any = None


class Planner:
    """Decides for the records of one stream: repeated, refused, or handled."""

    def __init__(self, context: Context, deadline: float | None) -> None:
        self._context = context
        self._deadline = deadline

    def plan(self, view: View, records: Sequence[Record]) -> list[Commit]:
        """Handle the records in order, and return the commits that would answer them; verdicts stay on the records."""
        draft = Draft(self._context.emitter, view, self._context.clock.now())
        planned: dict[tuple[str, str], Record] = {}
        for record in records:
            record.error, record.sent = None, ()
            try:
                self._place(record, view, draft, planned)
            except Exception as error:  # noqa: BLE001 - whatever a handler raises is that message's verdict
                record.error = error
        draft.close()
        return draft.commits

    def _place(self, record: Record, view: View, draft: Draft, planned: dict[tuple[str, str], Record]) -> None:
        handled = record.handled
        key = (handled.source, handled.id)
        if (twin := planned.get(key)) is not None:
            self._join(record, twin)
            return
        known = view.find(self._context.store, key, handled.time)
        if known is not None and (known.claimed is None or not record.claimed):
            self._repeat(record, known, view.stream)
            return
        try:
            answer = self._answer(record, view)
        except TrefoilError as error:
            if record.claimed and not isinstance(error, OutcomeUnknown):
                draft.release(handled.key)
            raise
        record.sent = draft.add(handled, record.envelope, answer)
        planned[key] = record

    def _join(self, record: Record, twin: Record) -> None:
        """Another delivery of a message that this very plan answers: it shares what the first one causes."""
        _check_digest(record, twin.handled.digest)
        record.sent = twin.sent

    def _repeat(self, record: Record, known: Remembered, stream: str) -> None:
        """Handled before: publish again what it caused, because the crash may have come before it went out."""
        _check_digest(record, known.digest)
        if known.claimed is not None:
            self._check_claim(known.claimed)
        commit = commit_at(self._context.store, stream, known.version)
        again = (self._context.emitter.stored(message) for message in commit.caused_by(known.key))
        record.sent = [message for message in again if message is not None]

    def _check_claim(self, claimed: float) -> None:
        limit = self._context.service.limits.handler_seconds
        age = self._context.clock.now() - claimed
        if age < limit:
            raise Deferral("another worker has claimed this message and may be at work", after=min(limit - age, limit))
        raise OutcomeUnknown(f"a worker claimed this message {age:.0f} s ago and never told how it ended")

    def _answer(self, record: Record, view: View) -> tuple[Emission, ...]:
        if isinstance(record.answer, tuple):
            return record.answer  # an effect that must not be repeated has happened; only the append failed
        if record.answer is not None:
            raise record.answer
        message = self.check(record)
        service = self._context.service
        handler = service.handles[type(message.data)]
        if service.provider is None:
            return tuple(handler(view.state, message))
        if not service.at_most_once:
            return tuple(handler(view.state, message, self._context.provider))
        if not record.claimed:
            raise ConcurrencyConflict("another worker's claim on this message was given back a moment ago")
        try:
            answer = tuple(handler(view.state, message, self._context.provider))
        except TrefoilError as error:
            record.answer = error
            raise
        record.answer = answer
        return answer

    def check(self, record: Record) -> Message[Any]:
        """What a handler is to be given.

        Raises what stands in the way: the payload, the hops, the age, the clock, the time left.
        """
        envelope = record.envelope
        now = self._context.clock.now()
        if record.unreadable is not None:
            raise record.unreadable
        if envelope.hops > HOP_LIMIT:
            raise HopLimitExceeded(f"{envelope.hops} messages led here, one after the other; at most {HOP_LIMIT} may")
        if envelope.expirytime is not None and envelope.expirytime.timestamp() < now:
            raise Expired(f"it expired at {envelope.expirytime.isoformat()}")
        check_not_from_the_future(record.handled.time, now)
        if self._deadline is not None and now + self._context.service.limits.handler_seconds > self._deadline:
            raise OutOfTime("the invocation's time ran short before this message's turn")
        return record.message


def _check_digest(record: Record, digest: str) -> None:
    if record.handled.digest != digest:
        raise IdReused(f"id '{record.handled.id}' of source '{record.handled.source}' was used for another content")
