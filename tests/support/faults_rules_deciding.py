"""The rules of deciding what happens next, and of effects in the outside world, broken."""

from typing import Any

import pytest
from greenlet import getcurrent
from msgspec import structs

from shared.kernel import planner
from shared.kernel.commit import Commit
from shared.kernel.draft import Draft
from shared.kernel.errors import ConcurrencyConflict, OutcomeUnknown, PermanentError, ProviderUnavailable
from shared.kernel.group import Group
from shared.kernel.planner import Planner
from shared.kernel.record import Record
from shared.kernel.stream import View
from shared.messages.payments import PaymentCaptured
from shared.orders.handlers import SERVICE as ORDERS
from shared.orders.handlers import ship_paid_order
from tests.support.faults_ports import HostileStore
from tests.support.faults_providers import Gateway
from tests.support.faults_rules import Broken, store_otherwise
from tests.support.simulation_focus import breakdowns, mails, quarrels, reminders, unsure_answers


def append_unconditionally(patch: pytest.MonkeyPatch) -> None:
    append = HostileStore.append

    def put(self: HostileStore, commit: Commit) -> None:
        try:
            append(self, commit)
        except ConcurrencyConflict:
            self.on.store._commits[commit.stream][commit.version - 1] = commit

    patch.setattr(HostileStore, "append", put)


def append_what_was_planned_all_the_same(patch: pytest.MonkeyPatch) -> None:
    append = HostileStore.append

    def append_further_on(self: HostileStore, commit: Commit) -> None:
        try:
            append(self, commit)
        except ConcurrencyConflict:
            append_further_on(self, structs.replace(commit, version=commit.version + 1))

    patch.setattr(HostileStore, "append", append_further_on)


def show_every_handler_the_same_state(patch: pytest.MonkeyPatch) -> None:
    init, add, close = Draft.__init__, Draft.add, Draft.close

    def begin(self: Draft, emitter: Any, view: View, now: float) -> None:
        self.old = self.new = view.state
        init(self, emitter, view, now)

    def add_to_the_new(self: Draft, *rest: Any) -> Any:
        self._view.state = self.new
        try:
            return add(self, *rest)
        finally:
            self.new, self._view.state = self._view.state, self.old

    def close_with_the_new(self: Draft) -> None:
        self._view.state = self.new
        close(self)

    patch.setattr(Draft, "__init__", begin)
    patch.setattr(Draft, "add", add_to_the_new)
    patch.setattr(Draft, "close", close_with_the_new)


def let_verdicts_count_at_once(patch: pytest.MonkeyPatch) -> None:
    place, give_up, judged = Planner._place, Group._give_up, "judged"

    def place_unless_judged(self: Planner, record: Record, *rest: Any) -> None:
        if hasattr(record, judged):
            raise getattr(record, judged)
        try:
            place(self, record, *rest)
        except PermanentError as error:
            setattr(record, judged, error)
            raise

    def give_up_the_others(self: Group, error: Exception) -> None:
        give_up(self, error)
        for record in self.records:
            if hasattr(record, judged):
                record.outcome = self._judge(record, getattr(record, judged))

    patch.setattr(Planner, "_place", place_unless_judged)
    patch.setattr(Group, "_give_up", give_up_the_others)


def let_loops_run(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(planner, "HOP_LIMIT", 10**9)


def claim_nothing(patch: pytest.MonkeyPatch) -> None:
    store_otherwise(patch, lambda commit: None if commit.claims else commit)


def count_claims_as_handled(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Planner, "_check_claim", lambda *_: None)


def never_flush(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(HostileStore, "flush", lambda *_: None)


def keep_every_claim(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Draft, "release", lambda *_: None)


def release_claims_in_doubt(patch: pytest.MonkeyPatch) -> None:
    answer = Planner._answer

    def answer_or_try_again(self: Planner, *rest: Any) -> Any:
        try:
            return answer(self, *rest)
        except OutcomeUnknown as error:
            raise ProviderUnavailable(str(error)) from error

    patch.setattr(Planner, "_answer", answer_or_try_again)


def ask_again_after_a_conflict(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Record, "answer", property(lambda _: None, lambda *_: None))


def name_the_call(patch: pytest.MonkeyPatch) -> None:
    capture = Gateway.capture

    def capture_this_time(self: Gateway, key: str, *rest: Any) -> Any:
        return capture(self, f"{key}:{id(getcurrent())}", *rest)

    patch.setattr(Gateway, "capture", capture_this_time)


def keep_late_payments(patch: pytest.MonkeyPatch) -> None:
    def ship_or_keep(order: Any, message: Any) -> Any:
        return [] if order.status == "cancelled" else ship_paid_order(order, message)

    patch.setitem(ORDERS.handles, PaymentCaptured, ship_or_keep)


DECIDING = {
    "an append is conditional": Broken(append_unconditionally),
    "after a conflict the stream is loaded and handled anew": Broken(append_what_was_planned_all_the_same),
    "each handler of a group sees its predecessors' output": Broken(show_every_handler_the_same_state),
    "a verdict waits until the group's append has succeeded": Broken(let_verdicts_count_at_once, quarrels),
    "loops of messages end": Broken(let_loops_run),
}

EFFECTS = {
    "an effect that must not be repeated is claimed first": Broken(claim_nothing, mails),
    "a claim is durable before the effect is asked for": Broken(never_flush),
    "a claim is not handled yet": Broken(count_claims_as_handled, mails),
    "a claim is given back when nothing happened for certain": Broken(keep_every_claim, breakdowns),
    "a claim is kept when the outcome is unknown": Broken(release_claims_in_doubt, unsure_answers),
    "an answer is appended again after a conflict, not asked for again": Broken(ask_again_after_a_conflict, mails),
    "an idempotency key names the effect": Broken(name_the_call, unsure_answers),
    "a payment that comes after the cancellation is refunded": Broken(keep_late_payments, reminders),
}
