"""A service with a mistake in it: each of its two handlers answers the other's event."""

from collections.abc import Iterable

from msgspec import Struct

from shared.kernel.message import Emission, Message, Payload, command, event
from shared.kernel.service import Service


@command("echo.ping.v1")
class Ping(Payload, frozen=True):
    """Shout into the valley."""


@event("echo.called.v1")
class Called(Payload, frozen=True):
    """Somebody shouted."""


class Silence(Struct, frozen=True):
    """Nothing is remembered."""


def call(_: Silence, __: Message[Payload]) -> Iterable[Emission]:
    """Answer, for ever."""
    return [Called()]


ECHO = Service(name="echo", state=Silence, handles={Ping: call, Called: call}, emits={Called: None})
