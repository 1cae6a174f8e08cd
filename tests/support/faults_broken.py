"""The protocol with one rule broken at a time: what a reasonable person might have written instead.

Broken where possible at the ports, which stay when the kernel's inside is rewritten.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any
from weakref import WeakKeyDictionary

import pytest
from greenlet import greenlet, getcurrent
from msgspec import structs

from shared.kernel import group
from shared.kernel.commit import Commit
from shared.kernel.draft import Draft
from shared.kernel.emission import Emitter
from shared.kernel.errors import (
    ConcurrencyConflict,
    Expired,
    OutcomeUnknown,
    PermanentError,
    ProviderUnavailable,
    PublishFailed,
)
from shared.kernel.group import Group
from shared.kernel.outcome import DONE, DeadLetter
from shared.kernel.ports import Outgoing, Timer
from shared.kernel.record import Record
from shared.kernel.stream import View
from shared.messages.payments import PaymentCaptured
from shared.orders.handlers import SERVICE as ORDERS
from shared.orders.handlers import ship_paid_order
from tests.support.faults_ports import HostileBus, HostileChannels, HostileStore, HostileTimers
from tests.support.faults_providers import Gateway

Break = Callable[[pytest.MonkeyPatch], None]

RULES: dict[str, Break] = {}
"""Each rule of docs/design.md, section 4, and how to break it."""


def instead_of(rule: str) -> Callable[[Break], Break]:
    """Enter a way to break a rule under the rule's name."""

    def enter(break_it: Break) -> Break:
        RULES[rule] = break_it
        return break_it

    return enter


# -- publishing and settling


@instead_of("publish, only then settle")
def _settle_first(patch: pytest.MonkeyPatch) -> None:
    publish, settle = HostileBus.publish, HostileChannels.settle
    unsent: WeakKeyDictionary[greenlet, Sequence[Outgoing]] = WeakKeyDictionary()

    def publish_later(self: HostileBus, messages: Sequence[Outgoing]) -> set[str]:
        if all(message.to for message in messages):
            return publish(self, messages)  # the tick settles nothing
        unsent[getcurrent()] = messages
        return set()

    def settle_first(self: HostileChannels, service: str, settlements: Any) -> None:
        settle(self, service, settlements)
        with suppress(PublishFailed):
            publish(self, unsent.pop(getcurrent(), ()))

    patch.setattr(HostileBus, "publish", publish_later)
    patch.setattr(HostileChannels, "settle", settle_first)


@instead_of("a dead letter is parked, only then settled")
def _settle_before_parking(patch: pytest.MonkeyPatch) -> None:
    settle = HostileChannels.settle

    def settle_first(self: HostileChannels, service: str, settlements: Any) -> None:
        dead = [(each, outcome) for each, outcome in settlements if isinstance(outcome, DeadLetter)]
        settle(self, service, [(each, DONE if isinstance(outcome, DeadLetter) else outcome) for each, outcome in settlements])
        self.on.pause("parks", *dead)
        for each, outcome in dead:
            self.on.broker._park(service, each.receipt, outcome.failure)

    patch.setattr(HostileChannels, "settle", settle_first)


@instead_of("what the bus did not confirm is published again")
def _ignore_unconfirmed(patch: pytest.MonkeyPatch) -> None:
    publish = HostileBus.publish

    def publish_and_hope(self: HostileBus, messages: Sequence[Outgoing]) -> set[str]:
        with suppress(PublishFailed):
            publish(self, messages)
        return set()

    patch.setattr(HostileBus, "publish", publish_and_hope)


@instead_of("a timer is published, only then removed")
def _remove_first(patch: pytest.MonkeyPatch) -> None:
    due = HostileTimers.due

    def due_and_gone(self: HostileTimers, now: float, limit: int) -> list[Timer]:
        found = due(self, now, limit)
        self.on.broker.remove(found)
        return found

    patch.setattr(HostileTimers, "due", due_and_gone)


@instead_of("a repeat publishes again what it caused")
def _publish_once(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Emitter, "stored", lambda *_: None)


@instead_of("append, only then publish")
def _publish_first(patch: pytest.MonkeyPatch) -> None:
    append = HostileStore.append

    def publish_and_append(self: HostileStore, commit: Commit) -> None:
        stored = (Emitter(ORDERS).stored(message) for message in commit.messages)
        self.on.hand_over([message for message in stored if isinstance(message, Outgoing)])
        append(self, commit)

    patch.setattr(HostileStore, "append", publish_and_append)


# -- remembering


@instead_of("what was handled before is not handled again")
def _remember_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(View, "find", lambda *_: None)


@instead_of("a message is known by source and id")
def _know_by_id(patch: pytest.MonkeyPatch) -> None:
    def find_by_id(self: View, _: Any, key: tuple[str, str], __: float) -> Any:
        return next((entry for known, entry in self.memory.items() if known[1] == key[1]), None)

    patch.setattr(View, "find", find_by_id)


@instead_of("what a snapshot forgot is looked up in older commits")
def _forget(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(View, "find", lambda self, _, key, __: self.memory.get(key))


@instead_of("an empty answer is committed, too")
def _skip_empty_answers(patch: pytest.MonkeyPatch) -> None:
    _store_otherwise(patch, lambda commit: commit if commit.messages or commit.claims or commit.released else None)


@instead_of("snapshots remember the version that handled an id")
def _remember_ids_only(patch: pytest.MonkeyPatch) -> None:
    _remember_otherwise(patch, lambda memory: [structs.replace(entry, version=1) for entry in memory])


@instead_of("snapshots remember claims")
def _forget_claims(patch: pytest.MonkeyPatch) -> None:
    _remember_otherwise(patch, lambda memory: [entry for entry in memory if entry.claimed is None])


def _remember_otherwise(patch: pytest.MonkeyPatch, change: Callable[[Any], Any]) -> None:
    def changed(commit: Commit) -> Commit:
        if commit.snapshot is None:
            return commit
        return structs.replace(commit, snapshot=structs.replace(commit.snapshot, memory=change(commit.snapshot.memory)))

    _store_otherwise(patch, changed)


def _store_otherwise(patch: pytest.MonkeyPatch, change: Callable[[Commit], Commit | None]) -> None:
    append = HostileStore.append

    def append_changed(self: HostileStore, commit: Commit) -> None:
        if (changed := change(commit)) is not None:
            append(self, changed)

    patch.setattr(HostileStore, "append", append_changed)


@instead_of("one id with two contents is refused")
def _trust_ids(patch: pytest.MonkeyPatch) -> None:
    repeat = Group._repeat

    def repeat_whatever_it_says(self: Group, record: Record, known: Any, *rest: Any) -> None:
        record.handled = structs.replace(record.handled, digest=known.digest)
        repeat(self, record, known, *rest)

    patch.setattr(Group, "_repeat", repeat_whatever_it_says)


# -- deciding


@instead_of("a repeat is known before it is checked for expiry")
def _check_expiry_first(patch: pytest.MonkeyPatch) -> None:
    place = Group._place

    def place_unless_expired(self: Group, record: Record, *rest: Any) -> None:
        expiry = record.envelope.expirytime
        if expiry is not None and expiry.timestamp() < self._context.clock.now():
            raise Expired("too late")
        place(self, record, *rest)

    patch.setattr(Group, "_place", place_unless_expired)


@instead_of("an append is conditional")
def _overwrite(patch: pytest.MonkeyPatch) -> None:
    append = HostileStore.append

    def put(self: HostileStore, commit: Commit) -> None:
        try:
            append(self, commit)
        except ConcurrencyConflict:
            self.on.store._commits[commit.stream][commit.version - 1] = commit

    patch.setattr(HostileStore, "append", put)


@instead_of("after a conflict the stream is loaded and handled anew")
def _squeeze_in(patch: pytest.MonkeyPatch) -> None:
    append = HostileStore.append

    def append_somewhere(self: HostileStore, commit: Commit) -> None:
        with suppress(ConcurrencyConflict):
            append(self, commit)
            return
        append_somewhere(self, structs.replace(commit, version=commit.version + 1))

    patch.setattr(HostileStore, "append", append_somewhere)


@instead_of("each handler of a group sees its predecessors' output")
def _share_the_old_state(patch: pytest.MonkeyPatch) -> None:
    init, add, close = Draft.__init__, Draft.add, Draft.close

    def begin(self: Draft, emitter: Any, view: View, now: float) -> None:
        self.old = self.new = view.state
        init(self, emitter, view, now)

    def add_on_the_new(self: Draft, *rest: Any) -> Any:
        self._view.state = self.new
        try:
            return add(self, *rest)
        finally:
            self.new, self._view.state = self._view.state, self.old

    def close_with_the_new(self: Draft) -> None:
        self._view.state = self.new
        close(self)

    patch.setattr(Draft, "__init__", begin)
    patch.setattr(Draft, "add", add_on_the_new)
    patch.setattr(Draft, "close", close_with_the_new)


@instead_of("a verdict waits until the group's append has succeeded")
def _judge_at_once(patch: pytest.MonkeyPatch) -> None:
    place = Group._place

    def place_unless_judged(self: Group, record: Record, *rest: Any) -> None:
        if isinstance(judged := getattr(record, "judged", None), PermanentError):
            raise judged
        try:
            place(self, record, *rest)
        except PermanentError as error:
            record.judged = error
            raise

    patch.setattr(Group, "_place", place_unless_judged)


@instead_of("loops of messages end")
def _let_loops_run(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(group, "HOP_LIMIT", 10**9)


# -- effects outside


@instead_of("an effect that must not be repeated is claimed first")
def _claim_nothing(patch: pytest.MonkeyPatch) -> None:
    _store_otherwise(patch, lambda commit: None if commit.claims else commit)


@instead_of("a claim is not handled yet")
def _count_claims_as_handled(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Group, "_check_claim", lambda *_: None)


@instead_of("a claim is durable before the effect is asked for")
def _do_not_flush(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(HostileStore, "flush", lambda *_: None)


@instead_of("a claim is kept when the outcome is unknown")
def _release_unknown_outcomes(patch: pytest.MonkeyPatch) -> None:
    answer = Group._answer

    def answer_or_try_again(self: Group, *rest: Any) -> Any:
        try:
            return answer(self, *rest)
        except OutcomeUnknown as error:
            raise ProviderUnavailable(str(error)) from error

    patch.setattr(Group, "_answer", answer_or_try_again)


@instead_of("after a conflict the provider's answer is appended again, not asked for again")
def _ask_again(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Record, "answer", property(lambda _: None, lambda *_: None))


@instead_of("an idempotency key names the effect")
def _name_the_call(patch: pytest.MonkeyPatch) -> None:
    capture = Gateway.capture

    def capture_this_time(self: Gateway, key: str, *rest: Any) -> Any:
        return capture(self, f"{key}:{id(getcurrent())}", *rest)

    patch.setattr(Gateway, "capture", capture_this_time)


@instead_of("a payment that comes after the cancellation is refunded")
def _keep_late_payments(patch: pytest.MonkeyPatch) -> None:
    def ship_or_keep(order: Any, message: Any) -> Any:
        return [] if order.status == "cancelled" else ship_paid_order(order, message)

    patch.setitem(ORDERS.handles, PaymentCaptured, ship_or_keep)
