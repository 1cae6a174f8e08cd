"""The ports of the kernel, hostile: real in-memory adapters behind calls that pause, fail, lie and repeat themselves.

Each call pauses first: the simulation decides who goes on, and whether the caller lives to see its answer.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from shared.kernel.commit import Commit, decode_commit, encode_commit
from shared.kernel.errors import PublishFailed, StoreUnavailable
from shared.kernel.outcome import DeadLetter, Defer, Outcome, Retry
from shared.kernel.ports import Delivery, Outgoing, Timer
from tests.support import faults
from tests.support.faults import Crash

if TYPE_CHECKING:
    from tests.support.simulation_world import World


_FAILED = (Retry, Defer, DeadLetter)


class Port:
    """Stands between the kernel and whichever simulation is on; built once, because receivers are dear to build."""

    on: "World"


class HostileStore(Port):
    """Reads fail, and appends are not told what became of them. Commits go through JSON, as in every real store."""

    def read(self, stream: str, before: int | None = None) -> Iterator[Commit]:
        """See Store."""
        on = self.on
        on.pause("reads", stream)
        if on.strikes("read"):
            raise StoreUnavailable("no answer to a read")
        return on.store.read(stream, before)

    def append(self, commit: Commit) -> None:
        """See Store."""
        on = self.on
        on.pause("appends", commit)
        fault = on.strikes("append")
        if fault == faults.APPEND_LOST:
            raise StoreUnavailable("nobody knows whether it was applied; it was not")
        on.store.append(decode_commit(encode_commit(commit)))
        if commit.claims:
            on.unflushed.add(on.current)
        if fault:
            raise StoreUnavailable("nobody knows whether it was applied; it was")

    def streams(self, service: str) -> Iterator[str]:
        """See Store."""
        return self.on.store.streams(service)

    def flush(self) -> None:
        """See Store."""
        on = self.on
        on.pause("flushes")
        if on.strikes("flush"):
            raise StoreUnavailable("no answer to a flush")
        on.unflushed.discard(on.current)


class HostileBus(Port):
    """Takes nothing, some, all or twice as much, and is not always right about it."""

    def publish(self, messages: Sequence[Outgoing]) -> set[str]:
        """See Bus."""
        on = self.on
        on.pause("publishes", *messages)
        fault = on.strikes("publish")
        if fault is None:
            on.hand_over(messages)
            return set()
        return self._fail(fault, messages)

    def _fail(self, fault: str, messages: Sequence[Outgoing]) -> set[str]:
        on = self.on
        half = (len(messages) + 1) // 2
        taken = {
            faults.PUBLISH_REFUSED: (),
            faults.PUBLISH_PARTLY: messages[:half],
            faults.PUBLISH_AND_DIE: messages[:half],
            faults.PUBLISH_TWICE: (*messages, *messages),
        }
        on.hand_over(taken.get(fault, messages))
        if fault == faults.PUBLISH_AND_DIE:
            raise Crash
        if fault in {faults.PUBLISH_REFUSED, faults.PUBLISH_UNKNOWN}:
            raise PublishFailed("the bus confirmed nothing")
        return set() if fault == faults.PUBLISH_TWICE else {message.id for message in messages[half:]}


class HostileTimers(Port):
    """An index that may not remember, may not say so, and may not forget."""

    def set(self, timers: Sequence[Timer]) -> None:
        """See Timers."""
        on = self.on
        on.pause("sets", *(timer.message for timer in timers))
        fault = on.strikes("set")
        if fault != faults.TIMERS_REFUSED:
            on.broker.set(timers)
        if fault:
            raise PublishFailed("the timer index did not answer")

    def due(self, now: float, limit: int) -> list[Timer]:
        """See Timers."""
        self.on.pause("looks for timers that are due")
        return self.on.broker.due(now, limit)

    def remove(self, timers: Sequence[Timer]) -> None:
        """See Timers."""
        on = self.on
        on.pause("removes", *(timer.message for timer in timers))
        if not on.strikes("remove"):
            on.broker.remove(timers)


class HostileChannels(Port):
    """Settlements that are lost, or done by a copy that stays behind: sent first, settled never."""

    def settle(self, service: str, settlements: Sequence[tuple[Delivery, Outcome]]) -> None:
        """See Channels."""
        on = self.on
        on.pause("settles", *settlements)
        fault = on.strikes("settle")
        if fault == faults.SETTLE_LOST:
            return
        on.broker.settle(service, settlements)
        for delivery, outcome in settlements:
            on.seen.add(outcome.failure.reason if isinstance(outcome, _FAILED) else type(outcome).__name__)
            if fault and not isinstance(outcome, (Retry, Defer)):
                on.copy(service, delivery.body)


class HostileClock(Port):
    """Time as the simulation has it; while one sleeps, others act."""

    def now(self) -> float:
        """See Clock."""
        return self.on.time

    def sleep(self, seconds: float) -> None:
        """See Clock."""
        self.on.time += seconds
        self.on.pause("has slept")


class Blind:
    """Telemetry that sees nothing."""

    def observe(self, observations: Sequence[Any]) -> None:
        """See Telemetry."""
