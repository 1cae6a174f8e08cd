"""Small real fakes: a clock that a test owns, stores and brokers with faults, builders of envelopes and deliveries."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import msgspec
from msgspec import Raw, Struct

from infra.local.memory import MemoryBroker, MemoryStore
from shared.kernel.catalog import Catalog
from shared.kernel.codec import encode
from shared.kernel.commit import Commit
from shared.kernel.errors import PublishFailed
from shared.kernel.message import Emission, Envelope, Message, Payload, command, event
from shared.kernel.outcome import Outcome
from shared.kernel.ports import Delivery, Outgoing, Parked, Timer
from shared.kernel.receiver import Receiver
from shared.kernel.service import Service
from shared.kernel.telemetry import Counters, JsonLines, Several
from shared.messages.values import Money
from shared.notifications.model import Mail
from shared.payments.model import Decline, Receipt
from shared.shipping.model import Parcel, Refusal

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


class FakeClock:
    """Time that passes only when a test, or a sleep, lets it."""

    def __init__(self, time: float = NOW.timestamp()) -> None:
        self.time = time
        self.slept: list[float] = []

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds


# -- the smallest service that has everything: a tally that is added to


@command("tally.add.v1")
class Add(Payload, frozen=True):
    """Add a number."""

    amount: int
    note: str = ""


@event("tally.added.v1")
class Added(Payload, frozen=True):
    """A number was added."""

    amount: int
    total: int
    note: str = ""


@event("tally.noted.v1", private=True)
class Noted(Payload, frozen=True):
    """Something to remember, and to tell nobody."""

    text: str


@event("tally.reminded.v1")
class Reminded(Payload, frozen=True):
    """A timer's message."""


class Tally(Struct, frozen=True):
    """What was added so far, and what was noted."""

    total: int = 0
    noted: tuple[str, ...] = ()

    def added(self, event: Added) -> "Tally":
        return Tally(self.total + event.amount, self.noted)

    def remember(self, event: Noted) -> "Tally":
        return Tally(self.total, (*self.noted, event.text))


def add(tally: Tally, message: Message[Add]) -> Iterable[Emission]:
    """Add the number; tell the sum."""
    amount = message.data.amount
    return [Added(amount, tally.total + amount, message.data.note)]


def ignore(_: Tally, __: Message[Payload]) -> Iterable[Emission]:
    """Take notice, and say nothing."""
    return []


def tally_service(handler: Callable[..., Iterable[Emission]] = add, **options: Any) -> Service:
    """The tally, with another handler for `Add` where a test wants one."""
    tables = {
        "handles": {Add: handler, Reminded: ignore},
        "emits": {Added: Tally.added, Noted: Tally.remember, Reminded: None},
    }
    return Service(**{"name": "tally", "state": Tally, **tables, **options})


# -- builders


def envelope(payload: Payload, **attributes: Any) -> Envelope:
    """A valid envelope, but for what `attributes` say."""
    usual = {
        "specversion": "1.0",
        "id": "m1",
        "source": "/test",
        "type": str(payload.message_type),
        "subject": "s1",
        "time": NOW,
        "data": Raw(msgspec.json.encode(payload)),
    }
    return Envelope(**{**usual, **attributes})


def body(payload: Payload, **attributes: Any) -> bytes:
    """A valid envelope's bytes."""
    return encode(envelope(payload, **attributes))


def fields(payload: Payload | None = None, **attributes: Any) -> dict[str, Any]:
    """A valid envelope as JSON fields, which `attributes` may spoil."""
    return {**msgspec.json.decode(body(payload or Add(1))), **attributes}


def spoiled(**attributes: Any) -> bytes:
    """An envelope's bytes with some attributes replaced by whatever is given."""
    return msgspec.json.encode(fields(**attributes))


def delivery(payload: Payload, attempts: int = 1, *, addressed: bool = False, **attributes: Any) -> Delivery:
    """A valid message as a channel hands it over."""
    return Delivery(body(payload, **attributes), attempts, addressed)


def message(payload: Payload, **attributes: Any) -> Message[Any]:
    """What a handler is given."""
    return Message(envelope(payload, **attributes), payload)


def adds(*amounts: int, **attributes: Any) -> list[Delivery]:
    """Deliveries `m1`, `m2`, … that add these amounts."""
    return [delivery(Add(amount), id=f"m{number}", **attributes) for number, amount in enumerate(amounts, 1)]


def recording(calls: list[str]) -> Callable[[Tally, Message[Add]], Iterable[Emission]]:
    """The usual handler, which notes whom it was called for."""

    def add_and_note(tally: Tally, message: Message[Add]) -> Iterable[Emission]:
        calls.append(message.id)
        return add(tally, message)

    return add_and_note


def raising(error: BaseException) -> Callable[[Tally, Message[Add]], Iterable[Emission]]:
    """A handler that raises for amounts below zero, and is the usual one for others."""

    def add_or_raise(tally: Tally, message: Message[Add]) -> Iterable[Emission]:
        if message.data.amount < 0:
            raise error
        return add(tally, message)

    return add_or_raise


def inflate(tally: Tally, message: Message[Add]) -> Iterable[Emission]:
    """As many messages as asked for, of which two fit into a commit and three don't."""
    return [Added(1, tally.total + index, "x" * 150_000) for index in range(1, message.data.amount + 1)]


def folded(service: Service, *payloads: Payload) -> Any:
    """The state of a service that emitted these."""
    state = service.state()
    for payload in payloads:
        fold = service.emits[type(payload)]
        state = fold(state, payload) if fold else state
    return state


# -- providers that remember what they were asked for

RECEIPT, PARCEL = Receipt("r1"), Parcel("Snail", "1Z")


class RecordingGateway:
    """Moves no money; answers each call with `answer`, which is raised if it is an error."""

    def __init__(self, answer: Receipt | Decline | Exception = RECEIPT) -> None:
        self.answer = answer
        self.calls: list[tuple[str, str, Money]] = []

    def capture(self, key: str, order: str, money: Money) -> Receipt | Decline:
        self.calls.append((key, order, money))
        return _given(self.answer)

    refund = capture


class RecordingCarrier:
    """Takes no parcel."""

    def __init__(self, answer: Parcel | Refusal | Exception = PARCEL) -> None:
        self.answer = answer
        self.calls: list[tuple[str, str]] = []

    def dispatch(self, key: str, order: str) -> Parcel | Refusal:
        self.calls.append((key, order))
        return _given(self.answer)


class RecordingMailer:
    """Sends no mail."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.sent: dict[str, Mail] = {}

    def send(self, key: str, mail: Mail) -> None:
        _given(self.error)
        assert key not in self.sent
        self.sent[key] = mail


def _given(answer: Any) -> Any:
    if isinstance(answer, Exception):
        raise answer
    return answer


# -- adapters with faults


class RacingStore(MemoryStore):
    """Lets each rival act just before one append: the first before the first append, and so on."""

    def __init__(self) -> None:
        super().__init__()
        self.rivals: list[Callable[[], object]] = []
        self.appends = 0

    def append(self, commit: Commit) -> None:
        self.appends += 1
        if self.rivals:
            self.rivals.pop(0)()
        super().append(commit)

    def overtake(self, stream: str) -> None:
        """Commit something else to the stream."""
        MemoryStore.append(self, Commit(stream, len(list(self.read(stream))) + 1, NOW.timestamp()))


class FailingStore(MemoryStore):
    """Raises `append_error` from `append`, before or after the commit is in, and what `unreadable` says from `read`."""

    def __init__(self) -> None:
        super().__init__()
        self.append_error: Exception | None = None
        self.applied_all_the_same = False
        self.unreadable: dict[str, Exception] = {}

    def append(self, commit: Commit) -> None:
        if self.append_error is None or self.applied_all_the_same:
            super().append(commit)
        if self.append_error is not None:
            raise self.append_error

    def read(self, stream: str, before: int | None = None) -> Any:
        if stream in self.unreadable:
            raise self.unreadable[stream]
        return super().read(stream, before)


class RecordingBroker(MemoryBroker):
    """A broker that remembers what was published, and loses what a test tells it to."""

    def __init__(self, catalog: Catalog, clock: FakeClock) -> None:
        super().__init__(catalog, clock)
        self.published: list[Outgoing] = []
        self.lost: set[str] = set()
        self.down = False

    def publish(self, messages: Any) -> set[str]:
        if self.down:
            raise PublishFailed("the bus is down")
        confirmed = [m for m in messages if m.id not in self.lost]
        self.published += confirmed
        super().publish(confirmed)
        return {m.id for m in messages} & self.lost

    def set(self, timers: Any) -> None:
        if self.down:
            raise PublishFailed("the timer index is down")
        super().set(timers)


# -- the whole of it


class World:
    """One service with its receiver, between a memory store and a memory broker."""

    def __init__(  # noqa: PLR0913 - what a test may want to replace
        self,
        service: Service,
        *,
        catalog: Catalog | None = None,
        store: MemoryStore | None = None,
        clock: FakeClock | None = None,
        broker: RecordingBroker | None = None,
        provider: Any = None,
        random: Callable[[], float] = lambda: 0.5,
    ) -> None:
        self.service = service
        self.clock = clock or FakeClock()
        self.store = store or MemoryStore()
        self.broker = broker or RecordingBroker(catalog or Catalog([service]), self.clock)
        self.counters = Counters()
        self.lines = BytesIO()
        self.settled: list[list[tuple[Delivery, Outcome]]] = []
        self.receiver = Receiver(
            service,
            store=self.store,
            bus=self.broker,
            timers=self.broker,
            clock=self.clock,
            random=random,
            telemetry=Several(JsonLines(self.lines), self.counters),
            provider=provider,
        )

    def receive(self, *deliveries: Delivery, deadline: float | None = None) -> list[Outcome]:
        """Each delivery's outcome, in their order; a delivery without exactly one is an error."""
        before = len(self.settled)
        self.receiver.receive(deliveries, lambda batch: self.settled.append(list(batch)), deadline)
        pairs = [pair for batch in self.settled[before:] for pair in batch]
        found = {id(each): outcome for each, outcome in pairs}
        assert len(pairs) == len(deliveries)
        return [found[id(each)] for each in deliveries]

    def work(self, *bodies: bytes, addressed: bool = True) -> None:
        """Put bytes into the service's channel, and handle all that is due there."""
        to = self.service.name if addressed else None
        type_ = next(str(payload.message_type) for payload in self.service.handles)
        self.broker.publish([Outgoing("", type_, "", each, to) for each in bodies])
        self.broker.published.clear()
        leased = self.broker.lease(self.service.name, 1000, 60)
        self.receiver.receive(leased, lambda batch: self.broker.settle(self.service.name, batch))

    def commits(self, stream: str | None = None) -> list[Commit]:
        """A stream's commits, oldest first."""
        return list(self.store.read(stream or f"{self.service.name}/s1"))[::-1]

    def published(self) -> list[Envelope]:
        """What went to the bus."""
        return [msgspec.json.decode(m.body, type=Envelope) for m in self.broker.published]

    def totals(self) -> list[int]:
        """The sums that went to the bus."""
        return [msgspec.json.decode(made.data, type=Added).total for made in self.published()]

    def parked(self) -> list[Parked]:
        """The dead letters."""
        return list(self.broker.parked(self.service.name))

    def waiting(self) -> list[bytes]:
        """What is still in the channel."""
        return self.broker.waiting(self.service.name)

    def timers(self) -> list[Timer]:
        """What is set."""
        return self.broker.pending()

    def log(self) -> list[dict[str, Any]]:
        """The log lines."""
        return [msgspec.json.decode(line) for line in self.lines.getvalue().splitlines()]
