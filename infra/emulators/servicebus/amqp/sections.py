"""Sections of an AMQP message: cut apart without a decoder, and decoded one by one where somebody looks inside.

Proton hands out binaries as views into memory that it uses again, so what is decoded is copied at once.
"""

from collections.abc import Iterator
from enum import IntEnum
from typing import Any, cast

from proton import Data, Described, ulong


class Section(IntEnum):
    """Descriptors of sections ("AMQP Messaging", 3.2)."""

    HEADER = 0x70
    DELIVERY_ANNOTATIONS = 0x71
    MESSAGE_ANNOTATIONS = 0x72
    PROPERTIES = 0x73
    APPLICATION_PROPERTIES = 0x74
    DATA = 0x75
    SEQUENCE = 0x76
    VALUE = 0x77
    FOOTER = 0x78


BODY = (Section.DATA, Section.SEQUENCE, Section.VALUE)

_FIXED = {0x4: 0, 0x5: 1, 0x6: 2, 0x7: 4, 0x8: 8, 0x9: 16}
"""Width of a value by the upper half of its constructor ("AMQP Types", 1.2)."""
_COUNTED = {0xA: 1, 0xB: 4, 0xC: 1, 0xD: 4, 0xE: 1, 0xF: 4}
"""Width of the count that comes before a value of variable width."""

_BINARIES = (0xA0, 0xB0)
_SMALL_ULONG = 0x53
_LARGE_ULONG = 0x80


class NotSections(ValueError):
    """These bytes are no AMQP message."""


def split(raw: bytes) -> Iterator[tuple[Section, bytes]]:
    """Each section, with its bytes; raises NotSections at the first byte that can't belong there."""
    at = 0
    while at < len(raw):
        section, value = _descriptor(raw, at)
        end = _end(raw, value)
        yield section, raw[at:end]
        at = end


def decoded(section: bytes) -> Any:
    """The value in a section, as Python has it; integers and symbols keep their AMQP types."""
    data = Data()
    data.decode(section)
    data.rewind()
    data.next()
    return own(cast("Described", data.get_object()).value)


def encoded(section: Section, value: Any) -> bytes:
    """A section with a value."""
    data = Data()
    data.put_object(Described(ulong(section), value))
    return bytes(data.encode())


def data(section: bytes) -> bytes:
    """What a data section holds; it is not decoded, so that a batch of thousands is cut in no time.

    Raises NotSections when that is no binary.
    """
    _, at = _descriptor(section, 0)
    if section[at] not in _BINARIES:
        raise NotSections("a data section holds no binary")
    return section[at + 1 + _COUNTED[section[at] >> 4] :]


def own(value: Any) -> Any:
    """The value without a view into proton's memory."""
    if isinstance(value, memoryview):
        return bytes(value)
    if isinstance(value, dict):
        return {own(key): own(each) for key, each in value.items()}
    return [own(each) for each in value] if isinstance(value, list) else value


def _descriptor(raw: bytes, at: int) -> tuple[Section, int]:
    """The section that begins there, and where its value does."""
    try:
        if raw[at] == 0 and raw[at + 1] == _SMALL_ULONG:
            return Section(raw[at + 2]), at + 3
        if raw[at] == 0 and raw[at + 1] == _LARGE_ULONG:
            return Section(int.from_bytes(raw[at + 2 : at + 10])), at + 10
    except (IndexError, ValueError) as error:
        raise NotSections(f"no section begins at byte {at}") from error
    raise NotSections(f"no section begins at byte {at}")


def _end(raw: bytes, at: int) -> int:
    """Where the value ends that begins there."""
    while raw[at : at + 1] == b"\0":
        # A described value: after its descriptor comes the value itself.
        at = _plain_end(raw, at + 1)
    return _plain_end(raw, at)


def _plain_end(raw: bytes, at: int) -> int:
    kind = raw[at] >> 4 if at < len(raw) else 0
    if kind in _FIXED:
        end = at + 1 + _FIXED[kind]
    elif kind in _COUNTED:
        start = at + 1 + _COUNTED[kind]
        end = start + int.from_bytes(raw[at + 1 : start])
    else:
        raise NotSections(f"no value begins at byte {at}")
    if end > len(raw):
        raise NotSections(f"the value at byte {at} goes past the end")
    return end
