"""The message types that this code can read, in every version (Enterprise Integration Patterns, "Format Indicator")."""

import re
from collections.abc import Callable, Iterable
from typing import TypeVar

import msgspec

from shared.kernel.errors import ConfigurationError, PayloadMismatch, UnknownType, UnknownVersion
from shared.kernel.message import Payload, split_type

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
Reader = Callable[[msgspec.Raw], Payload]


class Vocabulary:
    """Reads payloads of every known version into the newest one.

    Raises ConfigurationError when two classes share a type, or a class has none.
    """

    def __init__(self, payloads: Iterable[type[Payload]]) -> None:
        self.newest: dict[str, type[Payload]] = {}
        self._readers: dict[str, Reader] = {}
        for payload in dict.fromkeys(payloads):
            self._add(payload)

    def _add(self, payload: type[Payload]) -> None:
        named = getattr(payload, "message_type", None)
        if named is None:
            raise ConfigurationError(f"{payload.__qualname__} has no message type; mark it with @event or @command")
        if named.name in self.newest:
            other = self.newest[named.name].__qualname__
            raise ConfigurationError(f"{payload.__qualname__} and {other} are both called {named.name}")
        self.newest[named.name] = payload
        self._readers[str(named)] = _reader(payload)
        convert: Callable[[Payload], Payload] = _same
        while upcast := payload.upcast:
            _check_upcast(payload, upcast.older)
            convert = _chain(upcast.convert, convert)
            payload = upcast.older
            self._readers[str(payload.message_type)] = _chain(_reader(payload), convert)

    def payload_class(self, type_: str) -> type[Payload]:
        """The newest payload class of a type's name, whatever its version.

        Raises as `read` does.
        """
        if type_ in self._readers:
            return self.newest[type_.rpartition(".")[0]]
        raise self._unreadable(type_)

    def read(self, type_: str, data: msgspec.Raw) -> Payload:
        """Decode, validate and upcast.

        Raises PayloadMismatch, UnknownType, or UnknownVersion when the version is newer than known.
        """
        reader = self._readers.get(type_)
        if reader is None:
            raise self._unreadable(type_)
        try:
            return reader(data)
        except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
            raise PayloadMismatch(f"the payload does not fit {type_}: {_without_values(error)}") from None

    def _unreadable(self, type_: str) -> UnknownType | UnknownVersion:
        try:
            name, version = split_type(type_)
        except ValueError as error:
            return UnknownType(str(error))
        if name not in self.newest:
            return UnknownType(f"'{type_}' is not a known message type")
        newest = self.newest[name].message_type.version
        if version > newest:
            return UnknownVersion(f"'{type_}' is newer than this code, which knows v{newest}")
        return UnknownType(f"'{type_}' is older than this code can read: no upcast leads from it")


def _check_upcast(newer: type[Payload], older: type[Payload]) -> None:
    new, old = newer.message_type, getattr(older, "message_type", None)
    if old is None or old.name != new.name or old.version >= new.version:
        raise ConfigurationError(
            f"{new} is read from {old or older.__qualname__}, which is not an earlier version of it"
        )


def _without_values(error: Exception) -> str:
    """An error's text for logs: msgspec quotes values that are none of those allowed, and a value may be a secret."""
    return re.sub(r"^(Invalid (?:enum )?value) .*?( - at `[^`]*`)?$", r"\1\2", str(error), flags=re.DOTALL)


def _reader(payload: type[Payload]) -> Reader:
    return msgspec.json.Decoder(payload).decode


def _chain(first: Callable[[A], B], then: Callable[[B], C]) -> Callable[[A], C]:
    return lambda value: then(first(value))


def _same(payload: Payload) -> Payload:
    return payload
