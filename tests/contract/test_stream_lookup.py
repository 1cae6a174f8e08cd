"""What the kernel asks of a store about the past: state, and whether a message was handled, whatever is remembered."""

from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw, Struct

from shared.kernel.commit import COMMIT_LIMIT, Commit, Emitted, Handled, Key, Remembered
from shared.kernel.draft import GROUP_LIMIT
from shared.kernel.outcome import DONE
from shared.kernel.service import Limits
from shared.kernel.stream import NEVER, Folder, View, commit_at, find_in_history
from tests.support.kernel_fakes import NOW, Add, Added, Tally, World, body, delivery, tally_service

AT_ONCE = 10**6
"""A weight after which a snapshot is due."""


def folder(memory=256):
    return Folder(tally_service(limits=Limits(memory=memory)))


def seen(number, time=1.0):
    return Handled("/test", f"m{number}", f"d{number}", time, "tally.add.v1")


def fill(store, numbers, stream="tally/s1"):
    """Handle m1, m2, …, one a commit; each adds 1."""
    for version in numbers:
        emitted = Emitted(0, Raw(body(Added(1, version))))
        store.append(Commit(stream, version, 1.0 + version, [seen(version, float(version))], [emitted]))


def snapshot(store, stream="tally/s1", memory=256):
    """Append a commit that handles nothing and carries a snapshot."""
    view = View.load(folder(memory), store, stream)
    carried = view.advance(AT_ONCE, 0)
    store.append(Commit(stream, view.version, 99.0, snapshot=carried))


# -- loading


def test_a_stream_without_commits_is_at_its_beginning(store):
    view = View.load(folder(), store, "tally/s1")

    assert (view.version, view.state, view.memory, view.forgotten_until) == (0, Tally(), {}, NEVER)


def test_a_stream_is_the_fold_of_its_commits(store):
    fill(store, range(1, 8))

    view = View.load(folder(), store, "tally/s1")

    assert (view.version, view.state) == (7, Tally(7))
    assert {key[1]: entry.version for key, entry in view.memory.items()} == {f"m{n}": n for n in range(1, 8)}


def test_a_snapshot_and_the_commits_after_it_make_the_same_state_as_all_commits(store):
    for stream in ("tally/s1", "tally/s2"):
        fill(store, range(1, 5), stream)
    snapshot(store, "tally/s1")
    store.append(Commit("tally/s2", 5, 99.0))
    for stream in ("tally/s1", "tally/s2"):
        fill(store, range(6, 9), stream)

    with_snapshot, without = (View.load(folder(), store, stream) for stream in ("tally/s1", "tally/s2"))

    assert with_snapshot.state == without.state == Tally(7)
    assert with_snapshot.memory == without.memory
    assert with_snapshot.version == without.version == 8


def test_nobody_reads_further_back_than_a_snapshot(store):
    unreadable = Emitted(0, Raw(b'{"not":"an envelope"}'))
    store.append(Commit("tally/s1", 1, 1.0, [seen(1)], [unreadable]))
    snapshot_of_nothing = View(folder(), "tally/s1").advance(AT_ONCE, 0)
    store.append(Commit("tally/s1", 2, 2.0, snapshot=snapshot_of_nothing))

    assert View.load(folder(), store, "tally/s1").version == 2


def test_one_commit_is_found_by_its_version(store):
    fill(store, range(1, 6))

    assert [commit_at(store, "tally/s1", version).version for version in range(1, 6)] == [1, 2, 3, 4, 5]


# -- finding


def test_what_the_memory_dropped_is_found_in_older_commits(store):
    fill(store, range(1, 10))
    snapshot(store, memory=2)
    view = View.load(folder(memory=2), store, "tally/s1")

    found = view.find(store, ("/test", "m3"), 3.0)

    assert sorted(view.memory) == [("/test", "m8"), ("/test", "m9")]
    assert (view.forgotten_until, found) == (7.0, Remembered("/test", "m3", "d3", 3.0, 3))


def test_a_message_later_than_all_that_was_dropped_is_not_looked_up(store):
    fill(store, range(1, 10))
    snapshot(store, memory=2)
    view = View.load(folder(memory=2), store, "tally/s1")
    no_store = None

    assert view.find(no_store, ("/test", "m10"), 7.5) is None
    assert view.find(store, ("/test", "m10"), 7.0) is None


class Naive:
    """All that ever happened to a message, in a dictionary without bound."""

    def __init__(self) -> None:
        self.known: dict[Key, Remembered] = {}

    def take_in(self, commit: Commit) -> None:
        for key in commit.released:
            del self.known[key]
        for m in commit.claims:
            self.known[m.key] = Remembered(m.source, m.id, m.digest, m.time, commit.version, commit.time)
        for m in commit.handled:
            self.known[m.key] = Remembered(m.source, m.id, m.digest, m.time, commit.version)

    def claimed(self) -> list[Key]:
        return [key for key, entry in self.known.items() if entry.claimed is not None]


class Step(Struct, frozen=True):
    """What one commit does to messages, and what comes of its snapshot."""

    handled: list[float]
    """The `time` of each message that it is the first to mention."""
    claimed: list[float]
    fates: list[str]
    """Of the claims there are, oldest first."""
    snapshot: str
    reload: bool
    """Whether the next commit is made by somebody who has just loaded the stream."""


message_times = st.integers(0, 6).map(float)  # few, so that many are equal
steps = st.builds(
    Step,
    st.lists(message_times, max_size=4),
    st.lists(message_times, max_size=2),
    st.lists(st.sampled_from(["handle", "release", "leave"]), max_size=3),
    st.sampled_from(["not due", "fits", "too big"]),
    st.booleans(),
)


class Past:
    """A stream that grows by steps, beside the naive model of it."""

    def __init__(self, store, stream, memory) -> None:
        self.store, self.stream, self.folder = store, stream, folder(memory)
        self.view = View(self.folder, stream)
        self.naive = Naive()
        self.mentioned = [seen(0, 3.0)]  # m0 is never handled

    def _new(self, times):
        new = [seen(len(self.mentioned) + i, time) for i, time in enumerate(times)]
        self.mentioned += new
        return new

    def grow(self, step):
        fates = list(zip(self.naive.claimed(), step.fates, strict=False))
        by_key = {each.key: each for each in self.mentioned}
        answered = [by_key[key] for key, fate in fates if fate == "handle"]
        released = [key for key, fate in fates if fate == "release"]
        handled, claims, time = [*answered, *self._new(step.handled)], self._new(step.claimed), 10.0 + self.view.version
        self.view.remember(handled, claims, released, self.view.version + 1, time)
        weight, size = {"not due": (0, 0), "fits": (AT_ONCE, 0), "too big": (AT_ONCE, COMMIT_LIMIT)}[step.snapshot]
        carried = self.view.advance(weight, size)
        commit = Commit(self.stream, self.view.version, time, handled, (), claims, released, carried)
        self.store.append(commit)
        self.naive.take_in(commit)
        if step.reload:
            self.view = self.loaded()

    def loaded(self):
        return View.load(self.folder, self.store, self.stream)

    def expected(self):
        return {each.key: self.naive.known.get(each.key) for each in self.mentioned}

    def found_by(self, view):
        return {each.key: view.find(self.store, each.key, each.time) for each in self.mentioned}

    def found_in_history(self):
        return {each.key: find_in_history(self.store, self.stream, each.key) for each in self.mentioned}


def test_finding_is_exact_for_any_memory_any_order_of_times_and_any_claims(deployed):
    numbers = count()

    @settings(max_examples=deployed.adapter.examples)
    @given(st.integers(0, 5), st.lists(steps, max_size=8))
    def check(memory, history):
        past = Past(deployed.system.store, f"tally/{next(numbers)}", memory)

        for step in history:
            past.grow(step)

            assert past.found_by(past.view) == past.expected()
            assert past.found_by(past.loaded()) == past.expected()
        assert past.found_in_history() == past.expected()

    check()


def test_finding_is_as_exact_with_the_snapshots_that_the_kernel_itself_takes(store):
    past = Past(store, "tally/s1", memory=3)
    steps_of_three = [Step([float(n % 7), 2.0, float(-n)], [], [], "not due", reload=n % 4 == 0) for n in range(60)]

    for step in steps_of_three:
        past.grow(step)

    assert any(commit.snapshot for commit in store.read("tally/s1"))
    assert past.view.forgotten_until > NEVER
    assert past.found_by(past.view) == past.found_by(past.loaded()) == past.expected()


# -- a receiver over it


@pytest.mark.parametrize("memory", [1, 256])
def test_twins_in_one_batch_take_effect_once_even_where_the_memory_has_dropped_the_first(store, memory):
    world = World(tally_service(limits=Limits(memory=memory)), store=store)
    oldest = delivery(Add(1), id="twin", time=NOW.replace(year=2020))
    others = [delivery(Add(1), id=f"m{number}") for number in range(4 * GROUP_LIMIT)]

    outcomes = world.receive(oldest, *others, oldest)

    assert set(outcomes) == {DONE}
    assert View.load(folder(), store, "tally/s1").state == Tally(1 + len(others))
