"""One stream's share of a batch: load, plan, append; again on a conflict (optimistic concurrency control)."""

from shared.kernel.backoff import CONFLICT
from shared.kernel.commit import Commit
from shared.kernel.errors import ConcurrencyConflict, TrefoilError
from shared.kernel.outcome import DONE, Outcome
from shared.kernel.planner import Context, Planner
from shared.kernel.record import Record
from shared.kernel.stream import View

APPEND_ATTEMPTS = 5


class Group:
    """The records of one batch that belong to one stream, in order.

    Its methods are the phases that the receiver runs. An error in one of them is these records' trouble only: they are
    judged by it, and the rest of the batch goes on.
    """

    def __init__(self, context: Context, stream: str, deadline: float | None) -> None:
        self.records: list[Record] = []
        self._context = context
        self._stream = stream
        self._deadline = deadline
        self._planner = Planner(context, deadline)
        self._commits: list[Commit] = []
        self._view: View | None = None  # None until loaded, and again when given up

    def load(self) -> None:
        """Read the stream."""
        try:
            self._load()
        except Exception as error:  # noqa: BLE001 - see the class
            self._give_up(error)

    def plan(self) -> None:
        """Handle each record on what its predecessors left behind; nothing is written yet."""
        if self._view is None:
            return
        try:
            self._commits = self._planner.plan(self._view, self.records)
        except Exception as error:  # noqa: BLE001 - see the class
            self._give_up(error)

    def commit(self) -> None:
        """Append what was planned, then let the verdicts count; plan anew when somebody else was first."""
        if self._view is None:
            return
        try:
            self._append()
        except Exception as error:  # noqa: BLE001 - see the class
            self._give_up(error)
        else:
            for record in self.records:
                record.outcome = DONE if record.error is None else self._judge(record, record.error)

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
            if any(record.claimed for record in self.records):
                self._context.store.flush()
        except Exception as error:  # noqa: BLE001 - see the class
            self._give_up(error)

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
                self._commits = self._planner.plan(self._load(), self.records)
            else:
                return

    def _give_up(self, error: Exception) -> None:
        self._view = None
        for record in self.records:
            record.sent = ()
            record.error = error
            record.outcome = self._judge(record, error)

    def _judge(self, record: Record, error: Exception) -> Outcome:
        return record.judge(error, self._context.service.limits, self._context.random())

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
        try:
            self._planner.check(record)
        except TrefoilError:
            return False  # the plan says why
        return view.find(self._context.store, record.handled.key, record.handled.time) is None

    def _append_claim(self, record: Record, view: View) -> None:
        now = self._context.clock.now()
        commit = Commit(self._stream, view.version + 1, now, claims=[record.handled])
        self._context.store.append(commit)
        view.remember((), commit.claims, (), commit.version, now)
        view.version = commit.version
