"""The tick: publishes timers that are due; keeps no position (docs/design.md, section 7)."""

from shared.kernel.ports import Bus, Clock, Timers


def tick(timers: Timers, bus: Bus, clock: Clock, limit: int = 100) -> int:
    """Publish what is due, earliest first, at most `limit`; return how many were published.

    Published first, removed after: a crash in between publishes again, and the receiver knows the id.
    """
    due = timers.due(clock.now(), limit)
    if not due:
        return 0
    unconfirmed = bus.publish([timer.message for timer in due])
    gone = [timer for timer in due if timer.message.id not in unconfirmed]
    timers.remove(gone)
    return len(gone)
