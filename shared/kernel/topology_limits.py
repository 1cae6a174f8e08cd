"""What the clouds are told about a service: its limits in the numbers they take (docs/design.md, sections 5 and 6)."""

from collections.abc import Iterator
from math import ceil
from typing import Any

from msgspec import Struct

from shared.kernel.errors import ConfigurationError
from shared.kernel.service import CRASHES, Limits, Service

LEASE_SECONDS = 300
"""How long a batch may take anywhere: Service Bus locks a message for five minutes at most, and a batch can't renew.

Pub/Sub's acknowledgement deadline (600 s) and Lambda's timeout (900 s) lie above it.
"""

LOAD_SECONDS = 15
"""Of a function's time, for what comes before the first handler: starting, reading envelopes and streams."""

SETTLE_SECONDS = 15
"""Of a function's time, for publishing and settling: the receiver's deadline is that much before the function's end."""

LEASE_FACTOR = 6
"""AWS asks for a visibility timeout of six function timeouts, so that throttled invocations can be tried again."""


class Bound(Struct, frozen=True):
    """A limit that must lie within what every cloud can do."""

    name: str
    value: float
    least: float
    most: float
    why: str


def function_timeout(limits: Limits) -> int:
    """Seconds a batch may take: min(300, 15 + handler_seconds * batch + 15), rounded up.

    Where a batch of slow messages does not fit, the receiver defers the rest, which uses no try.
    """
    return min(LEASE_SECONDS, LOAD_SECONDS + ceil(limits.handler_seconds * limits.batch) + SETTLE_SECONDS)


def visibility(limits: Limits) -> int:
    """Seconds a leased message stays hidden: six function timeouts, so at most 1,800 (SQS allows 43,200)."""
    return LEASE_FACTOR * function_timeout(limits)


def extension(service: Service) -> dict[str, Any]:
    """A service's limits under the names of the contract.

    Raises ConfigurationError naming the limit that one of the clouds can't keep.
    """
    limits, backoff = service.limits, service.limits.backoff
    _check(service)
    return {
        "handlerSeconds": _number(limits.handler_seconds),
        "batch": limits.batch,
        "concurrency": limits.concurrency,
        "functionTimeoutSeconds": function_timeout(limits),
        "visibilitySeconds": visibility(limits),
        "tries": limits.tries,
        "deliveryLimit": limits.deliveries,
        "backoff": {"base": _number(backoff.base), "cap": _number(backoff.cap)},
    }


def _check(service: Service) -> None:
    for bound in _bounds(service.limits):
        if not bound.least <= bound.value <= bound.most:
            raise ConfigurationError(
                f"service '{service.name}': {bound.name} is {bound.value:g}, "
                f"which is not {bound.least:g} to {bound.most:g}: {bound.why}"
            )


def _bounds(limits: Limits) -> Iterator[Bound]:
    longest = LEASE_SECONDS - LOAD_SECONDS - SETTLE_SECONDS
    base, cap = limits.backoff.base, limits.backoff.cap
    yield Bound(
        "handler_seconds", limits.handler_seconds, 0.1, longest, "Service Bus locks a message for 300 s at most"
    )
    yield Bound("batch", limits.batch, 1, 10_000, "Lambda takes at most 10,000 messages of a queue at once")
    yield Bound(
        "concurrency", limits.concurrency, 1, 1_000, "Lambda reads a queue with at most 1,000 functions at once"
    )
    yield Bound("tries", limits.tries, 1, 100 - CRASHES, "Pub/Sub counts 100 deliveries at most, crashes included")
    yield Bound("backoff.cap", cap, 0, 600, "Pub/Sub waits at most 600 s between two deliveries")
    yield Bound("backoff.base", base, 0, cap, "it begins the waits that backoff.cap ends")


def _number(value: float) -> float:
    """10.0 as 10: JSON has one kind of number, and the file is read by people, too."""
    return int(value) if value == int(value) else value
