"""Two services over memory, for what reads history across services: a tally that is added to, a scribe that listens."""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from msgspec import Struct

from infra.local.memory import MemoryBroker, MemoryStore
from shared.kernel.catalog import Catalog
from shared.kernel.history import History
from shared.kernel.message import About, After, Emission, Message, Payload, event
from shared.kernel.outcome import DONE
from shared.kernel.ports import Depth, Outgoing, System, Timer
from shared.kernel.receiver import Receiver
from shared.kernel.service import Service
from shared.kernel.telemetry import Counters
from tests.support.kernel_fakes import Add, Added, FakeClock, Noted, Reminded, Tally, add, envelope, ignore

PAGE = "page"
"""The key of all that the scribe writes."""


@event("scribe.wrote.v1")
class Wrote(Payload, frozen=True):
    """A line was written; the tally takes notice."""

    line: str


class Book(Struct, frozen=True):
    """How many lines there are."""

    lines: int = 0

    def wrote(self, _: Wrote) -> "Book":
        return Book(self.lines + 1)


def add_and_remind(tally: Tally, message: Message[Add]) -> Iterable[Emission]:
    """Add, remember in private, and set a timer."""
    return [*add(tally, message), Noted("for me"), After(90, Reminded())]


def write(_: Book, message: Message[Added]) -> Iterable[Emission]:
    """One line about another subject; a note that begins with `!` is too much for a scribe."""
    if message.data.note.startswith("!"):
        raise RuntimeError("no ink")
    return [About(f"line-{message.data.total}", Wrote(message.data.note))]


TALLY = Service(
    name="tally",
    state=Tally,
    handles={Add: add_and_remind, Reminded: ignore, Wrote: ignore},
    emits={Added: Tally.added, Noted: Tally.remember, Reminded: None},
)
SCRIBE = Service(name="scribe", state=Book, handles={Added: write}, emits={Wrote: Book.wrote}, key=lambda _: PAGE)


class Desk:
    """What an operator of a memory broker can ask: what waits."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker

    def waiting(self, service: str) -> Iterator[bytes]:
        """See Operations."""
        yield from self._broker.waiting(service)
        yield from (timer.message.body for timer in self._broker.pending() if timer.message.to == service)

    def depth(self, service: str) -> Depth:
        """See Operations."""
        return Depth(waiting=len(self._broker.waiting(service)), leased=0, dead=len(list(self._broker.parked(service))))


class CloudDesk(Desk):
    """What an operator of a cloud can ask: how much waits, but not what."""

    def waiting(self, service: str) -> Iterator[bytes]:
        """See Operations."""
        return iter(())


class Flow:
    """The two services, and messages on their way between them."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.catalog = Catalog([TALLY, SCRIBE])
        self.store = MemoryStore()
        self.broker = MemoryBroker(self.catalog, self.clock)
        broker, desk = self.broker, Desk(self.broker)
        self.system = System(self.store, broker, broker, broker, broker, desk, self.clock)  # type: ignore[arg-type]
        self._receivers = {name: self._receiver(service) for name, service in self.catalog.services.items()}

    def _receiver(self, service: Service) -> Receiver:
        return Receiver(
            service,
            store=self.store,
            bus=self.broker,
            timers=self.broker,
            clock=self.clock,
            random=lambda: 0.5,
            telemetry=Counters(),
        )

    @property
    def history(self) -> History:
        """As a command would read it: anew."""
        return History(self.catalog, self.store)

    def send(self, *payloads: Payload, **attributes: Any) -> None:
        """Publish messages from outside."""
        for payload in payloads:
            made = envelope(payload, **attributes)
            self.broker.publish([Outgoing(made.id, made.type, made.subject, msgspec.json.encode(made))])

    def work(self, *services: str) -> None:
        """Let services, or all of them, handle what is due, until nothing is."""
        names = services or tuple(self._receivers)
        while sum(self._visit(name) for name in names):
            pass

    def _visit(self, name: str) -> bool:
        batch = self.broker.lease(name, 100, 60)
        self._receivers[name].receive(batch, lambda settled: self.broker.settle(name, settled))
        return bool(batch)

    def handle(self, *payloads: Payload, **attributes: Any) -> None:
        """Publish messages and let everything be handled."""
        self.send(*payloads, **attributes)
        self.work()

    def lose(self, service: str) -> int:
        """All that waits in a channel is gone."""
        lost = self.broker.lease(service, 1000, 60)
        self.broker.settle(service, [(delivery, DONE) for delivery in lost])
        return len(lost)

    def lose_timers(self) -> list[Timer]:
        """All timers are gone."""
        lost = self.broker.pending()
        self.broker.remove(lost)
        return lost
