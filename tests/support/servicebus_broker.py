"""The Service Bus emulator's broker without a network: the clock stands still, tokens count, entities are at hand."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from infra.emulators.servicebus.broker.filters import everything
from infra.emulators.servicebus.broker.message import Entry, Message
from infra.emulators.servicebus.broker.namespace import DEAD_LETTERS, Namespace
from infra.emulators.servicebus.broker.settings import (
    NamespaceSettings,
    QueueSettings,
    Rule,
    SubscriptionSettings,
    TopicSettings,
)
from infra.emulators.servicebus.broker.store import NoStore, Store

SECOND = 1000
EVERYTHING = (Rule(name="$Default", matches=everything),)


@dataclass
class World:
    """A namespace whose time passes when a test says so."""

    settings: NamespaceSettings
    now: int = 1_700_000_000_000
    tokens: int = 0
    store: Store | None = None

    def __post_init__(self):
        self.start()

    def start(self):
        """Begin, or begin again with what the store has."""
        self.namespace = Namespace(self.settings, lambda: self.now, self._token, self.store or NoStore())

    def find(self, path: str) -> Any:
        return self.namespace.find(path)

    def dead(self, path: str) -> Any:
        return self.namespace.find(path + DEAD_LETTERS)

    def passes(self, milliseconds: int):
        """Let time pass, and have done what becomes due."""
        self.now += milliseconds
        self.namespace.advance()

    def _token(self) -> UUID:
        self.tokens += 1
        return UUID(int=self.tokens)


def queue(name: str = "orders", **settings: Any) -> QueueSettings:
    """A queue that locks for 30 s and delivers three times, unless told otherwise."""
    return QueueSettings(**{"name": name, "lock_duration": 30 * SECOND, "max_delivery_count": 3, **settings})


def subscription(name: str, *rules: Rule, **settings: Any) -> SubscriptionSettings:
    """A subscription; without rules it takes everything."""
    return SubscriptionSettings(name=name, rules=rules or EVERYTHING, **settings)


def world(*entities: QueueSettings | TopicSettings, store: Store | None = None) -> World:
    """A namespace of these entities, or of the one queue `orders`."""
    settings = NamespaceSettings(
        queues=tuple(each for each in entities or (queue(),) if isinstance(each, QueueSettings)),
        topics=tuple(each for each in entities if isinstance(each, TopicSettings)),
    )
    return World(settings, store=store)


def message(body: str = "", **fields: Any) -> Message:
    """A message that reads as its body."""
    return Message(**{"content": body, "size": len(body), **fields})


def bodies(entries: list[Entry]) -> list[Any]:
    """What messages read as."""
    return [each.message.content for each in entries]


def received(there: Any, session: Any = None) -> list[Any]:
    """Complete everything that waits in a queue; what it was, in its order."""
    found = []
    while (entry := there.receive(session)) is not None:
        there.complete(entry.token)
        found.append(entry.message.content)
    return found
