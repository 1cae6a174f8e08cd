"""What travels beside a message, on every broker: how often it was tried, and why it was given up.

The message itself stays as it came. A message's own attributes can't be mistaken for these: all begin with `trefoil-`.
"""

from collections.abc import Mapping
from math import inf

from shared.kernel.outcome import Failure

ATTEMPTS = "trefoil-attempts"
"""The tries that were used before a copy was sent, or before its message was given up."""
FIRST, LAST = "trefoil-first", "trefoil-last"
"""When the original was sent, and when it was given up; seconds since 1970."""
REASON, ERROR, TEXT, HANDLER = "trefoil-reason", "trefoil-error", "trefoil-text", "trefoil-handler"
"""Of a dead letter."""
OURS = frozenset((ATTEMPTS, FIRST, LAST, REASON, ERROR, TEXT, HANDLER))
"""Attributes that are about a message, and no part of it."""


def of_failure(failure: Failure, attempts: int, first: float, last: float) -> dict[str, str]:
    """Why, when and after how many tries; no broker takes empty values, so there are none."""
    values = {
        REASON: failure.reason,
        ERROR: failure.error,
        TEXT: failure.text,
        HANDLER: failure.handler,
        ATTEMPTS: str(attempts),
        FIRST: repr(first),
        LAST: repr(last),
    }
    return {name: value for name, value in values.items() if value}


def failure_in(attributes: Mapping[str, str]) -> Failure | None:
    """The failure that `of_failure` wrote down; None where there is none."""
    if not attributes.get(REASON):
        return None
    return Failure(*(attributes.get(name, "") for name in (REASON, ERROR, TEXT, HANDLER)))


def number(value: str | None, default: float) -> float:
    """An attribute as a number from zero; the default where it is none."""
    try:
        found = float(value or "")
    except ValueError:
        return default
    return found if 0 <= found < inf else default
