"""Payloads and states as people may see them: what is marked secret is masked, and so is what does not fit its type."""

from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct

MASK = "***"


def masked(shape: Any, data: Any) -> Any:
    """The builtins in `data` as far as they fit the type `shape` and it marks nothing secret.

    What does not fit may be anything, an address in the wrong field for one, so it is masked. None fits nothing.
    """
    if _is_secret(shape):
        return MASK
    plain = _plain(shape)
    if isinstance(data, Mapping):
        hints = _hints(plain, data)
        return {name: masked(hints.get(name), value) for name, value in data.items()}
    if isinstance(data, list) and get_origin(plain) in (list, tuple):
        return [masked(item, value) for item, value in zip(_items(plain, len(data)), data, strict=True)]
    return data if _fits(shape if data is None else plain, data) else MASK


def masked_json(shape: Any, body: bytes | msgspec.Raw) -> Any:
    """The same, from JSON; what is not JSON is not shown at all."""
    try:
        return masked(shape, msgspec.json.decode(body))
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return f"({len(body):,} bytes that are not JSON)"


def _hints(shape: Any, data: Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(shape, type) and issubclass(shape, Struct):
        return get_type_hints(shape, include_extras=True)
    return dict.fromkeys(data, get_args(shape)[1]) if get_origin(shape) is dict else {}


def _items(shape: Any, count: int) -> list[Any]:
    """The type of each item of a list, or of a tuple, whose items may differ."""
    arguments = get_args(shape)
    if get_origin(shape) is tuple and arguments[-1] is not Ellipsis:
        return [*arguments, *[None] * count][:count]
    return [arguments[0]] * count


def _fits(shape: Any, data: Any) -> bool:
    if shape is None:
        return False
    try:
        msgspec.convert(data, shape)
    except msgspec.ValidationError:
        return False
    return True


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
