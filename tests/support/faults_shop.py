"""All services worked by hand, one delivery after the other, for scenarios that a person wants to read."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Raw

from shared.kernel.codec import encode, read_own
from shared.kernel.commit import Commit
from shared.kernel.message import Envelope, Payload
from shared.kernel.ports import Outgoing
from shared.kernel.timers import tick
from tests.support.faults import Crash
from tests.support.simulation_stage import stage
from tests.support.simulation_workload import Schedule
from tests.support.simulation_world import World

LEASE_SECONDS = 60.0

Happening = Callable[[], None]


class Shop(World):
    """A world without a scheduler: whoever works, works until it is done or dies."""

    def __init__(self, plan: Schedule) -> None:
        self._stage = stage(plan.memory)
        super().__init__(plan, self._stage.catalog, self._stage.clock)
        self._stage.enter(self)
        self._before: dict[str, list[Happening]] = {}

    def pause(self, does: str, *what: object) -> None:
        """Let happen what was to happen before this call."""
        if waiting := self._before.get(does):
            waiting.pop(0)()

    def before(self, call: str, happening: Happening, *, after: int = 0) -> None:
        """Let something happen once, just before a call ("reads", "appends", …), `after` so many of its kind."""
        self._before[call] = [_nothing] * after + [happening]

    def send(self, payload: Payload, subject: str = "o1", id_: str = "1", **attributes: Any) -> None:
        """Be a client; an id belongs to its payload's type."""
        type_ = str(payload.message_type)
        envelope = Envelope(
            specversion="1.0",
            id=f"{type_}-{id_}",
            source="/web",
            type=type_,
            subject=subject,
            time=datetime.fromtimestamp(self.time, UTC),
            data=Raw(msgspec.json.encode(payload)),
            **attributes,
        )
        self.deliver([Outgoing("", type_, "", encode(envelope))])

    def work(self, service: str) -> None:
        """Handle what is due at a service now."""
        self._flush_held()
        deliveries = self.broker.lease(service, 100, LEASE_SECONDS)
        settle = self._stage.channels.settle
        self._stage.receivers[service].receive(deliveries, lambda batch: settle(service, batch))
        self._flush_held()

    def die_at(self, service: str, call: str, *, after: int = 0) -> None:
        """Handle what is due, and die just before a call, `after` so many of its kind."""
        self.before(call, _die, after=after)
        try:
            self.work(service)
        except Crash:
            self.unflushed.clear()
            return
        raise AssertionError(f"nobody {call} at {service}")

    def work_everywhere(self, seconds: float = 600.0) -> None:
        """Let all services handle what is due within so many seconds."""
        end = self.time + seconds
        while self.time < end:
            for service in self.catalog.services:
                self.work(service)
            tick(self._stage.timers, self._stage.bus, self._stage.clock)
            self.time += 5.0

    def commits(self, stream: str) -> list[Commit]:
        """A stream's commits, oldest first."""
        return list(self.store.read(stream))[::-1]

    def told(self) -> list[str]:
        """The types of what was published, without service and version."""
        return [read_own(body).type.split(".")[1] for body in self.published.values()]

    def given_up(self, service: str) -> list[str]:
        """The reasons of a service's dead letters."""
        return [letter.failure.reason for letter in self.broker.parked(service)]

    def replay_all(self) -> None:
        """Send every dead letter to its service again."""
        for letter in self.letters():
            self.replay(letter)

    def _flush_held(self) -> None:
        self.deliver(self.held)
        self.held.clear()


def _die() -> None:
    raise Crash


def _nothing() -> None:
    pass
