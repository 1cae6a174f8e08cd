from collections.abc import Sequence

import pytest
from msgspec import structs

from shared.kernel.errors import PublishFailed
from shared.kernel.ports import Outgoing, Timer
from shared.kernel.timers import tick, tick_until
from tests.support.kernel_fakes import NOW, Reminded, World, body, tally_service


def timer(number: int, seconds: float) -> Timer:
    """A timer that is due so many seconds from now."""
    raw = body(Reminded(), id=f"t{number}")
    return Timer(NOW.timestamp() + seconds, Outgoing(f"t{number}", "tally.reminded.v1", "s1", raw, "tally"))


def world_with(*timers: Timer) -> World:
    world = World(tally_service())
    world.broker.set(timers)
    return world


def ticked(world: World, limit: int = 100) -> list[str]:
    """What one tick published."""
    world.broker.published.clear()
    count = tick(world.broker, world.broker, world.clock, limit)
    assert count == len(world.broker.published)
    return [sent.id for sent in world.broker.published]


def test_what_is_due_is_published_earliest_first_and_removed():
    world = world_with(timer(1, -1), timer(2, -2), timer(3, 60))

    assert ticked(world) == ["t2", "t1"]
    assert [each.message.id for each in world.timers()] == ["t3"]


def test_a_timer_is_due_at_its_instant_and_not_before():
    world = world_with(timer(1, 60))

    world.clock.time += 59.9
    before = ticked(world)
    world.clock.time += 0.1
    then = ticked(world)

    assert (before, then) == ([], ["t1"])


def test_a_timer_is_published_to_the_service_that_set_it():
    world = world_with(timer(1, 0))

    ticked(world)

    assert [sent.to for sent in world.broker.published] == ["tally"]
    assert len(world.waiting()) == 1


def test_a_timer_is_published_once():
    world = world_with(timer(1, 0))

    assert [ticked(world), ticked(world)] == [["t1"], []]


def test_one_tick_takes_no_more_than_its_limit():
    world = world_with(*[timer(number, number - 10) for number in range(5)])

    assert [ticked(world, 2), ticked(world, 2), ticked(world, 2)] == [["t0", "t1"], ["t2", "t3"], ["t4"]]


def test_a_timer_that_the_bus_did_not_take_stays():
    world = world_with(timer(1, 0), timer(2, 0))
    world.broker.lost = {"t1"}

    first = ticked(world)
    world.broker.lost = set()
    second = ticked(world)

    assert (first, second) == (["t2"], ["t1"])


def test_no_timer_is_removed_when_the_bus_is_down():
    world = world_with(timer(1, 0))
    world.broker.down = True

    with pytest.raises(PublishFailed):
        tick(world.broker, world.broker, world.clock)

    assert len(world.timers()) == 1


def test_a_crash_between_publishing_and_removing_publishes_again():
    class Dying(type(world_with().broker)):
        """Dies before it removes anything."""

        def remove(self, timers):
            raise SystemExit

    world = world_with(timer(1, 0))
    dying = Dying(world.broker._catalog, world.clock)
    dying.set([timer(1, 0)])

    with pytest.raises(SystemExit):
        tick(dying, world.broker, world.clock)

    assert [sent.id for sent in world.broker.published] == ["t1"]
    assert [each.message.id for each in dying.due(world.clock.now(), 10)] == ["t1"]


def test_nothing_due_touches_nothing():
    world = world_with()
    world.broker.down = True

    assert tick(world.broker, world.broker, world.clock) == 0


# -- until a time


class Fussy:
    """A bus that confirms nothing for some services, and fails when that is all it is given."""

    def __init__(self, world: World, refused: str) -> None:
        self.world = world
        self.refused = refused

    def publish(self, messages: Sequence[Outgoing]) -> set[str]:
        taken = [each for each in messages if each.to != self.refused]
        if not taken:
            raise PublishFailed("there is no queue 'withdrawn'")
        self.world.broker.publish(taken)
        return {each.id for each in messages} - {each.id for each in taken}


def withdrawn(number: int) -> Timer:
    return structs.replace(timer(number, -1000), message=structs.replace(timer(number, 0).message, to="withdrawn"))


def test_timers_that_can_not_be_published_hold_up_no_others_however_many_they_are():
    world = world_with(*[withdrawn(number) for number in range(25)], *[timer(number, -1) for number in range(100, 115)])
    bus = Fussy(world, "withdrawn")

    with pytest.raises(PublishFailed, match="15 timers were published, 25 that are due were not"):
        tick_until(world.clock.now() + 60, world.broker, bus, world.clock, limit=10)

    assert [sent.id for sent in world.broker.published] == [f"t{number}" for number in range(100, 115)]
    assert [each.message.to for each in world.timers()] == ["withdrawn"] * 25


def test_a_tick_that_has_no_time_left_begins_nothing():
    world = world_with(timer(1, -1))

    assert tick_until(world.clock.now(), world.broker, world.broker, world.clock) == 0
    assert world.broker.published == []
