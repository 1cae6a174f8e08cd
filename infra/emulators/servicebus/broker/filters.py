"""Filters of rules: by values that have to be there, or by an SQL expression (`sql.py`)."""

from collections.abc import Mapping
from typing import Any

from infra.emulators.servicebus.broker.message import Message
from infra.emulators.servicebus.broker.settings import Filter

SYSTEM_PROPERTIES = {
    "contenttype": "content_type",
    "correlationid": "correlation_id",
    "label": "subject",
    "messageid": "message_id",
    "replyto": "reply_to",
    "replytosessionid": "reply_to_session_id",
    "sessionid": "session_id",
    "subject": "subject",
    "to": "to",
}
"""The broker's properties as filters call them, in lower case, and as fields of a message."""


def everything(_message: Message) -> bool:
    """The filter of a subscription without rules."""
    return True


def correlation(system: Mapping[str, str], user: Mapping[str, Any]) -> Filter:
    """Lets a message in whose properties all have those values, in their case."""

    def matches(message: Message) -> bool:
        return all(system_property(message, name) == value for name, value in system.items()) and all(
            name in message.properties and _same(message.properties[name], value) for name, value in user.items()
        )

    return matches


def system_property(message: Message, name: str) -> Any:
    """A property by the name that filters use; ids come as text whatever they were sent as."""
    value = getattr(message, SYSTEM_PROPERTIES[name.lower()])
    return None if value is None else str(value)


def user_property(message: Message, name: str) -> Any:
    """A property of the sender's, in whatever case its name is written; None when it is not there."""
    if name in message.properties:
        return message.properties[name]
    return next((value for key, value in message.properties.items() if key.lower() == name.lower()), None)


def _same(there: Any, wanted: Any) -> bool:
    """Equal; true and 1 are not."""
    return bool(there == wanted) if isinstance(there, bool) is isinstance(wanted, bool) else False
