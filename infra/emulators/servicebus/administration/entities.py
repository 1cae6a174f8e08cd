"""What a request for administration does to the namespace. Called between two events of the AMQP side."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from infra.emulators.servicebus import config
from infra.emulators.servicebus.administration import atom
from infra.emulators.servicebus.broker.errors import EntityNotFound, InvalidRequest, NotSupported
from infra.emulators.servicebus.broker.namespace import Namespace
from infra.emulators.servicebus.broker.queue import Queue
from infra.emulators.servicebus.broker.settings import MEGABYTE, Status
from infra.emulators.servicebus.broker.topic import Topic

_FORWARDS = ("ForwardTo", "ForwardDeadLetteredMessagesTo")

_log = logging.getLogger(__name__)

Answer = tuple[HTTPStatus, bytes]


class Administration:
    """Looks at entities, makes them, changes their status, and removes them."""

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace

    def get(self, path: str) -> Answer:
        """The description of a queue or a topic; raises EntityNotFound."""
        entity = self._namespace.find(_path(path))
        kind = "QueueDescription" if isinstance(entity, Queue) else "TopicDescription"
        return HTTPStatus.OK, atom.write(entity.path, kind, _described(entity))

    def put(self, path: str, body: bytes, *, update: bool) -> Answer:
        """Make an entity, or change the status of one that is there; raises BrokerError."""
        kind, properties = atom.read(body)
        if update:
            self._update(_path(path), properties)
            return self.get(path)
        if self._namespace.has(_path(path)):
            return HTTPStatus.CONFLICT, b""
        match kind, _path(path).split("/"):
            case "QueueDescription", [name]:
                self._namespace.add_queue(config.queue(name, _known(config.QUEUE, name, properties)))
            case "TopicDescription", [name]:
                self._namespace.add_topic(config.topic(name, _known(config.TOPIC, name, properties)))
            case "SubscriptionDescription", [topic, _, name]:
                known = _known(config.SUBSCRIPTION, name, properties)
                self._namespace.add_subscription(topic, config.subscription(name, known))
            case "RuleDescription", [topic, _, subscription, _, name]:
                self._topic(topic).add_rule(subscription, config.rule(name, _rule(properties)))
            case _:
                raise NotSupported(f"'{path}' can't be made from a {kind}.")
        _log.info("%s is made", _path(path))
        return HTTPStatus.CREATED, body

    def delete(self, path: str) -> Answer:
        """Remove a queue, or a rule of a subscription; raises EntityNotFound."""
        match _path(path).split("/"):
            case [name]:
                self._namespace.remove_queue(name)
            case [topic, _, subscription, _, rule]:
                self._topic(topic).remove_rule(subscription, rule)
            case _:
                raise NotSupported(f"'{path}' can't be removed here.")
        _log.info("%s is removed", _path(path))
        return HTTPStatus.OK, b""

    def _update(self, path: str, properties: atom.Description) -> None:
        queue = self._namespace.find(path)
        if not isinstance(queue, Queue):
            raise NotSupported(f"'{path}' is a topic, and can't be changed here.")
        if config.queue(queue.settings.name, _known(config.QUEUE, path, properties)) != queue.settings:
            raise NotSupported(f"Of '{path}' only the Status can be changed here.")
        try:
            queue.set_status(Status(properties.get("Status", Status.ACTIVE)))
        except ValueError as error:
            raise InvalidRequest(f"'{properties['Status']}' is no status of a queue.") from error
        _log.info("%s is %s", path, queue.status)

    def _topic(self, name: str) -> Topic:
        topic = self._namespace.find(name)
        if not isinstance(topic, Topic):
            raise EntityNotFound(f"'{name}' is no topic.")
        return topic


def _path(path: str) -> str:
    return unquote(urlsplit(path).path).strip("/")


def _known(type_: type[Any], name: str, properties: atom.Description) -> Mapping[str, Any]:
    """What Config.json has words for; the rest is named in the log."""
    names = {field.encode_name for field in msgspec.structs.fields(type_)}
    told = {each: value for each, value in properties.items() if isinstance(value, str) and value}
    if unknown := sorted(set(told) - names - _DESCRIBED):
        _log.info("%s: nothing is done about %s", name, ", ".join(unknown))
    return {each: _bare(each, value) for each, value in told.items() if each in names}


def _bare(name: str, value: str) -> str:
    """Clients give the address of what is forwarded to."""
    return urlsplit(value).path.strip("/") if name in _FORWARDS else value


def _rule(properties: atom.Description) -> Mapping[str, Any]:
    found = properties.get("Filter", {})
    if found.get("type") not in ("SqlFilter", "TrueFilter"):
        raise NotSupported("Rules are made here with an SQL filter, or with one that lets everything through.")
    return {"FilterType": "Sql", "SqlFilter": {"SqlExpression": found.get("SqlExpression", "1=1")}}


_DESCRIBED = frozenset(("Status", "SizeInBytes", "MessageCount", "Name"))
"""What a description has beside settings."""


def _described(entity: Queue | Topic) -> dict[str, Any]:
    settings = entity.settings
    described: dict[str, Any] = {"MaxSizeInMegabytes": settings.max_bytes // MEGABYTE}
    if settings.time_to_live is not None:
        described["DefaultMessageTimeToLive"] = atom.duration(settings.time_to_live)
    if settings.duplicate_window:
        described["RequiresDuplicateDetection"] = True
        described["DuplicateDetectionHistoryTimeWindow"] = atom.duration(settings.duplicate_window)
    if isinstance(entity, Topic):
        return {**described, "Status": Status.ACTIVE}
    return {**described, **_of_queue(entity)}


def _of_queue(queue: Queue) -> dict[str, Any]:
    settings, counts = queue.settings, queue.counts()
    forwards = zip(_FORWARDS, (settings.forward_to, settings.forward_dead_letters_to), strict=True)
    return {
        "LockDuration": atom.duration(settings.lock_duration),
        "RequiresSession": settings.requires_session,
        "DeadLetteringOnMessageExpiration": settings.dead_letters_expired,
        "MaxDeliveryCount": settings.max_delivery_count,
        "MessageCount": sum(counts.values()),
        "SizeInBytes": queue.bytes,
        "Status": queue.status,
        **{name: target for name, target in forwards if target},
        "CountDetails": counts,
    }
