"""Several processes over one broker, and any schedule over one: nothing is lost, nothing is held twice."""

from collections import Counter
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

from shared.kernel.outcome import DONE, IGNORED, DeadLetter, Defer, Outcome, Retry
from shared.kernel.ports import Delivery
from tests.support import contenders
from tests.support.adapters import deploy
from tests.support.contract_catalog import FAILURE, STOCK, ids, message, messages
from tests.support.processes import run, run_together, run_until_killed

WORKERS = 4


# -- processes


@pytest.mark.needs("several_processes")
def test_workers_that_compete_handle_each_of_2000_messages_once(in_real_time):
    in_real_time.publish(*messages(2000))
    place = in_real_time.adapter.name, str(in_real_time.place), STOCK

    handled = run_together(contenders.work_until_empty, [(*place, 20)] * WORKERS)

    assert Counter(id_ for each in handled for id_ in each) == Counter({f"m{n}": 1 for n in range(1, 2001)})
    assert sum(1 for each in handled if each) > 1  # they did compete
    assert (in_real_time.take(), in_real_time.letters()) == ([], [])


@pytest.mark.needs("several_processes", "keeps_order")
def test_each_worker_sees_its_share_in_order(in_real_time):
    in_real_time.publish(*messages(400))
    place = in_real_time.adapter.name, str(in_real_time.place), STOCK

    handled = run_together(contenders.work_until_empty, [(*place, 7)] * WORKERS)

    for each in handled:
        assert each == sorted(each, key=lambda id_: int(id_[1:]))


@pytest.mark.needs("several_processes")
def test_what_killed_workers_had_leased_is_handled_by_others(in_real_time):
    in_real_time.publish(*messages(60))
    place = in_real_time.adapter.name, str(in_real_time.place), STOCK
    seconds = min(in_real_time.moment, 1.0)
    for _ in range(2):
        run_until_killed(contenders.lease_and_die, *place, 10, seconds)

    in_real_time.wait_out(seconds)
    again = run(contenders.work_until_empty, *place, 25)

    assert Counter(again) == Counter({f"m{number}": 1 for number in range(1, 61)})


# -- any schedule


class Publish(Struct, frozen=True):
    count: int


class Take(Struct, frozen=True):
    count: int
    seconds: float


class Settle(Struct, frozen=True):
    """Settle any of the deliveries there ever were, lost leases included."""

    chosen: int
    outcome: Outcome


class Wait(Struct, frozen=True):
    seconds: float


outcomes = st.sampled_from(
    [
        DONE,
        IGNORED,
        DeadLetter(FAILURE),
        Retry(0.0, FAILURE),
        Retry(45.0, FAILURE),
        Defer(0.0, FAILURE),
        Defer(5.0, FAILURE),
    ]
)
schedules = st.lists(
    st.builds(Publish, st.integers(1, 3))
    | st.builds(Take, st.integers(1, 3), st.sampled_from([10.0, 60.0]))
    | st.builds(Settle, st.integers(0, 50), outcomes)
    | st.builds(Wait, st.sampled_from([1.0, 5.0, 30.0, 60.0])),
    max_size=25,
)


class Books:
    """What must be true of each message, kept beside the broker."""

    def __init__(self, deployed) -> None:
        self._deployed = deployed
        self.published: list[str] = []
        self.deliveries: list[tuple[str, Delivery, float]] = []
        self.holders: dict[str, Delivery] = {}
        self.ended: dict[str, str] = {}

    def follow(self, step) -> None:
        match step:
            case Publish(count):
                self._publish(count)
            case Take(count, seconds):
                self._take(count, seconds)
            case Settle(chosen, outcome) if self.deliveries:
                self._settle(*self.deliveries[chosen % len(self.deliveries)], outcome)
            case Wait(seconds):
                self._deployed.wait(seconds)

    def _publish(self, count) -> None:
        new = [f"m{len(self.published) + number}" for number in range(count)]
        self.published += new
        self._deployed.publish(*[message(id_, to=STOCK) for id_ in new])

    def _take(self, count, seconds) -> None:
        self._deployed.wait(0.001)  # no two leases begin at the same moment
        leased = self._deployed.take(count, STOCK, seconds)
        for id_, delivery in zip(ids(leased), leased, strict=True):
            assert id_ not in self.ended, f"{id_} came again, although it was {self.ended[id_]}"
            self.deliveries.append((id_, delivery, self._deployed.now + seconds))
            self.holders[id_] = delivery

    def _settle(self, id_, delivery, until, outcome) -> None:
        self._deployed.settle(delivery, outcome)
        if self.holders.get(id_) is not delivery:
            return  # somebody else holds it, or it was settled: nothing may have changed
        del self.holders[id_]
        if isinstance(outcome, Retry | Defer):
            return
        end = "dead" if isinstance(outcome, DeadLetter) else "done"
        # Under a lease that ended, and that nobody else has, an adapter may settle or not.
        self.ended[id_] = end if self._deployed.now < until else f"perhaps {end}"

    def check(self) -> None:
        self._deployed.wait(3600.0)
        waiting = Counter(ids(self._deployed.take(1000)))
        dead = Counter(ids(self._deployed.letters()))
        for id_ in self.published:
            end, places = self.ended.get(id_, "waiting"), (waiting[id_], dead[id_])
            if end.startswith("perhaps"):
                assert places in ((0, 0), (1, 0), (0, 1)), f"{id_} is in more than one place"
            else:
                assert places == {"done": (0, 0), "dead": (0, 1), "waiting": (1, 0)}[end], f"{id_} should be {end}"
        assert waiting.keys() | dead.keys() <= set(self.published)


@pytest.mark.needs("controls_time", "tells_lost_leases", "exact_listing_of_dead_letters")
def test_under_any_schedule_each_message_is_done_dead_or_waiting_and_never_two_of_them(adapter, place):
    numbers = count()

    @settings(max_examples=adapter.examples)
    @given(schedules)
    def check(schedule):
        with deploy(adapter, place / str(next(numbers))) as deployed:
            books = Books(deployed)

            for step in schedule:
                books.follow(step)

            books.check()

    check()
