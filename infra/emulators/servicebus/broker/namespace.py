"""Builds everything that the settings name, and finds it by its address."""

from collections.abc import Iterator

import msgspec

from infra.emulators.servicebus.broker.agenda import Action
from infra.emulators.servicebus.broker.context import Clock, Context, Tokens
from infra.emulators.servicebus.broker.errors import EntityNotFound, NotAllowed
from infra.emulators.servicebus.broker.queue import Queue
from infra.emulators.servicebus.broker.session_queue import SessionQueue
from infra.emulators.servicebus.broker.settings import (
    NamespaceSettings,
    QueueSettings,
    SubscriptionSettings,
    TopicSettings,
)
from infra.emulators.servicebus.broker.store import Store
from infra.emulators.servicebus.broker.topic import Topic
from shared.kernel.errors import ConfigurationError

DEAD_LETTERS = "/$DeadLetterQueue"
TRANSFER_DEAD_LETTERS = "/$Transfer/$DeadLetterQueue"


class Namespace:
    """The broker. Its names don't care for case."""

    def __init__(self, settings: NamespaceSettings, clock: Clock, tokens: Tokens, store: Store) -> None:
        self._context = Context(clock, tokens, store)
        self._entities: dict[str, Queue | Topic] = {}
        for queue in settings.queues:
            self._add_queue(queue.name, queue)
        for topic in settings.topics:
            self._add_topic(topic)
        for each in [each for each in self if isinstance(each, Queue)]:
            self._connect(each)
        self._context.store.commit()

    def find(self, path: str) -> Queue | Topic:
        """A queue, a topic, a subscription or the dead-letter queue of one; raises EntityNotFound."""
        entity = self._entities.get(path.strip("/").lower())
        if entity is None:
            raise EntityNotFound(f"The messaging entity '{path}' could not be found.")
        return entity

    def find_topic(self, path: str) -> Topic:
        """A topic; raises EntityNotFound."""
        topic = self.find(path)
        if not isinstance(topic, Topic):
            raise EntityNotFound(f"'{path}' is no topic.")
        return topic

    def add_queue(self, settings: QueueSettings) -> None:
        """Make a queue; raises ConfigurationError, and makes none, when it is to forward to what is not there."""
        self._check_targets(settings.name, settings)
        queue = self._add_queue(settings.name, settings)
        self._connect(queue)
        self._resume_forwarding(queue)

    def add_topic(self, settings: TopicSettings) -> None:
        """Make a topic, without its subscriptions."""
        self._add_topic(msgspec.structs.replace(settings, subscriptions=()))
        self._resume_forwarding(self.find(settings.name))

    def add_subscription(self, topic: str, settings: SubscriptionSettings) -> None:
        """Make a subscription of a topic; raises EntityNotFound, and ConfigurationError as `add_queue` does."""
        found = self.find_topic(topic)
        self._check_targets(f"{found.path}/Subscriptions/{settings.name}", settings)
        self._connect(self._subscribe(found, settings))

    def remove(self, path: str) -> None:
        """Remove an entity and all that it holds, a topic with its subscriptions; raises EntityNotFound.

        What forwards to it goes on when there is another of its name; until then messages wait beside the forwarding
        queue, as they do when one is full.
        """
        entity = self.find(path)
        if isinstance(entity, Topic):
            for queue in entity.subscriptions:
                self.remove(queue.path)
        elif entity.dead_letters is None:
            raise NotAllowed(f"'{path}' can't be removed by itself.")
        elif isinstance(entity.settings, SubscriptionSettings):
            self.find_topic(entity.path.rpartition("/Subscriptions/")[0]).unsubscribe(entity)
        for ending in ("",) if isinstance(entity, Topic) else ("", DEAD_LETTERS, TRANSFER_DEAD_LETTERS):
            self._entities.pop((entity.path + ending).lower()).end()

    def advance(self) -> None:
        """Do what has become due."""
        self._context.advance()

    @property
    def next_due(self) -> int | None:
        """When `advance` will have something to do, in milliseconds since the epoch."""
        return self._context.agenda.next

    def at(self, time: int, action: Action) -> None:
        """Have something done at a time, in milliseconds since the epoch, by `advance`."""
        self._context.agenda.at(time, action)

    @property
    def now(self) -> int:
        """The time of the last `advance`."""
        return self._context.now

    def take_stirred(self) -> list[Queue]:
        """The queues in which a receiver may find something new since the last call."""
        stirred = list(self._context.stirred)
        self._context.stirred.clear()
        return stirred

    def commit(self) -> None:
        """Make what has happened last; to be called before anybody is told of it."""
        self._context.store.commit()

    def __iter__(self) -> Iterator[Queue | Topic]:
        return iter(self._entities.values())

    def _add_queue(self, path: str, settings: QueueSettings) -> Queue:
        kind = SessionQueue if settings.requires_session else Queue
        queue = kind(path, settings, self._context, self._context.store.load(path))
        queue.dead_letters = self._add_dead_letters(path + DEAD_LETTERS, settings)
        queue.transfer_dead_letters = self._add_dead_letters(path + TRANSFER_DEAD_LETTERS, settings)
        self._entities[path.lower()] = queue
        return queue

    def _add_dead_letters(self, path: str, settings: QueueSettings) -> Queue:
        its = QueueSettings(name=path, lock_duration=settings.lock_duration, max_bytes=2**63, keeps_all=True)
        queue = Queue(path, its, self._context, self._context.store.load(path))
        self._entities[path.lower()] = queue
        return queue

    def _add_topic(self, settings: TopicSettings) -> list[Queue]:
        topic = Topic(settings.name, settings, self._context, self._context.store.load(settings.name))
        self._entities[settings.name.lower()] = topic
        return [self._subscribe(topic, subscription) for subscription in settings.subscriptions]

    def _subscribe(self, topic: Topic, settings: SubscriptionSettings) -> Queue:
        queue = self._add_queue(f"{topic.path}/Subscriptions/{settings.name}", settings)
        topic.subscribe(queue, settings.rules)
        return queue

    def _connect(self, queue: Queue) -> None:
        if queue.settings.forward_to:
            queue.forward = self._target(queue.path, "ForwardTo", queue.settings.forward_to)
        if queue.settings.forward_dead_letters_to and queue.dead_letters is not None:
            name = queue.settings.forward_dead_letters_to
            queue.dead_letters.forward = self._target(queue.path, "ForwardDeadLetteredMessagesTo", name)

    def _check_targets(self, path: str, settings: QueueSettings) -> None:
        for setting, name in (
            ("ForwardTo", settings.forward_to),
            ("ForwardDeadLetteredMessagesTo", settings.forward_dead_letters_to),
        ):
            if name:
                self._target(path, setting, name)

    def _resume_forwarding(self, entity: Queue | Topic) -> None:
        """One of its name may have been removed while others forwarded to it."""
        for each in self:
            if (
                isinstance(each, Queue)
                and each.forward is not None
                and each.forward.path.lower() == entity.path.lower()
            ):
                each.forward = entity

    def _target(self, path: str, setting: str, name: str) -> Queue | Topic:
        try:
            return self.find(name)
        except EntityNotFound:
            raise ConfigurationError(f"'{path}' has {setting} '{name}', and there is no such queue or topic") from None
