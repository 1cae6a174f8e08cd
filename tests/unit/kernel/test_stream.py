import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from infra.local.memory import MemoryStore
from shared.kernel.commit import Commit, Emitted, Handled, Remembered, Snapshot
from shared.kernel.errors import UnknownVersion
from shared.kernel.message import Payload, Upcast, event
from shared.kernel.service import Limits, Service
from shared.kernel.stream import NEVER, SNAPSHOT_EVERY, Folder, View, commit_at, find_in_history
from tests.support.kernel_fakes import NOW, Added, Noted, Tally, body, spoiled, tally_service

STREAM = "tally/s1"


def stored(payload: Payload, version: int = 1, index: int = 0) -> Emitted:
    """A message as a commit keeps it."""
    return Emitted(0, Raw(body(payload, id=f"{STREAM}:{version}:{index}", source="/tally")))


def handled(id_: str, time: float = 1.0, digest: str = "d") -> Handled:
    return Handled("/test", id_, digest, time, "tally.add.v1")


class History:
    """A stream that is written commit by commit, without a receiver."""

    def __init__(self, service: Service | None = None) -> None:
        self.service = service or tally_service()
        self.store = MemoryStore()
        self.version = 0

    def append(self, *payloads: Payload, **parts: object) -> None:
        self.version += 1
        messages = [stored(payload, self.version, index) for index, payload in enumerate(payloads)]
        self.store.append(Commit(STREAM, self.version, NOW.timestamp(), messages=messages, **parts))

    def load(self, service: Service | None = None) -> View:
        return View.load(Folder(service or self.service), self.store, STREAM)


class CountingStore(MemoryStore):
    """Counts the commits that are read."""

    taken = 0

    def read(self, stream, before=None):
        for commit in super().read(stream, before):
            self.taken += 1
            yield commit


def test_a_stream_that_does_not_exist_is_empty():
    view = History().load()

    assert (view.version, view.state, view.memory, view.forgotten_until) == (0, Tally(), {}, NEVER)


def test_state_is_the_fold_of_what_was_emitted():
    history = History()
    history.append(Added(1, 1), Noted("a"), handled=[handled("m1")])
    history.append(Added(2, 3), handled=[handled("m2")])

    view = history.load()

    assert view.version == 2
    assert view.state == Tally(3, ("a",))


def test_memory_holds_what_was_handled_and_where():
    history = History()
    history.append(handled=[handled("m1", 5.0, "d1")])
    history.append(handled=[handled("m2", 6.0, "d2")])

    view = history.load()

    assert view.memory == {
        ("/test", "m1"): Remembered("/test", "m1", "d1", 5.0, 1),
        ("/test", "m2"): Remembered("/test", "m2", "d2", 6.0, 2),
    }


def test_a_claim_is_remembered_until_it_is_answered():
    history = History()
    history.append(claims=[handled("m1")])
    claimed = history.load().memory["/test", "m1"]
    history.append(handled=[handled("m1")])
    answered = history.load().memory["/test", "m1"]

    assert claimed.claimed == NOW.timestamp()
    assert answered.claimed is None


def test_a_claim_given_back_is_forgotten():
    history = History()
    history.append(claims=[handled("m1")])
    history.append(released=[("/test", "m1")])

    assert history.load().memory == {}


def test_reading_stops_at_the_newest_snapshot():
    history = History()
    history.store = CountingStore()
    history.append(Added(100, 100), handled=[handled("m1")])
    memory = [Remembered("/test", "m1", "d", 1.0, 1)]
    history.append(snapshot=Snapshot(Raw(b'{"total":7}'), memory, 0.5))
    history.append(Added(1, 8), handled=[handled("m3")])

    view = history.load()

    assert history.store.taken == 2
    assert view.state == Tally(8)
    assert view.forgotten_until == 0.5
    assert view.memory.keys() == {("/test", "m1"), ("/test", "m3")}


def test_a_message_of_an_older_version_is_folded_as_the_newest():
    @event("tally.added.v2", upcast=Upcast(Added, lambda old: Counted(old.amount)))
    class Counted(Payload, frozen=True):
        by: int

    history = History()
    history.append(Added(5, 5))
    newer = tally_service(emits={Counted: lambda tally, event: Tally(tally.total + event.by)})

    assert history.load(newer).state == Tally(5)


def test_what_newer_code_wrote_is_worth_waiting_for():
    @event("tally.added.v2")
    class Counted(Payload, frozen=True):
        by: int

    history = History(tally_service(emits={Counted: None}))
    history.append(Counted(5))

    with pytest.raises(UnknownVersion, match=r"'tally\.added\.v2' is newer"):
        history.load(tally_service())


def test_what_this_code_can_no_longer_read_is_a_bug_that_names_the_message():
    history = History()
    history.append(Noted("a"))
    forgetful = tally_service(emits={Added: Tally.added})

    with pytest.raises(RuntimeError, match="'tally/s1:1:0' in the store can't be read any more"):
        history.load(forgetful)


def test_a_stored_message_that_does_not_fit_its_type_any_more_is_a_bug_that_names_the_message():
    store = MemoryStore()
    misfit = spoiled(id="tally/s1:1:0", type="tally.added.v1", data={"amount": "one"})
    store.append(Commit(STREAM, 1, 1.0, messages=[Emitted(0, Raw(misfit))]))

    with pytest.raises(RuntimeError, match="'tally/s1:1:0' in the store can't be read any more"):
        View.load(Folder(tally_service()), store, STREAM)


# -- looking further back


def test_a_message_that_is_not_known_was_not_handled():
    view = History().load()

    assert view.find(MemoryStore(), ("/test", "m1"), 1.0) is None


def test_a_forgotten_message_is_found_in_the_older_commits():
    history = History()
    history.append(handled=[handled("m1", 1.0, "d1")])
    history.append(snapshot=Snapshot(Raw(b"{}"), [], 1.0))

    found = history.load().find(history.store, ("/test", "m1"), 1.0)

    assert found == Remembered("/test", "m1", "d1", 1.0, 1)


def test_a_message_later_than_all_that_was_forgotten_is_not_looked_for():
    history = History()
    history.store = CountingStore()
    history.append(handled=[handled("m1", 1.0)])
    history.append(snapshot=Snapshot(Raw(b"{}"), [], 1.0))
    view = history.load()
    taken = history.store.taken

    found = view.find(history.store, ("/test", "m9"), 1.001)

    assert found is None
    assert history.store.taken == taken


def test_history_tells_the_newest_thing_that_happened_to_a_message():
    history = History()
    key = ("/test", "m1")
    told = []

    for parts in ({"claims": [handled("m1")]}, {"released": [key]}, {"claims": [handled("m1")]}):
        history.append(**parts)
        told.append(find_in_history(history.store, STREAM, key))
    history.append(handled=[handled("m1")])
    told.append(find_in_history(history.store, STREAM, key))

    now = NOW.timestamp()
    assert [(each.version, each.claimed) if each else None for each in told] == [(1, now), None, (3, now), (4, None)]


def test_a_commit_is_found_by_its_version():
    history = History()
    for _ in range(3):
        history.append()

    assert [commit_at(history.store, STREAM, version).version for version in (1, 2, 3)] == [1, 2, 3]


# -- snapshots


def test_at_the_latest_every_fiftieth_commit_carries_a_snapshot():
    view = View(Folder(tally_service(limits=Limits(memory=1000))), STREAM)
    view.remember([handled(f"m{number}") for number in range(900)], (), (), 1, 1.0)

    snapshots = [view.advance(1, 1000) is not None for _ in range(SNAPSHOT_EVERY)]

    assert snapshots == [False] * (SNAPSHOT_EVERY - 1) + [True]


def test_forgetting_keeps_the_latest_times_not_the_last_arrivals():
    view = View(Folder(tally_service(limits=Limits(memory=2))), STREAM)
    view.remember([handled("late", 9.0), handled("early", 1.0), handled("middle", 5.0)], (), (), 1, 1.0)

    snapshot = view.advance(100, 1000)

    assert {entry.id for entry in snapshot.memory} == {"late", "middle"}
    assert snapshot.forgotten_until == 1.0


def test_what_was_forgotten_before_stays_forgotten():
    view = View(Folder(tally_service(limits=Limits(memory=1))), STREAM)
    view.forgotten_until = 7.0
    view.remember([handled("m1", 3.0), handled("m2", 8.0)], (), (), 1, 1.0)

    snapshot = view.advance(100, 1000)

    assert snapshot.forgotten_until == 7.0


@settings(max_examples=50)
@given(st.lists(st.lists(st.integers(0, 9), max_size=5), max_size=12), st.integers(1, 4))
def test_a_loaded_stream_is_what_it_was_when_it_was_written(groups, memory):
    service = tally_service(limits=Limits(memory=memory))
    live, store = View(Folder(service), STREAM), MemoryStore()
    number = 0

    for group in groups:
        entries = [handled(f"m{number + i}", float(time)) for i, time in enumerate(group)]
        number += len(group)
        counted = Added(len(group), 0)
        live.state = live.folder.fold(live.state, counted)
        live.remember(entries, (), (), live.version + 1, 1.0)
        snapshot = live.advance(len(group) + 1, 1000)
        store.append(Commit(STREAM, live.version, 1.0, entries, [stored(counted)], snapshot=snapshot))
    loaded = View.load(Folder(service), store, STREAM)

    assert (loaded.version, loaded.state) == (live.version, live.state)
    assert (loaded.memory, loaded.forgotten_until) == (live.memory, live.forgotten_until)
    assert all(loaded.find(store, ("/test", f"m{i}"), 0.0) for i in range(number))
