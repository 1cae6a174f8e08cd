"""Functions in processes that are killed at a chosen point: between any two steps of an invocation."""

import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn
from uuid import uuid4

from infra.aws.sqs import SqsChannels
from shared.catalog import CATALOG
from shared.kernel.ports import Outgoing
from tests.support.aws_pump import Pump
from tests.support.aws_shop import Deployment, impatient, outside
from tests.support.processes import die

COMMITTED = "after an append, before anything is published"
HALF_PUBLISHED = "when half is published"
PUBLISHED = "after publishing, before settling"
CAPTURED = "after the money moved, before the append"
CLAIMED = "after the claim, before the mail"
MAILED = "after the mail left, before the append"
SENT_ON = "after copies and dead letters were sent, before Lambda knows"
ANSWERED = "after the function's answer, before Lambda deletes"
POINTS = (COMMITTED, HALF_PUBLISHED, PUBLISHED, CAPTURED, CLAIMED, MAILED, SENT_ON, ANSWERED)

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
    store, bus = deployment.store, deployment.bus
    append, publish, carry_out = store.append, bus.publish, deployment.channels.carry_out

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

    assert isinstance(deployment.channels, SqsChannels)
    _replace(store, "append", appending)
    _replace(bus, "publish", publishing)
    _replace(deployment.channels, "carry_out", carrying_out)
    gateway, mailer = deployment.providers["payments"], deployment.providers["notifications"]
    _replace(gateway, "capture", _then(gateway.capture, lambda: fuse.at(CAPTURED)))
    _replace(mailer, "send", _then(mailer.send, lambda: fuse.at(MAILED)))


def _replace(thing: Any, name: str, function: Callable[..., Any]) -> None:
    setattr(thing, name, function)


def _then(function: Callable[..., Any], after: Callable[[], None]) -> Callable[..., Any]:
    def both(*arguments: Any) -> Any:
        answer = function(*arguments)
        after()
        return answer

    return both


class Mortal(Pump):
    """Ends at the point between a function's answer and Lambda's deletion."""

    fuse: Fuse

    def delete(self, service: str, records: Any) -> None:
        self.fuse.at(ANSWERED)
        super().delete(service, records)


def work_until_killed(place: str, point: str, nth: int, seed: int, seconds: int) -> NoReturn:
    """Run every function on what its queue holds, until the point is passed for the nth time."""
    at, chance = Path(place), random.Random(seed)
    deployment = Deployment(at, impatient(), outside(at))
    fuse = Fuse(at, point, nth)
    wire(deployment, fuse)
    pump = Mortal(deployment, deployment.functions(), seconds)
    pump.fuse = fuse
    services = list(CATALOG.services)
    end = time.monotonic() + IDLE_SECONDS
    while time.monotonic() < end:
        chance.shuffle(services)
        if sum(pump.once(service) for service in services):
            end = time.monotonic() + IDLE_SECONDS
    fuse.blow(BORED)


def die_of(place: str, service: str, subject: str) -> None:
    """Handle what one queue holds; a message about the subject kills whoever handles it."""
    at = Path(place)
    deployment = Deployment(at, impatient(), outside(at))
    fuse = Fuse(at, subject, 1)
    gateway = deployment.providers["payments"]
    capture = gateway.capture

    def capturing(key: str, order: str, money: Any) -> Any:
        fuse.at(order)
        return capture(key, order, money)

    _replace(gateway, "capture", capturing)
    pump = Pump(deployment, deployment.functions([service]), seconds=1)
    end = time.monotonic() + IDLE_SECONDS
    while time.monotonic() < end:
        pump.once(service)
