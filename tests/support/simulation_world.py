"""The world of one simulated run: its time, what is stored and under way, what happened outside, what goes wrong."""

import random
from collections.abc import Callable, Sequence

from greenlet import getcurrent

from infra.local.memory import MemoryBroker, MemoryStore
from shared.kernel.catalog import Catalog
from shared.kernel.ports import Clock, Delivery, Outgoing, Parked
from tests.support.faults import CALL_OF, Call
from tests.support.faults_providers import Books
from tests.support.simulation_clients import messages
from tests.support.simulation_story import told
from tests.support.simulation_workload import START, Schedule, order_id

Say = Callable[[str], None]


class World:
    """What the ports act on; `broken` lists what was seen to be wrong on the way."""

    def __init__(self, plan: Schedule, catalog: Catalog, clock: Clock, say: Say | None = None) -> None:
        self.plan = plan
        self.rng = random.Random(plan.seed)
        self.time = START.timestamp()
        self.catalog = catalog
        self.store = MemoryStore()
        self.broker = MemoryBroker(catalog, clock)
        self.books = Books()
        self.sent = messages(plan)
        self.published: dict[str, bytes] = {}
        self.broken: list[str] = []
        self.seen: set[str] = set()
        """Faults that struck and outcomes that were settled."""
        self.current = 0
        """The worker whose turn it is."""
        self.unflushed: set[int] = set()
        """Workers that made a claim which a power cut could still take back."""
        self.open_until: dict[str, float] = {}
        """When a provider's circuit closes."""
        self.declined = _orders(plan, "declined")
        self.undeliverable = _orders(plan, "undeliverable")
        self.held: list[Outgoing] = []
        """On the bus, and in no channel yet."""
        self.stirring: dict[str, bool] = {}
        """Services whose channels may hold something: to ask all of them at every turn takes longer than all else."""
        self._armed: dict[Call, list[str]] = {}
        self._say = say

    def pause(self, does: str, *what: object) -> None:
        """Let the scheduler decide who goes on; the caller may be killed here."""
        getcurrent().parent.switch()
        if self._say is not None:
            self.say(f"worker {self.current} {does}", *what)

    def arm(self, fault: str) -> None:
        """Let a fault wait for the next call of its kind."""
        self._armed.setdefault(CALL_OF[fault], []).append(fault)

    def disarm(self) -> None:
        """Forget faults that met no call."""
        self._armed.clear()

    def strikes(self, call: Call) -> str | None:
        """The fault that has waited for a call of this kind, if one has."""
        waiting = self._armed.get(call)
        if not waiting:
            return None
        fault = waiting.pop()
        self.note(fault)
        return fault

    def hand_over(self, outgoing: Sequence[Outgoing]) -> None:
        """Take messages into the bus's custody; some are on their way for longer than others."""
        at_once = []
        for message in outgoing:
            if self.published.setdefault(message.id, message.body) != message.body:
                self.broken.append(f"two contents under the id {message.id}")
            (self.held if self.rng.random() < 0.2 else at_once).append(message)
        self.deliver(at_once)

    def deliver(self, outgoing: Sequence[Outgoing]) -> None:
        """Put messages into the channels that they are for."""
        for message in outgoing:
            for name in (message.to,) if message.to else self.catalog.subscribers(message.type):
                self.stirring[name] = True
        self.broker.publish(outgoing)

    def copy(self, service: str, body: bytes) -> None:
        """Put a copy of a delivery back into its channel."""
        self.deliver([Outgoing("", "", "", body, service)])

    def replay(self, letter: Parked) -> None:
        """Do as the operator does."""
        self.stirring[letter.service] = True
        self.broker.replay(letter)

    def lease(self, service: str, limit: int, seconds: float) -> list[Delivery]:
        """Take what can be had from a channel."""
        deliveries = self.broker.lease(service, limit, seconds)
        if not deliveries and not self.broker.waiting(service):
            del self.stirring[service]
        return deliveries

    def letters(self) -> list[Parked]:
        """Every dead letter."""
        return [letter for name in self.catalog.services for letter in self.broker.parked(name)]

    def note(self, fault: str, *what: object) -> None:
        """Remember that a fault struck."""
        self.seen.add(fault)
        self.say(f"FAULT: {fault}", *what)

    def say(self, what: str, *things: object) -> None:
        """Tell the story, if anybody listens."""
        if self._say is not None:
            words = " ".join(told(thing) for thing in things)
            self._say(f"{self.time - START.timestamp():9.2f}  {what} {words}".rstrip())


def _orders(plan: Schedule, fate: str) -> set[str]:
    return {order_id(index) for index, order in enumerate(plan.orders) if order.fate.endswith(fate)}
