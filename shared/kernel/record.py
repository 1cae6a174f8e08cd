"""One delivery on its way through the receiver."""

from collections.abc import Sequence
from typing import Any

from shared.kernel.backoff import Backoff
from shared.kernel.codec import decode, digest
from shared.kernel.commit import Handled
from shared.kernel.errors import Deferral, PermanentError, TransientError, TrefoilError, UnknownType
from shared.kernel.message import Emission, Envelope, Message
from shared.kernel.outcome import IGNORED, DeadLetter, Defer, Outcome, Retry, failure
from shared.kernel.ports import Delivery, Outgoing, Timer
from shared.kernel.service import Limits, Service, by_subject
from shared.kernel.vocabulary import Vocabulary

RECEIVER = "receiver"
"""Named as the handler where a message failed before one was found."""


class Record:
    """A delivery, what was read from it, and what became of it."""

    is_open = False
    envelope: Envelope  # from here to `message`, only once it is open
    handled: Handled
    message: Message[Any]  # not when it is unreadable
    unreadable: TrefoilError | None = None
    handler = RECEIVER
    claimed = False
    answer: tuple[Emission, ...] | TrefoilError | None = None
    error: Exception | None = None
    outcome: Outcome | None = None
    sent: Sequence[Outgoing | Timer] = ()

    def __init__(self, delivery: Delivery) -> None:
        self.delivery = delivery

    def open(self, service: Service, vocabulary: Vocabulary) -> str:
        """Read the delivery; return the stream it belongs to.

        A payload that can't be read is only noted where the stream is known without it: it may have been handled
        before, by code that could read it. Raises PermanentError or TransientError otherwise.
        """
        delivery = self.delivery
        envelope = self.envelope = decode(delivery.body, delivery.attributes)
        time = envelope.time.timestamp()
        self.handled = Handled(envelope.source, envelope.id, digest(envelope, time), time, envelope.type)
        self.is_open = True
        try:
            payload = vocabulary.read(envelope.type, envelope.data)
        except (PermanentError, TransientError) as error:
            if service.key is not by_subject:
                raise
            self.unreadable = error
            return f"{service.name}/{envelope.subject}"
        self.handler = service.handles[type(payload)].__name__
        self.message = Message(envelope, payload)
        return service.stream(self.message)

    def judge(self, error: Exception, limits: Limits, jitter: float) -> Outcome:
        """Turn an error into an outcome; `jitter` in [0, 1) spreads the wait."""
        if isinstance(error, UnknownType) and not self.delivery.addressed:
            return IGNORED
        found = failure(error, self.handler)
        if isinstance(error, PermanentError):
            return DeadLetter(found)
        wait = _wait(error, limits.backoff, self.delivery.attempts, jitter)
        if isinstance(error, Deferral):
            return Defer(wait, found)
        if self.delivery.attempts >= limits.tries:
            return DeadLetter(failure(error, self.handler, "TriesExhausted"))
        return Retry(wait, found)


def _wait(error: Exception, backoff: Backoff, attempts: int, jitter: float) -> float:
    if isinstance(error, Deferral) and error.after is not None:
        return error.after + jitter * backoff.base
    return backoff.wait(attempts, lambda: jitter)
