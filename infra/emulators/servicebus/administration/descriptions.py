"""What is said of entities: their settings and counts, and which of a client's wishes are followed."""

import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from infra.emulators.servicebus.administration import atom
from infra.emulators.servicebus.broker.errors import InvalidRequest, NotSupported
from infra.emulators.servicebus.broker.message import State
from infra.emulators.servicebus.broker.queue import Queue
from infra.emulators.servicebus.broker.settings import (
    MEGABYTE,
    QueueSettings,
    Rule,
    Status,
    SubscriptionSettings,
    TopicSettings,
)
from infra.emulators.servicebus.broker.topic import Topic

QUEUE, TOPIC, SUBSCRIPTION, RULE = (f"{each}Description" for each in ("Queue", "Topic", "Subscription", "Rule"))
"""The kinds of descriptions."""

_FORWARDS = ("ForwardTo", "ForwardDeadLetteredMessagesTo")
_DESCRIBED = frozenset(("CountDetails", "MessageCount", "Name", "SizeInBytes", "Status"))
"""What a description has beside settings."""

_log = logging.getLogger(__name__)


def written(found: Queue | Topic | Rule) -> bytes:
    """The entry of an entity; raises NotSupported for a rule that is no SQL."""
    match found:
        case Rule(name=name, sql=""):
            raise NotSupported(f"The rule '{name}' is no SQL, and can't be shown here.")
        case Rule(name=name, sql=sql):
            condition = {"type": "SqlFilter", "SqlExpression": sql}
            return atom.write(name, RULE, {"Filter": condition, "Action": {"type": "EmptyRuleAction"}, "Name": name})
        case Topic():
            return atom.write(found.path, TOPIC, {**_of_topic(found.settings), "Status": Status.ACTIVE})
        case Queue(settings=SubscriptionSettings(name=name)):
            return atom.write(name, SUBSCRIPTION, _of_queue(found))
        case Queue():
            its = {**_of_topic(found.settings), "SizeInBytes": found.bytes, **_of_queue(found)}
            return atom.write(found.path, QUEUE, its)


def known(type_: type[Any], name: str, properties: atom.Description) -> Mapping[str, Any]:
    """What Config.json has words for; the rest is named in the log."""
    names = {field.encode_name for field in msgspec.structs.fields(type_)}
    told = {each: value for each, value in properties.items() if value}
    if unknown := sorted(set(told) - names - _DESCRIBED):
        _log.info("%s: nothing is done about %s", name, ", ".join(unknown))
    return {each: _bare(each, value) for each, value in told.items() if each in names}


def status(properties: atom.Description, otherwise: Status) -> Status:
    """The status that is asked for; raises InvalidRequest."""
    wanted = properties.get("Status") or otherwise
    try:
        return Status(wanted)
    except ValueError as error:
        raise InvalidRequest(f"'{wanted}' is no status that an entity has here.") from error


def rule(properties: atom.Description) -> Mapping[str, Any]:
    """A rule as Config.json has it; raises NotSupported for what is no SQL filter."""
    found, action = (_typed(properties, each) for each in ("Filter", "Action"))
    if found.get("type") not in ("SqlFilter", "TrueFilter") or found.get("Parameters"):
        raise NotSupported("Rules are made here with an SQL filter, or with one that lets everything through.")
    if action.get("type", "EmptyRuleAction") != "EmptyRuleAction":
        raise NotSupported("Actions of rules are not supported.")
    return {"FilterType": "Sql", "SqlFilter": {"SqlExpression": found.get("SqlExpression", "1=1")}}


def _typed(properties: atom.Description, name: str) -> atom.Description:
    found = properties.get(name) or {}
    if not isinstance(found, dict):
        raise InvalidRequest(f"The {name} of the rule has no type.")
    return found


def _bare(name: str, value: Any) -> Any:
    """Clients give the address of what is forwarded to."""
    if name not in _FORWARDS or not isinstance(value, str):
        return value
    try:
        return urlsplit(value).path.strip("/")
    except ValueError as error:
        raise InvalidRequest(f"{name} '{value}' is no address.") from error


def _of_topic(settings: TopicSettings | QueueSettings) -> dict[str, Any]:
    """What queues have, too."""
    described = {"MaxSizeInMegabytes": settings.max_bytes // MEGABYTE, **_life(settings)}
    if settings.duplicate_window:
        window = atom.duration(settings.duplicate_window)
        described |= {"RequiresDuplicateDetection": True, "DuplicateDetectionHistoryTimeWindow": window}
    return described


def _life(settings: TopicSettings | QueueSettings) -> dict[str, Any]:
    life = settings.time_to_live
    return {} if life is None else {"DefaultMessageTimeToLive": atom.duration(life)}


def _of_queue(queue: Queue) -> dict[str, Any]:
    settings, counts = queue.settings, _counts(queue)
    forwards = zip(_FORWARDS, (settings.forward_to, settings.forward_dead_letters_to), strict=True)
    return {
        **_life(settings),
        "LockDuration": atom.duration(settings.lock_duration),
        "RequiresSession": settings.requires_session,
        "DeadLetteringOnMessageExpiration": settings.dead_letters_expired,
        "MaxDeliveryCount": settings.max_delivery_count,
        "MessageCount": sum(counts.values()) + queue.held(State.DEFERRED),
        "Status": queue.status,
        **{name: target for name, target in forwards if target},
        "CountDetails": counts,
    }


def _counts(queue: Queue) -> dict[str, int]:
    below = (queue.dead_letters, queue.transfer_dead_letters)
    dead, transfer_dead = (0 if each is None else each.held(*State) for each in below)
    return {
        "ActiveMessageCount": queue.held(State.ACTIVE),
        "DeadLetterMessageCount": dead,
        "ScheduledMessageCount": queue.held(State.SCHEDULED),
        "TransferMessageCount": 0,
        "TransferDeadLetterMessageCount": transfer_dead,
    }
