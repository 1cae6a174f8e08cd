"""Every way a message can fail, sorted by what the receiver must do about it.

TrefoilError
├── PermanentError          dead letter, on the first attempt
│   ├── MalformedMessage    the bytes are not a CloudEvent
│   ├── PayloadMismatch     the payload does not fit its type
│   ├── UnknownType         sent to a service that has no handler for it
│   ├── RuleViolation       the domain refuses it, now and for ever
│   ├── IdReused            one (source, id) with two contents
│   ├── HopLimitExceeded    an event loop
│   ├── Expired             past its `expirytime`
│   ├── TooLarge            over the envelope's limit
│   └── OutcomeUnknown      an effect may or may not have happened; a person has to look
├── TransientError          redelivered later; a try is used
│   ├── OutOfOrder          something that must come first has not come yet
│   ├── UnknownVersion      newer than this code, as during a rollout
│   ├── StoreUnavailable    the store did not answer, or its answer was lost
│   ├── PublishFailed       the bus did not take a message
│   ├── ProviderUnavailable an outside system did not do it, for certain
│   └── Deferral            redelivered later; no try is used
│       ├── ConcurrencyConflict   others kept committing to the same stream
│       ├── CircuitOpen           a provider is known to be down
│       └── OutOfTime             the invocation's time ran short
└── ConfigurationError      stop at start-up, naming the setting

Anything else is a bug: redelivered, bounded, then dead-lettered with its traceback.
"""


class TrefoilError(Exception):
    """Any failure that Trefoil names; its text is a sentence for a person."""


class PermanentError(TrefoilError):
    """Trying again can't help."""


class MalformedMessage(PermanentError):
    """The bytes are not a CloudEvents 1.0 message."""


class PayloadMismatch(PermanentError):
    """The payload does not fit the shape of its message type."""


class UnknownType(PermanentError):
    """A message was sent to a service that has no handler for its type."""


class RuleViolation(PermanentError):
    """The domain refuses the message, now and for ever."""


class IdReused(PermanentError):
    """One (source, id) came with two contents."""


class HopLimitExceeded(PermanentError):
    """The message is too deep in a chain of messages that caused one another."""


class Expired(PermanentError):
    """The message's `expirytime` has passed."""


class TooLarge(PermanentError):
    """The message, or what its handler emitted, is over the limit."""


class OutcomeUnknown(PermanentError):
    """An effect that must not be repeated may or may not have happened."""


class TransientError(TrefoilError):
    """Trying again later may help; a try is used."""


class OutOfOrder(TransientError):
    """The message came before one that it depends on."""


class UnknownVersion(TransientError):
    """The message's version is newer than this code."""


class StoreUnavailable(TransientError):
    """The store did not answer; an append may or may not have been applied."""


class PublishFailed(TransientError):
    """The bus did not confirm a message."""


class ProviderUnavailable(TransientError):
    """An outside system did not perform the effect, for certain."""


class Deferral(TransientError):
    """Not this message's fault: trying again later uses no try.

    `after` is the wait in seconds that the cause suggests; None leaves it to the backoff.
    """

    def __init__(self, text: str, after: float | None = None) -> None:
        super().__init__(text)
        self.after = after


class ConcurrencyConflict(Deferral):
    """Somebody else committed this version of the stream first."""


class CircuitOpen(Deferral):
    """A provider is known to be down and is not asked."""


class OutOfTime(Deferral):
    """The invocation's time ran short before this message's turn."""


class ConfigurationError(TrefoilError):
    """A setting is missing or wrong; the text names it and the remedy."""
