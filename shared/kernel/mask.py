"""Payloads and states as people may see them: fields marked secret are masked."""

from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct

MASK = "***"


def masked(shape: Any, data: Any) -> Any:
    """The builtins in `data` without what the type `shape` marks secret, and without what it does not know."""
    if _is_secret(shape):
        return MASK
    shape = _plain(shape)
    if isinstance(data, Mapping):
        return {name: masked(hint, value) for name, value, hint in _fields(shape, data)}
    if isinstance(data, list):
        (item, *_) = get_args(shape) or (None,)
        return [masked(item, value) for value in data]
    return MASK if shape is None else data


def masked_json(shape: Any, body: bytes | msgspec.Raw) -> Any:
    """The same, from JSON; what is not JSON is not shown at all."""
    try:
        return masked(shape, msgspec.json.decode(body))
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return f"({len(body):,} bytes that are not JSON)"


def _fields(shape: Any, data: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    if isinstance(shape, type) and issubclass(shape, Struct):
        hints = get_type_hints(shape, include_extras=True)
        return [(name, value, hints.get(name)) for name, value in data.items()]
    item = get_args(shape)[1] if get_origin(shape) is dict else None
    return [(name, value, item) for name, value in data.items()]


def _is_secret(shape: Any) -> bool:
    """Whether the type, or any member of a union, is marked secret."""
    if get_origin(shape) is Annotated:
        return any(isinstance(note, Meta) and (note.extra or {}).get("secret") for note in get_args(shape)[1:])
    return _is_union(shape) and any(_is_secret(member) for member in get_args(shape))


def _plain(shape: Any) -> Any:
    """The type without its notes, and without None; of a wider union, nothing is known."""
    if get_origin(shape) is Annotated:
        return _plain(get_args(shape)[0])
    if _is_union(shape):
        members = [member for member in get_args(shape) if member is not NoneType]
        return _plain(members[0]) if len(members) == 1 else None
    return shape


def _is_union(shape: Any) -> bool:
    return get_origin(shape) in (Union, UnionType)
