"""What a request for administration does to the namespace. Called between two events of the AMQP side."""

import logging
import re
from http import HTTPStatus
from urllib.parse import unquote

import msgspec

from infra.emulators.servicebus import config
from infra.emulators.servicebus.administration import atom, descriptions
from infra.emulators.servicebus.administration.descriptions import known
from infra.emulators.servicebus.broker.errors import EntityNotFound, InvalidRequest, NotSupported
from infra.emulators.servicebus.broker.namespace import Namespace
from infra.emulators.servicebus.broker.queue import Queue
from infra.emulators.servicebus.broker.settings import QueueSettings, Rule, Status, SubscriptionSettings
from infra.emulators.servicebus.broker.topic import Topic

_WORDS = ("subscriptions", "rules")
_NAME = re.compile(r"[$\w][\w.-]*", re.ASCII)

_log = logging.getLogger(__name__)

Answer = tuple[HTTPStatus, bytes]
Names = list[str]
"""Of a queue or a topic, then of a subscription, then of a rule."""


class Administration:
    """Looks at entities, makes them, changes their status, and removes them."""

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace

    def get(self, path: str) -> Answer:
        """The description of an entity; raises EntityNotFound."""
        return HTTPStatus.OK, descriptions.written(self._find(_names(path)))

    def put(self, path: str, body: bytes, *, update: bool) -> Answer:
        """Make an entity, or change the status of one that is there; raises BrokerError or ConfigurationError."""
        names, (kind, properties) = _names(path), atom.read(body)
        if update:
            self._update(names, properties)
            return self.get(path)
        if self._has(names):
            return HTTPStatus.CONFLICT, f"'{_path(names)}' is there already.".encode()
        self._make(kind, names, properties)
        return HTTPStatus.CREATED, self.get(path)[1]

    def delete(self, path: str) -> Answer:
        """Remove an entity; raises EntityNotFound."""
        names = _names(path)
        match names:
            case [topic, subscription, rule]:
                self._namespace.find_topic(topic).remove_rule(subscription, rule)
            case _:
                self._namespace.remove(_path(names))
        _log.info("%s is removed", _path(names))
        return HTTPStatus.OK, b""

    def _find(self, names: Names) -> Queue | Topic | Rule:
        match names:
            case [topic, subscription, rule]:
                return self._namespace.find_topic(topic).rule(subscription, rule)
            case _:
                return self._namespace.find(_path(names))

    def _has(self, names: Names) -> bool:
        try:
            self._find(names)
        except EntityNotFound:
            return False
        return True

    def _make(self, kind: str, names: Names, properties: atom.Description) -> None:
        if not _NAME.fullmatch(names[-1]):
            raise InvalidRequest(f"'{names[-1]}' is no name: letters, digits, '.', '-' and '_' make one.")
        status = descriptions.status(properties, Status.ACTIVE)
        if kind not in (descriptions.QUEUE, descriptions.SUBSCRIPTION) or properties.get("ForwardTo"):
            _check_goes_on(names, status)
        match kind, names:
            case descriptions.QUEUE, [name]:
                self._namespace.add_queue(config.queue(name, known(config.QUEUE, name, properties)))
            case descriptions.TOPIC, [name]:
                self._namespace.add_topic(config.topic(name, known(config.TOPIC, name, properties)))
            case descriptions.SUBSCRIPTION, [topic, name]:
                settings = config.subscription(name, known(config.SUBSCRIPTION, name, properties))
                self._namespace.add_subscription(topic, settings)
            case descriptions.RULE, [topic, subscription, name]:
                rule = config.rule(name, descriptions.rule(properties))
                self._namespace.find_topic(topic).add_rule(subscription, rule)
            case _:
                raise InvalidRequest(f"'{_path(names)}' can't be made from a {kind}.")
        _log.info("%s is made", _path(names))
        self._set_status(names, status)

    def _update(self, names: Names, properties: atom.Description) -> None:
        queue = self._find(names)
        if not isinstance(queue, Queue):
            raise NotSupported(f"'{_path(names)}' can't be changed here.")
        status = descriptions.status(properties, queue.status)
        if _settings(queue, properties) != queue.settings:
            raise NotSupported(f"Of '{queue.path}' only the Status can be changed here.")
        if queue.forward is not None:
            _check_goes_on(names, status)
        self._set_status(names, status)

    def _set_status(self, names: Names, status: Status) -> None:
        queue = self._find(names)
        if isinstance(queue, Queue) and queue.status is not status:
            queue.set_status(status)
            _log.info("%s is %s", queue.path, status)


def _check_goes_on(names: Names, status: Status) -> None:
    if status is not Status.ACTIVE:
        raise NotSupported(f"'{_path(names)}' holds no messages, and can't be {status} here.")


def _settings(queue: Queue, properties: atom.Description) -> QueueSettings:
    """What a description makes of a queue that is there."""
    name = queue.settings.name
    if isinstance(queue.settings, SubscriptionSettings):
        described = config.subscription(name, known(config.SUBSCRIPTION, name, properties))
        return msgspec.structs.replace(described, rules=queue.settings.rules)
    return config.queue(name, known(config.QUEUE, name, properties))


def _names(path: str) -> Names:
    parts = unquote(path.partition("?")[0]).strip("/").split("/")
    words = tuple(each.lower() for each in parts[1::2])
    if len(parts) % 2 == 0 or parts[0].startswith("$") or words != _WORDS[: len(words)]:
        raise NotSupported(f"'{'/'.join(parts)}' is no queue, topic, subscription or rule; nothing is listed here.")
    return parts[::2]


def _path(names: Names) -> str:
    return "".join(f"{word}{name}" for word, name in zip(("", "/Subscriptions/", "/Rules/"), names, strict=False))
