"""The tick: publishes timers that are due; keeps no position (docs/design.md, section 7)."""

from collections.abc import Sequence

from shared.kernel.errors import PublishFailed, TransientError
from shared.kernel.ports import Bus, Clock, Timer, Timers


def tick(timers: Timers, bus: Bus, clock: Clock, limit: int = 100) -> int:
    """Publish what is due, earliest first, at most `limit`; return how many were published."""
    due = timers.due(clock.now(), limit)
    return len(due) - len(_publish(timers, bus, due))


def tick_until(end: float, timers: Timers, bus: Bus, clock: Clock, limit: int = 100) -> int:
    """Tick until nothing is due or the time is `end` (seconds since 1970); return how many were published.

    Goes past what can't be published, which would else be the earliest for ever; raises PublishFailed afterwards.
    """
    published = 0
    stuck: dict[str, Timer] = {}
    fault = ""
    while clock.now() < end:
        due = [t for t in timers.due(clock.now(), limit + len(stuck)) if t.message.id not in stuck]
        if not due:
            break
        try:
            unconfirmed = _publish(timers, bus, due)
        except TransientError as error:
            unconfirmed, fault = {timer.message.id for timer in due}, f": {error}"
        published += len(due) - len(unconfirmed)
        stuck |= {timer.message.id: timer for timer in due if timer.message.id in unconfirmed}
    if stuck:
        one = next(iter(stuck.values())).message
        raise PublishFailed(
            f"{published:,} timers were published, {len(stuck):,} that are due were not,"
            f" such as '{one.id}' to '{one.to}'{fault}"
        )
    return published


def _publish(timers: Timers, bus: Bus, due: Sequence[Timer]) -> set[str]:
    """Return the ids that were not confirmed.

    Published first, removed after: a crash in between publishes again, and the receiver knows the id.
    """
    if not due:
        return set()
    unconfirmed = bus.publish([timer.message for timer in due])
    timers.remove([timer for timer in due if timer.message.id not in unconfirmed])
    return unconfirmed
