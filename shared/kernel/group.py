"""One stream's share of a batch: load, plan, append; again on a conflict (optimistic concurrency control)."""

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from shared.kernel.backoff import CONFLICT
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
    TrefoilError,
)
from shared.kernel.message import Emission
from shared.kernel.outcome import DONE, out_of_time
from shared.kernel.ports import Clock, Store
from shared.kernel.record import Record
from shared.kernel.service import Service
from shared.kernel.stream import Folder, View, commit_at

HOP_LIMIT = 16
APPEND_ATTEMPTS = 5


class Context(Struct, frozen=True):
    """What handling a service's messages takes."""

    service: Service
    folder: Folder
    emitter: Emitter
    store: Store
    clock: Clock
    random: Callable[[], float]
    provider: Any = None


class Group:
    """The records of one batch that belong to one stream, in order."""

    def __init__(self, context: Context, stream: str, deadline: float | None) -> None:
        self.records: list[Record] = []
        self._context = context
        self._stream = stream
        self._deadline = deadline
        self._commits: list[Commit] = []
        self._view: View | None = None

    # -- the phases, in the order in which the receiver runs them

    def load(self) -> None:
        """Read the stream; when the store does not answer, every record is to come again."""
        try:
            self._load()
        except Exception as error:  # noqa: BLE001 - a stream that can't be read is its own messages' trouble only
            self._give_up(error)

    def plan(self) -> None:
        """Handle each record on what its predecessors left behind; nothing is written yet."""
        if self._view is None:
            return
        try:
            self._plan(self._view)
        except Exception as error:  # noqa: BLE001 - as in load
            self._give_up(error)

    def commit(self) -> None:
        """Append what was planned, then let the verdicts count; plan anew when somebody else was first."""
        if self._view is None:
            return
        try:
            self._append()
        except Exception as error:  # noqa: BLE001 - as in load
            self._give_up(error)
        else:
            self._conclude()

    def run_one_by_one(self) -> None:
        """Claim, call, append for each record in turn, so that a crash leaves one claim without an answer."""
        for record in self.records:
            single = Group(self._context, self._stream, self._deadline)
            single.records = [record]
            single.load()
            single.claim()
            single.plan()
            single.commit()

    def claim(self) -> None:
        """Commit the right to an effect that must not be repeated, durably, before it is asked for."""
        try:
            for record in self.records:
                self._claim(record)
            self._context.store.flush()
        except Exception as error:  # noqa: BLE001 - as in load
            self._give_up(error)

    # -- loading and appending

    def _load(self) -> View:
        self._view = View.load(self._context.folder, self._context.store, self._stream)
        return self._view

    def _append(self) -> None:
        for attempt in range(1, APPEND_ATTEMPTS + 1):
            try:
                for commit in self._commits:
                    self._context.store.append(commit)
            except ConcurrencyConflict:
                if attempt == APPEND_ATTEMPTS:
                    raise
                if attempt > 1:  # once is chance, and what a slow load makes up for; twice is a hot stream
                    self._context.clock.sleep(CONFLICT.wait(attempt - 1, self._context.random))
                self._plan(self._load())
            else:
                return

    def _conclude(self) -> None:
        for record in self.records:
            if record.error is not None:
                record.outcome = self._judge(record, record.error)
            else:
                record.outcome = DONE

    def _give_up(self, error: Exception) -> None:
        self._view = None
        for record in self.records:
            record.sent = ()
            record.error = error
            record.outcome = self._judge(record, error)

    def _judge(self, record: Record, error: Exception) -> Any:
        return record.judge(error, self._context.service.limits, self._context.random())

    # -- planning

    def _plan(self, view: View) -> None:
        draft = Draft(self._context.emitter, view, self._context.clock.now())
        planned: dict[tuple[str, str], Record] = {}
        for record in self.records:
            record.error, record.sent = None, ()
            try:
                self._place(record, view, draft, planned)
            except Exception as error:  # noqa: BLE001 - whatever a handler raises is that message's verdict
                record.error = error
        draft.close()
        self._commits = draft.commits

    def _place(self, record: Record, view: View, draft: Draft, planned: dict[tuple[str, str], Record]) -> None:
        handled = record.handled
        key = (handled.source, handled.id)
        if (twin := planned.get(key)) is not None:
            self._join(record, twin)
            return
        known = view.find(self._context.store, key, handled.time)
        if known is not None and (known.claimed is None or not record.claimed):
            self._repeat(record, known)
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

    def _repeat(self, record: Record, known: Remembered) -> None:
        """Handled before: publish again what it caused, because the crash may have come before it went out."""
        _check_digest(record, known.digest)
        if known.claimed is not None:
            self._check_claim(known.claimed)
        commit = commit_at(self._context.store, self._stream, known.version)
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
        message = self._check(record)
        service = self._context.service
        handler = service.handles[type(message.data)]
        if service.provider is None:
            return tuple(handler(view.state, message))
        try:
            answer = tuple(handler(view.state, message, self._context.provider))
        except TrefoilError as error:
            if service.at_most_once:
                record.answer = error
            raise
        if service.at_most_once:
            record.answer = answer
        return answer

    def _check(self, record: Record) -> Any:
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
            raise out_of_time()
        return record.message

    # -- claims

    def _claim(self, record: Record) -> None:
        for attempt in range(1, APPEND_ATTEMPTS + 1):
            if self._view is None or not self._may_claim(record, self._view):
                return
            try:
                self._append_claim(record, self._view)
            except ConcurrencyConflict:
                if attempt == APPEND_ATTEMPTS:
                    raise
                self._load()
            else:
                record.claimed = True
                return

    def _may_claim(self, record: Record, view: View) -> bool:
        handled = record.handled
        try:
            self._check(record)
        except TrefoilError:
            return False  # the plan says why
        return view.find(self._context.store, handled.key, handled.time) is None

    def _append_claim(self, record: Record, view: View) -> None:
        now = self._context.clock.now()
        commit = Commit(self._stream, view.version + 1, now, claims=[record.handled])
        self._context.store.append(commit)
        view.remember((), commit.claims, (), commit.version, now)
        view.version = commit.version


def _check_digest(record: Record, digest: str) -> None:
    if record.handled.digest != digest:
        raise IdReused(f"id '{record.handled.id}' of source '{record.handled.source}' was used for another content")
