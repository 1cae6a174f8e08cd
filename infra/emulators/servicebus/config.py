"""Reads entities from a file in the layout of Microsoft's emulator: `UserConfig.Namespaces[].Queues`, `.Topics`."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from infra.emulators.servicebus.broker.filters import correlation, everything
from infra.emulators.servicebus.broker.settings import (
    MEGABYTE,
    Filter,
    NamespaceSettings,
    QueueSettings,
    Rule,
    SubscriptionSettings,
    TopicSettings,
)
from infra.emulators.servicebus.broker.sql import compiled
from shared.kernel.errors import ConfigurationError

T = TypeVar("T")

_LONGEST_LOCK = timedelta(minutes=5)

_Name = Annotated[str, Meta(min_length=1, max_length=260)]
_Deliveries = Annotated[int, Meta(ge=1, le=2000)]
_Megabytes = Annotated[int, Meta(ge=1, le=81_920)]


class _Part(msgspec.Struct, rename="pascal", forbid_unknown_fields=True):
    """A part of the file: a name that it doesn't know is an error."""


class _Common(_Part):
    default_message_time_to_live: timedelta | None = None


class _Receivable(_Common):
    dead_lettering_on_message_expiration: bool = False
    forward_dead_lettered_messages_to: str = ""
    forward_to: str = ""
    lock_duration: timedelta = timedelta(minutes=1)
    max_delivery_count: _Deliveries = 10
    requires_session: bool = False


class _QueueProperties(_Receivable):
    duplicate_detection_history_time_window: timedelta = timedelta(minutes=10)
    requires_duplicate_detection: bool = False
    max_size_in_megabytes: _Megabytes = 1024


class _TopicProperties(_Common):
    duplicate_detection_history_time_window: timedelta = timedelta(minutes=10)
    requires_duplicate_detection: bool = False
    max_size_in_megabytes: _Megabytes = 1024


class _CorrelationFilter(_Part):
    content_type: str = ""
    correlation_id: str = ""
    label: str = ""
    message_id: str = ""
    reply_to: str = ""
    reply_to_session_id: str = ""
    session_id: str = ""
    to: str = ""
    properties: dict[str, Any] = {}


class _Sql(_Part):
    sql_expression: str


class _RuleProperties(_Part):
    filter_type: str
    correlation_filter: _CorrelationFilter | None = None
    sql_filter: _Sql | None = None
    action: _Sql | None = None


class _Rule(_Part):
    name: _Name
    properties: _RuleProperties


class _Queue(_Part):
    name: _Name
    properties: _QueueProperties = msgspec.field(default_factory=_QueueProperties)


class _Subscription(_Part):
    name: _Name
    properties: _Receivable = msgspec.field(default_factory=_Receivable)
    rules: list[_Rule] = []


class _Topic(_Part):
    name: _Name
    properties: _TopicProperties = msgspec.field(default_factory=_TopicProperties)
    subscriptions: list[_Subscription] = []


class _Namespace(_Part):
    name: _Name
    queues: list[_Queue] = []
    topics: list[_Topic] = []


class _UserConfig(_Part):
    namespaces: Annotated[list[_Namespace], Meta(min_length=1, max_length=1)]
    logging: dict[str, Any] = {}
    """Microsoft's emulator looks at it; here the log goes to standard output."""


QUEUE, TOPIC, SUBSCRIPTION = _QueueProperties, _TopicProperties, _Receivable
"""What can be said of each."""


class _File(_Part):
    user_config: _UserConfig


def read(file: Path) -> NamespaceSettings:
    """What the file asks for; raises ConfigurationError that names the file and the place in it."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{file} can't be read: {error.strerror}") from error
    try:
        return parse(content)
    except ConfigurationError as error:
        raise ConfigurationError(f"{file}: {error}") from error


def parse(content: bytes) -> NamespaceSettings:
    """The same for the content of a file; raises ConfigurationError that names the place."""
    try:
        (namespace,) = msgspec.json.decode(content, type=_File).user_config.namespaces
    except msgspec.MsgspecError as error:
        raise ConfigurationError(str(error)) from error
    place = "$.UserConfig.Namespaces[0]"
    _check_names([*namespace.queues, *namespace.topics], f"{place}.Queues and .Topics")
    return NamespaceSettings(
        queues=tuple(_queue(each, f"{place}.Queues[{at}]") for at, each in enumerate(namespace.queues)),
        topics=tuple(_topic(each, f"{place}.Topics[{at}]") for at, each in enumerate(namespace.topics)),
    )


def queue(name: str, properties: Mapping[str, Any]) -> QueueSettings:
    """A queue from properties as texts; raises ConfigurationError that names the property."""
    return _queue(_converted(name, properties, _Queue), f"$.{name}")


def topic(name: str, properties: Mapping[str, Any]) -> TopicSettings:
    """The same for a topic."""
    return _topic(_converted(name, properties, _Topic), f"$.{name}")


def subscription(name: str, properties: Mapping[str, Any]) -> SubscriptionSettings:
    """The same for a subscription, which lets everything through."""
    return _subscription(_converted(name, properties, _Subscription), f"$.{name}")


def rule(name: str, properties: Mapping[str, Any]) -> Rule:
    """The same for a rule."""
    return _rule(_converted(name, properties, _Rule), f"$.{name}")


def _converted(name: str, properties: Mapping[str, Any], type_: type[T]) -> T:
    try:
        return msgspec.convert({"Name": name, "Properties": properties}, type_, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigurationError(str(error)) from error


def _queue(queue: _Queue, place: str) -> QueueSettings:
    properties = queue.properties
    return QueueSettings(
        **_receivable(queue.name, properties, place),
        duplicate_window=_window(properties),
        max_bytes=properties.max_size_in_megabytes * MEGABYTE,
    )


def _topic(topic: _Topic, place: str) -> TopicSettings:
    _check_names(topic.subscriptions, f"{place}.Subscriptions")
    properties = topic.properties
    subscriptions = enumerate(topic.subscriptions)
    return TopicSettings(
        name=topic.name,
        time_to_live=_milliseconds(properties.default_message_time_to_live),
        duplicate_window=_window(properties),
        max_bytes=properties.max_size_in_megabytes * MEGABYTE,
        subscriptions=tuple(_subscription(each, f"{place}.Subscriptions[{at}]") for at, each in subscriptions),
    )


def _subscription(subscription: _Subscription, place: str) -> SubscriptionSettings:
    _check_names(subscription.rules, f"{place}.Rules")
    rules = [_rule(each, f"{place}.Rules[{at}].Properties") for at, each in enumerate(subscription.rules)]
    return SubscriptionSettings(
        **_receivable(subscription.name, subscription.properties, place),
        rules=tuple(rules) or (Rule(name="$Default", matches=everything, sql="1=1"),),
    )


def _receivable(name: str, properties: _Receivable, place: str) -> dict[str, Any]:
    if not timedelta() < properties.lock_duration <= _LONGEST_LOCK:
        raise ConfigurationError(f"Expected `LockDuration` of at most PT5M - at `{place}.Properties.LockDuration`")
    if properties.requires_session and properties.forward_to:
        raise ConfigurationError(f"An entity with sessions can't forward - at `{place}.Properties.ForwardTo`")
    return {
        "name": name,
        "lock_duration": _milliseconds(properties.lock_duration),
        "max_delivery_count": properties.max_delivery_count,
        "time_to_live": _milliseconds(properties.default_message_time_to_live),
        "dead_letters_expired": properties.dead_lettering_on_message_expiration,
        "requires_session": properties.requires_session,
        "forward_to": properties.forward_to,
        "forward_dead_letters_to": properties.forward_dead_lettered_messages_to,
    }


def _rule(rule: _Rule, place: str) -> Rule:
    if rule.properties.action is not None:
        raise ConfigurationError(f"Actions of rules are not supported - at `{place}.Action`")
    matches, sql = _filter(rule.properties, place), rule.properties.sql_filter
    told = sql.sql_expression if sql is not None and rule.properties.filter_type == "Sql" else ""
    return Rule(name=rule.name, matches=matches, sql=told)


def _filter(properties: _RuleProperties, place: str) -> Filter:
    match properties:
        case _RuleProperties(filter_type="Correlation", correlation_filter=_CorrelationFilter() as found):
            wanted: dict[str, Any] = {each: getattr(found, each) for each in found.__struct_fields__}
            user = wanted.pop("properties")
            system = {name.replace("_", ""): value for name, value in wanted.items() if value}
            if not system and not user:
                raise ConfigurationError(f"Expected a value to filter by - at `{place}.CorrelationFilter`")
            return correlation(system, user)
        case _RuleProperties(filter_type="Sql", sql_filter=_Sql(sql_expression=expression)):
            try:
                return compiled(expression)
            except ConfigurationError as error:
                raise ConfigurationError(f"{error} - at `{place}.SqlFilter.SqlExpression`") from error
        case _:
            raise ConfigurationError(
                "Expected `FilterType` 'Correlation' with a `CorrelationFilter`, or 'Sql' with an `SqlFilter`"
                f" - at `{place}`"
            )


def _check_names(parts: Sequence[_Queue | _Topic | _Subscription | _Rule], place: str) -> None:
    names = [each.name.lower() for each in parts]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigurationError(f"The name '{twice[0]}' is there more than once - at `{place}`")


def _window(properties: _QueueProperties | _TopicProperties) -> int:
    window = _milliseconds(properties.duplicate_detection_history_time_window) or 0
    return window if properties.requires_duplicate_detection else 0


def _milliseconds(duration: timedelta | None) -> int | None:
    return None if duration is None else duration // timedelta(milliseconds=1)
