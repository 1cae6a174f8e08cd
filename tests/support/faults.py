"""What can go wrong in a simulated run: a vocabulary of faults, each naming what it does to the next call it meets."""

from typing import Literal

from msgspec import Struct


class Crash(BaseException):
    """A worker dies. Not an Exception, so that no `except` of the code under test can survive it."""


# -- faults that need no call: they strike between two steps

CRASH = "a worker dies"
LEASES_EXPIRE = "all leases expire"
LATE_COPY = "a past delivery comes again"
HALF_AN_HOUR = "half an hour passes"
REPLAY = "the operator replays a dead letter"

# -- faults that wait for the next call of their kind

READ_FAILS = "the store does not answer a read"
APPEND_LOST = "an append is lost, and its answer too"
APPEND_UNKNOWN = "an append is applied, and its answer lost"
FLUSH_FAILS = "a flush fails"
PUBLISH_REFUSED = "the bus takes nothing"
PUBLISH_UNKNOWN = "the bus takes everything, and its answer is lost"
PUBLISH_PARTLY = "the bus takes some, and says so"
PUBLISH_UNSURE = "the bus takes everything, and confirms some"
PUBLISH_TWICE = "the bus hands everything over twice"
PUBLISH_AND_DIE = "a worker dies when half is handed over"
TIMERS_REFUSED = "the timer index takes nothing"
TIMERS_UNKNOWN = "the timer index takes everything, and its answer is lost"
REMOVE_LOST = "the timer index forgets to forget"
PROVIDER_DOWN = "a provider is down for one call"
PROVIDER_OPEN = "a provider's circuit is open for a while"
PROVIDER_BUG = "a provider's adapter has a bug"
PROVIDER_UNSURE = "a provider does it, and its answer is lost"
SETTLE_LOST = "a settlement is lost"
SETTLE_COPIES = "a settlement leaves a copy behind"
SHORT_OF_TIME = "an invocation has little time"

BETWEEN = (CRASH, LEASES_EXPIRE, LATE_COPY, HALF_AN_HOUR, REPLAY)

Call = Literal["read", "append", "flush", "publish", "set", "remove", "provider", "settle", "lease"]

AT: dict[Call, tuple[str, ...]] = {
    "read": (READ_FAILS,),
    "append": (APPEND_LOST, APPEND_UNKNOWN),
    "flush": (FLUSH_FAILS,),
    "publish": (
        PUBLISH_REFUSED, PUBLISH_UNKNOWN, PUBLISH_PARTLY, PUBLISH_UNSURE, PUBLISH_TWICE, PUBLISH_AND_DIE,
    ),
    "set": (TIMERS_REFUSED, TIMERS_UNKNOWN),
    "remove": (REMOVE_LOST,),
    "provider": (PROVIDER_DOWN, PROVIDER_OPEN, PROVIDER_BUG, PROVIDER_UNSURE),
    "settle": (SETTLE_LOST, SETTLE_COPIES),
    "lease": (SHORT_OF_TIME,),
}  # fmt: skip

CALL_OF: dict[str, Call] = {what: call for call, kinds in AT.items() for what in kinds}

KINDS = (*(BETWEEN * 3), *CALL_OF)
"""To draw from; what strikes anywhere is the most likely, crashes above all find bugs."""

DOUBTFUL = frozenset({
    CRASH, LEASES_EXPIRE, HALF_AN_HOUR, READ_FAILS, APPEND_LOST, APPEND_UNKNOWN, FLUSH_FAILS, PUBLISH_AND_DIE,
    PROVIDER_BUG, PROVIDER_UNSURE,
})  # fmt: skip
"""After which nobody may know whether a mail has left."""


class Fault(Struct, frozen=True):
    """One thing going wrong, at a turn of the schedule or at the first fitting call after it."""

    turn: int
    what: str
