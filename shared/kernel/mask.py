"""Payloads and states as people may see them: fields marked secret are masked."""

from collections.abc import Mapping
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct

MASK = "***"


def masked(shape: type[Any] | None, data: Any) -> Any:
    """The builtins in `data` without what `shape` marks secret, and without fields that it does not know."""
    if isinstance(data, Mapping):
        if not (isinstance(shape, type) and issubclass(shape, Struct)):
            return dict(data) if shape in (dict, Any) or get_origin(shape) is dict else dict.fromkeys(data, MASK)
        hints = get_type_hints(shape, include_extras=True)
        return {name: _field(hints[name], value) if name in hints else MASK for name, value in data.items()}
    if isinstance(data, list):
        (item,) = get_args(shape) or (None,)
        return [masked(item, value) for value in data]
    return data


def masked_json(shape: type[Any] | None, body: bytes | msgspec.Raw) -> Any:
    """The same, from JSON; what is not JSON is not shown at all."""
    try:
        return masked(shape, msgspec.json.decode(body))
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return f"({len(body):,} bytes that are not JSON)"


def _field(hint: Any, value: Any) -> Any:
    if get_origin(hint) is Annotated:
        hint, *notes = get_args(hint)
        if any(isinstance(note, Meta) and (note.extra or {}).get("secret") for note in notes):
            return MASK
    return masked(hint, value)
