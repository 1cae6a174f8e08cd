"""What must be true when a run is over (docs/design.md, section 9): each check yields a sentence for what is not."""

from collections.abc import Callable, Iterator

from shared.kernel.stream import Folder, View
from shared.messages.climate import TemperatureNoted
from shared.messages.order_status import StatusNoted
from shared.messages.orders import OrderCancelled, OrderFulfilled, OrderPlaced
from shared.messages.revenue import AmountBooked
from shared.messages.sensors import ReadingRecorded
from shared.messages.users import UserRegistered
from shared.order_status.model import Standing
from tests.support.faults import DOUBTFUL
from tests.support.simulation_evidence import Copy, Evidence, Fact, copy_of
from tests.support.simulation_story import told
from tests.support.simulation_workload import SENSOR, USER, order_id
from tests.support.simulation_world import World

QUICK = 0.01
"""Seconds a step: a worker that is quicker ends before its claim looks abandoned."""


def violations(world: World) -> Iterator[str]:
    """Every broken invariant."""
    evidence = Evidence(world)
    for check in (*_PROTOCOL, *_OUTSIDE):
        yield from check(evidence)
    for index, order in enumerate(world.plan.orders):
        yield from _the_order_has_one_end(evidence, order_id(index))
        yield from _money_does_not_leak(evidence, order_id(index), order.amount)
    yield from _read_models_agree(evidence)


# -- the protocol


def _versions_have_no_holes(evidence: Evidence) -> Iterator[str]:
    for stream, commits in evidence.streams.items():
        versions = [commit.version for commit in commits]
        if versions != list(range(1, len(versions) + 1)):
            yield f"'{stream}' has versions {versions}"


def _everything_is_handled_once(evidence: Evidence) -> Iterator[str]:
    for key, times in evidence.handled.items():
        if times > 1:
            yield f"handled {times} times: {key}"


def _nothing_is_lost(evidence: Evidence) -> Iterator[str]:
    """Sent = handled + dead-lettered; nothing waits any more."""
    for copy in lost(evidence):
        yield f"{copy.id} of {copy.source} is neither handled nor dead-lettered at {copy.service}"


def lost(evidence: Evidence) -> Iterator[Copy]:
    """What a service was to have, and what became of nothing."""
    for copy in _wanted(evidence):
        if copy not in evidence.answered and copy not in evidence.given_up:
            yield copy


def _wanted(evidence: Evidence) -> Iterator[Copy]:
    catalog = evidence.world.catalog
    for sent in evidence.world.sent:
        for service in catalog.subscribers(sent.type):
            yield copy_of(service, sent.body)
    for fact in evidence.facts:
        for service in _audience(evidence, fact):
            yield copy_of(service, bytes(fact.message.body))


def _audience(evidence: Evidence, fact: Fact) -> list[str]:
    if fact.message.private:
        return []
    if fact.message.due is not None:
        return [fact.service]
    return evidence.world.catalog.subscribers(fact.envelope.type)


def _every_message_has_one_cause(evidence: Evidence) -> Iterator[str]:
    for fact in evidence.facts:
        if fact.cause is None or fact.cause.id != fact.envelope.causationid:
            yield f"{fact.envelope.id} names {fact.envelope.causationid} as its cause, but was stored with {fact.cause}"
    published = evidence.world.published
    stored = {fact.envelope.id: bytes(fact.message.body) for fact in evidence.facts}
    for id_, body in published.items():
        if stored.get(id_) != body:
            yield f"{id_} was published, but no commit holds it"


def _every_id_has_one_content(evidence: Evidence) -> Iterator[str]:
    ids = [fact.envelope.id for fact in evidence.facts]
    if len(set(ids)) != len(ids):
        yield "two emitted messages share an id"


def _nothing_stays_unpublished(evidence: Evidence) -> Iterator[str]:
    for fact in evidence.facts:
        if not fact.message.private and fact.envelope.id not in evidence.world.published:
            yield f"{fact.envelope.id} was committed, but never published"


def _state_does_not_depend_on_snapshots(evidence: Evidence) -> Iterator[str]:
    for stream, commits in evidence.streams.items():
        if not any(commit.snapshot for commit in commits):
            continue
        folder = Folder(evidence.world.catalog.service(stream.partition("/")[0]))
        state = folder.initial
        for commit in commits:
            for message in commit.messages:
                state = folder.fold_stored(state, message)
        if (loaded := View.load(folder, evidence.world.store, stream).state) != state:
            yield f"'{stream}' is loaded as {loaded}, but its messages say {state}"


def _dead_letters_have_a_good_reason(evidence: Evidence) -> Iterator[str]:
    bodies = {sent.body for sent in evidence.world.sent} | set(evidence.world.published.values())
    for letter in evidence.letters:
        envelope = copy_of(letter.service, letter.body)
        reason = (letter.failure.reason, letter.service)
        if reason not in _GOOD_REASONS:
            yield f"{letter.service} gave {envelope.id} up as {letter.failure.reason}: {letter.failure.text}"
        if letter.body not in bodies:
            yield f"the dead letter {envelope.id} at {letter.service} is not what was sent"


_GOOD_REASONS = {
    ("Expired", "orders"),  # a cancellation that came too late
    ("OutcomeUnknown", "notifications"),
    ("RuleViolation", "users"),  # the second to register
    ("IdReused", "sensors"),
    ("HopLimitExceeded", "echo"),
}


# -- what happened outside


def _effects_happen_once(evidence: Evidence) -> Iterator[str]:
    books = evidence.world.books
    for what, orders in (
        ("captured", [order for order, _ in books.captured.values()]),
        ("refunded", [order for order, _ in books.refunded.values()]),
        ("dispatched", list(books.dispatched.values())),
    ):
        if len(set(orders)) != len(orders):
            yield f"{what} more than once: {sorted(orders)}"


def _mails_are_sent_once_or_given_up(evidence: Evidence) -> Iterator[str]:
    mails = evidence.world.books.mails
    yield from (f"the mail {key} was sent {times} times" for key, times in mails.items() if times > 1)
    for fact in evidence.facts:
        if fact.message.private or "notifications" not in evidence.world.catalog.subscribers(fact.envelope.type):
            continue
        sent = any(key.endswith(f":{fact.envelope.id}") for key in mails)
        copy = copy_of("notifications", bytes(fact.message.body))
        if copy in evidence.answered and not sent:
            yield f"{fact.envelope.id} counts as handled, but its mail never left"
        if not sent and evidence.given_up.get(copy) != "OutcomeUnknown":
            yield f"the mail about {fact.envelope.id} was neither sent nor given up"


def _nothing_is_in_doubt_without_cause(evidence: Evidence) -> Iterator[str]:
    """A provider that says that it did nothing leaves no doubt; neither does a worker that is not too slow."""
    if evidence.world.seen & DOUBTFUL or evidence.world.plan.pace > QUICK:
        return
    for letter in evidence.letters:
        if letter.failure.reason == "OutcomeUnknown":
            yield f"{told(letter)} is in doubt, and nothing happened that could explain it"


Check = Callable[[Evidence], Iterator[str]]

_PROTOCOL: tuple[Check, ...] = (
    _versions_have_no_holes,
    _everything_is_handled_once,
    _nothing_is_lost,
    _every_message_has_one_cause,
    _every_id_has_one_content,
    _nothing_stays_unpublished,
    _state_does_not_depend_on_snapshots,
    _dead_letters_have_a_good_reason,
)
_OUTSIDE: tuple[Check, ...] = (
    _effects_happen_once,
    _mails_are_sent_once_or_given_up,
    _nothing_is_in_doubt_without_cause,
)


# -- the business


def _the_order_has_one_end(evidence: Evidence, order: str) -> Iterator[str]:
    placed, fulfilled, cancelled = (
        len(evidence.about(event, order)) for event in (OrderPlaced, OrderFulfilled, OrderCancelled)
    )
    if (placed, fulfilled + cancelled) != (1, 1):
        yield f"order {order} was placed {placed} times, fulfilled {fulfilled} and cancelled {cancelled} times"
    if fulfilled != sum(order == dispatched for dispatched in evidence.world.books.dispatched.values()):
        yield f"order {order} was fulfilled {fulfilled} times, which is not how often its parcel left"
    seen = Standing()
    for noted in evidence.about(StatusNoted, order):
        seen = seen.noted(noted)
    if seen.status != ("fulfilled" if fulfilled else "cancelled"):
        yield f"order_status shows {order} as {seen.status}"


def _money_does_not_leak(evidence: Evidence, order: str, amount: int) -> Iterator[str]:
    books = evidence.world.books
    captured = sum(cents for subject, cents in books.captured.values() if subject == order)
    refunded = sum(cents for subject, cents in books.refunded.values() if subject == order)
    fulfilled = amount * len(evidence.about(OrderFulfilled, order))
    if captured != fulfilled + refunded:
        yield f"order {order}: captured {captured}, but fulfilled {fulfilled} and refunded {refunded}"


def _read_models_agree(evidence: Evidence) -> Iterator[str]:
    plan, books = evidence.world.plan, evidence.world.books
    booked = {"placed": 0, "captured": 0, "refunded": 0}
    for fact in evidence.by_type[AmountBooked]:
        booked[fact.data.entry] += fact.data.money.amount
    true = {
        "placed": sum(order.amount for order in plan.orders),
        "captured": sum(cents for _, cents in books.captured.values()),
        "refunded": sum(cents for _, cents in books.refunded.values()),
    }
    if booked != true:
        yield f"revenue shows {booked}, but it is {true}"
    readings = plan.readings + (plan.id_reused and not plan.readings)
    recorded, noted = len(evidence.about(ReadingRecorded, SENSOR)), len(evidence.about(TemperatureNoted, SENSOR))
    if not recorded == noted == readings:
        yield f"{readings} readings were sent, {recorded} recorded, {noted} in the climate"
    if plan.users and len(evidence.about(UserRegistered, USER)) != 1:
        yield "the user is not registered exactly once"
