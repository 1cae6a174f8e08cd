"""What became of one delivery, and what the channel must do about it."""

import traceback

from msgspec import Struct

from shared.kernel.errors import TrefoilError

TEXT_LIMIT = 1000
"""Bytes of an error's text that travel with a dead letter; SQS and Service Bus bound a message's attributes."""


class Failure(Struct, frozen=True):
    """Why a message could not be handled."""

    reason: str
    """The class of a permanent error, `TriesExhausted`, or `DeliveriesExhausted` where the process died each time."""
    error: str
    text: str
    handler: str


class Done(Struct, frozen=True):
    """Handled, now or before: remove it from the channel."""


class Ignored(Struct, frozen=True):
    """Not for this service: remove it from the channel."""


class Retry(Struct, frozen=True):
    """Deliver it again after so many seconds; a try is used."""

    after: float
    failure: Failure


class Defer(Struct, frozen=True):
    """Deliver it again after so many seconds; no try is used."""

    after: float
    failure: Failure


class DeadLetter(Struct, frozen=True):
    """Move it to the dead-letter channel, with the reason."""

    failure: Failure


Outcome = Done | Ignored | Retry | Defer | DeadLetter

DONE = Done()
IGNORED = Ignored()


def failure(error: BaseException, handler: str, reason: str | None = None) -> Failure:
    """Describe an error for a person; a bug brings the end of its traceback along."""
    if isinstance(error, TrefoilError):
        kept = str(error).encode(errors="backslashreplace")[:TEXT_LIMIT]
    else:
        # The end of a traceback says most.
        kept = "".join(traceback.format_exception(error)).encode(errors="backslashreplace")[-TEXT_LIMIT:]
    kind = type(error).__name__
    return Failure(reason or kind, kind, kept.decode(errors="ignore"), handler)


def deliveries_exhausted(attempts: int) -> Failure:
    """The reason of a message that no worker survived."""
    text = f"delivered {attempts} times, and no worker lived to settle it"
    return Failure("DeliveriesExhausted", "DeliveriesExhausted", text, "broker")
