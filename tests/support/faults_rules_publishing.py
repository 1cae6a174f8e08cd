"""The rules of publishing and settling, broken."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from weakref import WeakKeyDictionary

import pytest
from greenlet import getcurrent, greenlet
from msgspec import structs

from shared.kernel.codec import encode, read_own
from shared.kernel.commit import Commit
from shared.kernel.emission import Emitter
from shared.kernel.errors import PublishFailed
from shared.kernel.outcome import DONE, DeadLetter
from shared.kernel.ports import Outgoing, Timer
from shared.orders.handlers import SERVICE as ORDERS
from tests.support.faults_ports import HostileBus, HostileChannels, HostileStore, HostileTimers
from tests.support.faults_rules import Broken
from tests.support.simulation_focus import answers_lost, quarrels, reminders


def publish_before_appending(patch: pytest.MonkeyPatch) -> None:
    append, emitter = HostileStore.append, Emitter(ORDERS)  # any service's will do: it tells timers from others

    def publish_and_append(self: HostileStore, commit: Commit) -> None:
        stored = (emitter.stored(message) for message in commit.messages)
        self.on.hand_over([message for message in stored if isinstance(message, Outgoing)])
        append(self, commit)

    patch.setattr(HostileStore, "append", publish_and_append)


def settle_before_publishing(patch: pytest.MonkeyPatch) -> None:
    publish, settle = HostileBus.publish, HostileChannels.settle
    unsent: WeakKeyDictionary[greenlet, tuple[HostileBus, Sequence[Outgoing]]] = WeakKeyDictionary()

    def publish_later(self: HostileBus, messages: Sequence[Outgoing]) -> set[str]:
        if all(message.to for message in messages):
            return publish(self, messages)  # the tick settles nothing
        unsent[getcurrent()] = self, messages
        return set()

    def settle_and_publish(self: HostileChannels, service: str, settlements: Any) -> None:
        settle(self, service, settlements)
        if found := unsent.pop(getcurrent(), None):
            with suppress(PublishFailed):
                publish(*found)

    patch.setattr(HostileBus, "publish", publish_later)
    patch.setattr(HostileChannels, "settle", settle_and_publish)


def settle_before_parking(patch: pytest.MonkeyPatch) -> None:
    settle = HostileChannels.settle

    def settle_and_park(self: HostileChannels, service: str, settlements: Any) -> None:
        dead = [(each, outcome) for each, outcome in settlements if isinstance(outcome, DeadLetter)]
        settle(self, service, [(each, DONE if (each, outcome) in dead else outcome) for each, outcome in settlements])
        self.on.pause("parks", *dead)
        for each, outcome in dead:
            self.on.broker._park(service, each.receipt, outcome.failure)

    patch.setattr(HostileChannels, "settle", settle_and_park)


def ignore_what_was_not_confirmed(patch: pytest.MonkeyPatch) -> None:
    publish = HostileBus.publish

    def publish_and_hope(self: HostileBus, messages: Sequence[Outgoing]) -> set[str]:
        with suppress(PublishFailed):
            publish(self, messages)
        return set()

    patch.setattr(HostileBus, "publish", publish_and_hope)


def remove_timers_before_publishing(patch: pytest.MonkeyPatch) -> None:
    due = HostileTimers.due

    def due_and_gone(self: HostileTimers, now: float, limit: int) -> list[Timer]:
        found = due(self, now, limit)
        self.on.broker.remove(found)
        return found

    patch.setattr(HostileTimers, "due", due_and_gone)


def publish_nothing_again(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Emitter, "stored", lambda *_: None)


def publish_again_under_another_id(patch: pytest.MonkeyPatch) -> None:
    stored = Emitter.stored

    def stored_as_new(self: Emitter, message: Any) -> Any:
        again = stored(self, message)
        if not isinstance(again, Outgoing):
            return again
        new = f"{again.id}.again"
        return structs.replace(again, id=new, body=encode(structs.replace(read_own(again.body), id=new)))

    patch.setattr(Emitter, "stored", stored_as_new)


PUBLISHING = {
    "append, only then publish": Broken(publish_before_appending),
    "publish, only then settle": Broken(settle_before_publishing),
    "a dead letter is parked, only then settled": Broken(settle_before_parking, quarrels),
    "what the bus did not confirm is published again": Broken(ignore_what_was_not_confirmed, answers_lost),
    "a timer is published, only then removed": Broken(remove_timers_before_publishing, reminders),
    "a repeat publishes again what it caused": Broken(publish_nothing_again),
    "publishing twice publishes the same ids": Broken(publish_again_under_another_id),
}
