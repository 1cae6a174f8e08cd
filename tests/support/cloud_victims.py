"""Functions in processes that are killed at a chosen point: between any two steps of an invocation."""

import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn
from uuid import uuid4

from shared.catalog import CATALOG
from shared.kernel.ports import Outgoing, Timer
from tests.support.cloud import Deployment, Handed, cloud_named
from tests.support.cloud_pump import Pump
from tests.support.cloud_shop import impatient, outside, when_all_is_due
from tests.support.processes import die

COMMITTED = "after an append, before anything is published"
HALF_PUBLISHED = "when half is published"
PUBLISHED = "after publishing, before settling"
CAPTURED = "after the money moved, before the append"
CLAIMED = "after the claim, before the mail"
MAILED = "after the mail left, before the append"
SENT_ON = "after dead letters were sent and deferrals put aside, before the cloud knows"
ANSWERED = "after the function's answer, before the cloud settles"
POINTS = (COMMITTED, HALF_PUBLISHED, PUBLISHED, CAPTURED, CLAIMED, MAILED, SENT_ON, ANSWERED)

RUNG = "after the tick published, before it forgets"
FORGOTTEN = "after the tick forgot"
TICKS = (RUNG, FORGOTTEN)

BORED = "of boredom"
IDLE_SECONDS = 3.0
"""When a victim that met no such point gives up."""


class Fuse:
    """Kills the process when a point is passed for the nth time, and leaves a note of it."""

    def __init__(self, place: Path, point: str, nth: int) -> None:
        self._place, self._point, self._left = place, point, nth

    def at(self, point: str) -> None:
        if point == self._point:
            self._left -= 1
            if not self._left:
                self.blow(point)

    def blow(self, point: str) -> NoReturn:
        folder = self._place / "deaths" / point
        folder.mkdir(parents=True, exist_ok=True)
        (folder / uuid4().hex).touch()
        die()


def wire(deployment: Deployment, fuse: Fuse) -> None:
    """Put a fuse behind every step of a deployment's functions."""
    store, bus, channels = deployment.store, deployment.bus, deployment.channels
    append, publish, carry_out = store.append, bus.publish, channels.carry_out

    def appending(commit: Any) -> None:
        append(commit)
        fuse.at(CLAIMED if commit.claims else COMMITTED)

    def publishing(messages: Sequence[Outgoing]) -> set[str]:
        if messages[1:]:
            publish(messages[: len(messages) // 2])
            fuse.at(HALF_PUBLISHED)
        lost = publish(messages)
        fuse.at(PUBLISHED)
        return lost

    def carrying_out(service: str, settlements: Any) -> Any:
        staying = carry_out(service, settlements)
        if staying or any(type(outcome).__name__ in ("Defer", "DeadLetter") for _, outcome in settlements):
            fuse.at(SENT_ON)
        return staying

    store.append, bus.publish, channels.carry_out = appending, publishing, carrying_out
    gateway, mailer = deployment.providers["payments"], deployment.providers["notifications"]
    gateway.capture = _then(gateway.capture, lambda: fuse.at(CAPTURED))
    mailer.send = _then(mailer.send, lambda: fuse.at(MAILED))


def _then(function: Callable[..., Any], after: Callable[[], None]) -> Callable[..., Any]:
    def both(*arguments: Any) -> Any:
        answer = function(*arguments)
        after()
        return answer

    return both


class Mortal(Pump):
    """Ends at the point between a function's answer and what the cloud does about it."""

    fuse: Fuse

    def settle(self, service: str, handed: Sequence[Handed], staying: set[str]) -> None:
        self.fuse.at(ANSWERED)
        super().settle(service, handed, staying)


def work_until_killed(cloud: str, place: str, point: str, nth: int, seconds: int) -> NoReturn:
    """Run every function on what its channel holds, until the point is passed for the nth time."""
    deployment, chance = _opened(cloud, place), random.Random(f"{point}, {nth}")
    fuse = Fuse(Path(place), point, nth)
    line = deployment.line()
    wire(deployment, fuse)
    pump = Mortal(line, deployment, seconds=seconds)
    pump.fuse = fuse
    services = list(CATALOG.services)
    end = time.monotonic() + IDLE_SECONDS
    while time.monotonic() < end:
        chance.shuffle(services)
        if sum(pump.once(service) for service in services):
            end = time.monotonic() + IDLE_SECONDS
    fuse.blow(BORED)


def die_of(cloud: str, place: str, service: str, subject: str, seconds: int) -> None:
    """Handle what one channel holds; a message about the subject kills whoever handles it."""
    deployment = _opened(cloud, place)
    fuse = Fuse(Path(place), subject, 1)
    gateway = deployment.providers["payments"]
    capture = gateway.capture

    def capturing(key: str, order: str, money: Any) -> Any:
        fuse.at(order)
        return capture(key, order, money)

    gateway.capture = capturing
    pump = Pump(deployment.line(), deployment, [service], seconds)
    end = time.monotonic() + IDLE_SECONDS
    while time.monotonic() < end:
        pump.once(service)


def ring_until_killed(cloud: str, place: str, point: str) -> NoReturn:
    """Ring when every timer is due, until the tick gets to this point."""
    deployment = _opened(cloud, place)
    fuse = Fuse(Path(place), point, 1)
    deployment.clock = when_all_is_due()
    remove = deployment.timers.remove

    def removing(timers: Sequence[Timer]) -> None:
        fuse.at(RUNG)
        remove(timers)
        fuse.at(FORGOTTEN)

    deployment.timers.remove = removing
    deployment.ring()
    fuse.blow(BORED)


def _opened(cloud: str, place: str) -> Deployment:
    at = Path(place)
    return cloud_named(cloud).deployment(at, impatient(), outside(at))
