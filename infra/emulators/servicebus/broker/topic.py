"""A topic: every subscription that has a rule for a message gets its own copy."""

from collections.abc import Iterable

import msgspec

from infra.emulators.servicebus.broker.context import Context
from infra.emulators.servicebus.broker.entity import Entity
from infra.emulators.servicebus.broker.errors import EntityNotFound, QuotaExceeded
from infra.emulators.servicebus.broker.message import Entry, Journey, Message
from infra.emulators.servicebus.broker.queue import Queue
from infra.emulators.servicebus.broker.settings import Rule, TopicSettings
from infra.emulators.servicebus.broker.store import Kept


class Topic(Entity):
    """It keeps nothing but what is scheduled."""

    def __init__(self, path: str, settings: TopicSettings, context: Context, kept: Kept) -> None:
        super().__init__(path, context, kept, settings.duplicate_window, settings.max_message_bytes)
        self.settings = settings
        self._subscriptions: dict[str, tuple[Queue, dict[str, Rule]]] = {}
        for entry in kept.entries:
            self.schedule.restore(entry)

    def subscribe(self, queue: Queue, rules: Iterable[Rule]) -> None:
        """From now on messages that one of the rules matches go to the queue too."""
        self._subscriptions[queue.settings.name.lower()] = (queue, {rule.name.lower(): rule for rule in rules})

    def unsubscribe(self, queue: Queue) -> None:
        """From now on the queue gets nothing."""
        del self._subscriptions[queue.settings.name.lower()]

    @property
    def subscriptions(self) -> list[Queue]:
        """The queues that get copies."""
        return [queue for queue, _ in self._subscriptions.values()]

    def rule(self, subscription: str, name: str) -> Rule:
        """A rule of a subscription; raises EntityNotFound."""
        rules = self._rules(subscription)
        if name.lower() not in rules:
            raise EntityNotFound(f"'{self.path}/Subscriptions/{subscription}' has no rule '{name}'.")
        return rules[name.lower()]

    def add_rule(self, subscription: str, rule: Rule) -> None:
        """Have a subscription take what the rule matches, too; raises EntityNotFound."""
        self._rules(subscription)[rule.name.lower()] = rule

    def remove_rule(self, subscription: str, name: str) -> None:
        """Have a subscription forget a rule; raises EntityNotFound."""
        del self._rules(subscription)[self.rule(subscription, name).name.lower()]

    def _rules(self, subscription: str) -> dict[str, Rule]:
        if subscription.lower() not in self._subscriptions:
            raise EntityNotFound(f"'{self.path}' has no subscription '{subscription}'.")
        return self._subscriptions[subscription.lower()][1]

    def check(self, message: Message) -> None:
        """Raise BrokerError if the message can't be taken."""
        super().check(message)
        held = self.schedule.bytes + sum(queue.bytes for queue, _ in self._subscriptions.values())
        if held + message.size > self.settings.max_bytes:
            raise QuotaExceeded(f"'{self.path}' is full: it may hold {self.settings.max_bytes} bytes.")

    def peek(self, first: int, count: int, session_id: str | None = None) -> list[Entry]:
        """Scheduled messages, from a number on."""
        self._context.advance()
        entries = [each for _, each in sorted(self.schedule.entries.items()) if each.number >= first]
        return [each for each in entries if session_id in (None, each.message.session_id)][:count]

    def _enqueue(self, message: Message, journey: Journey) -> int:
        number = journey.first_number or self._numbers.next()
        limits = [each for each in (message.time_to_live, self.settings.time_to_live) if each is not None]
        copy = msgspec.structs.replace(message, time_to_live=min(limits, default=None))
        for queue, rules in self._subscriptions.values():
            if any(rule.matches(message) for rule in rules.values()):
                queue.arrive(copy, msgspec.structs.replace(journey, first_number=number))
        return number
