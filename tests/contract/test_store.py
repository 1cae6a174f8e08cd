"""The port `Store`: conditional appends, and reads that see every one of them."""

from itertools import count

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw, structs

from shared.kernel.codec import ENVELOPE_LIMIT
from shared.kernel.commit import COMMIT_LIMIT, Commit, Emitted, Handled, Remembered, Snapshot, encode_commit
from shared.kernel.errors import ConcurrencyConflict
from tests.support.adapters import deploy

WRITERS = 4


def commit(version, stream="shop/s1", text=""):
    return Commit(stream, version, 1.5, [Handled("/test", f"m{version}", text, 1.25, "shop.sell.v1")])


def fill(store, versions, stream="shop/s1"):
    for version in range(1, versions + 1):
        store.append(commit(version, stream))


def versions(commits):
    return [commit.version for commit in commits]


def stored(store, stream):
    """A stream's commits, newest first, as bytes: what was appended may hold tuples where what is read holds lists."""
    return [encode_commit(commit) for commit in store.read(stream)]


# -- append


def test_an_appended_commit_is_read_back(store):
    store.append(commit(1, text="here"))

    assert stored(store, "shop/s1") == [encode_commit(commit(1, text="here"))]


def test_a_version_that_exists_is_refused_and_stays_as_it_was(store):
    store.append(commit(1, text="first"))

    with pytest.raises(ConcurrencyConflict, match="version 1 of 'shop/s1'"):
        store.append(commit(1, text="second"))

    assert stored(store, "shop/s1") == [encode_commit(commit(1, text="first"))]


def test_the_same_commit_is_refused_the_second_time_as_any_other_is(store):
    store.append(commit(1))

    with pytest.raises(ConcurrencyConflict):
        store.append(commit(1))


def test_a_version_below_the_newest_is_refused_too(store):
    fill(store, 3)

    for version in (1, 2, 3):
        with pytest.raises(ConcurrencyConflict):
            store.append(commit(version, text="late"))

    assert stored(store, "shop/s1") == [encode_commit(commit(version)) for version in (3, 2, 1)]


def test_who_was_refused_may_append_the_next_version(store):
    store.append(commit(1, text="theirs"))
    with pytest.raises(ConcurrencyConflict):
        store.append(commit(1, text="mine"))

    store.append(commit(2, text="mine"))

    assert stored(store, "shop/s1") == [encode_commit(commit(2, text="mine")), encode_commit(commit(1, text="theirs"))]


def test_a_version_taken_in_one_stream_is_free_in_another(store):
    store.append(commit(1, "shop/s1"))

    store.append(commit(1, "shop/s2"))
    store.append(commit(1, "stock/s1"))

    assert [versions(store.read(stream)) for stream in ("shop/s1", "shop/s2", "stock/s1")] == [[1], [1], [1]]


# -- read


def test_a_stream_without_commits_reads_as_nothing(store):
    store.append(commit(1, "shop/s1"))

    assert list(store.read("shop/s2")) == []
    assert list(store.read("shop/s2", before=5)) == []


def test_commits_are_read_newest_first(store):
    fill(store, 12)

    assert versions(store.read("shop/s1")) == list(range(12, 0, -1))


@pytest.mark.parametrize("before", range(8))
def test_reading_before_a_version_yields_the_ones_below_it(store, before):
    fill(store, 5)

    assert versions(store.read("shop/s1", before)) == [version for version in (5, 4, 3, 2, 1) if version < before]


def test_a_read_yields_its_stream_only_even_where_names_begin_alike(store):
    names = ["shop/s", "shop/s1", "shop/s10", "shop/s1.1", "shop/S1", "shop/s1_", "shop/s~", "shops/s1", "shop_/s1"]
    for length, name in enumerate(names, start=1):
        fill(store, length, name)

    assert {name: len(list(store.read(name))) for name in names} == {name: i for i, name in enumerate(names, start=1)}


def test_a_read_that_has_begun_goes_on_beside_an_append(store):
    fill(store, 3)
    reading = store.read("shop/s1")
    newest = next(reading)

    store.append(commit(4))

    assert [newest.version, *versions(reading)] == [3, 2, 1]
    assert versions(store.read("shop/s1")) == [4, 3, 2, 1]


def test_a_read_may_be_left_before_its_end(store):
    fill(store, 3)

    reading = store.read("shop/s1")
    next(reading)

    fill(store, 3, "shop/s2")
    assert versions(store.read("shop/s2")) == [3, 2, 1]


@pytest.mark.needs("several_processes")
def test_an_append_is_seen_at_once_wherever_the_store_is_open(deployed):
    here = deployed.system.store
    with deploy(deployed.adapter, deployed.place) as other:
        there = other.system.store

        fill(here, 2)
        seen_there = versions(there.read("shop/s1"))
        there.append(commit(3))
        seen_here = versions(here.read("shop/s1"))

    assert (seen_there, seen_here) == ([2, 1], [3, 2, 1])


# -- what a commit holds comes back exactly

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
times = st.floats(allow_nan=False, allow_infinity=False)
json = st.recursive(st.none() | st.booleans() | st.integers() | texts, lambda inner: st.dictionaries(texts, inner)).map(
    lambda value: Raw(msgspec.json.encode(value))
)
handled = st.builds(Handled, texts, texts, texts, times, texts)
remembered = st.builds(Remembered, texts, texts, texts, times, st.integers(1, 2**53), st.none() | times)
commits = st.builds(
    Commit,
    st.just(""),
    st.just(1),
    times,
    st.lists(handled, max_size=3),
    st.lists(st.builds(Emitted, st.integers(0, 2), json, st.none() | times, st.booleans()), max_size=3),
    st.lists(handled, max_size=2),
    st.lists(st.tuples(texts, texts), max_size=2),
    st.none() | st.builds(Snapshot, json, st.lists(remembered, max_size=3), times),
)


def test_a_commit_comes_back_exactly_whatever_it_holds(deployed):
    store, numbers = deployed.system.store, count()

    @settings(max_examples=deployed.adapter.examples)
    @given(commits)
    def check(any_commit):
        stream = f"shop/{next(numbers)}"
        written = structs.replace(any_commit, stream=stream)

        store.append(written)

        assert stored(store, stream) == [encode_commit(written)]

    check()


@pytest.mark.parametrize("text", ["x", "ü", "\N{SPOUTING WHALE}", '"', "\0"], ids=ascii)
def test_a_commit_at_its_limit_comes_back_exactly(store, text):
    empty = Commit("shop/s1", 1, 1.5, messages=[Emitted(0, Raw(b'""'))])
    room = COMMIT_LIMIT - len(encode_commit(empty))
    body = Raw(msgspec.json.encode(text * (room // (len(msgspec.json.encode(text)) - 2))))
    largest = Commit("shop/s1", 1, 1.5, messages=[Emitted(0, body)])

    store.append(largest)

    assert COMMIT_LIMIT - 8 < len(encode_commit(largest)) <= COMMIT_LIMIT
    assert stored(store, "shop/s1") == [encode_commit(largest)]


def test_many_large_commits_of_one_stream_are_all_read(store):
    body = Raw(msgspec.json.encode("x" * (ENVELOPE_LIMIT - 2)))
    for version in range(1, 21):
        store.append(Commit("shop/s1", version, 1.5, messages=[Emitted(0, body)]))

    found = list(store.read("shop/s1"))

    assert versions(found) == list(range(20, 0, -1))
    assert {bytes(commit.messages[0].body) for commit in found} == {bytes(body)}


@pytest.mark.parametrize("key", ["x" * 96, "A-Z.a_z~09", ".", "..", "-", "__x__", "0", "~"])
def test_every_key_that_a_service_may_have_names_a_stream_of_its_own(store, key):
    longest_service = "a" + "_" * 19
    stream = f"{longest_service}/{key}"

    fill(store, 2, stream)

    assert versions(store.read(stream)) == [2, 1]
    assert list(store.streams(longest_service)) == [stream]


# -- a snapshot saves readers the rest


def test_a_snapshot_comes_back_with_its_state_and_memory(store):
    memory = [Remembered("/a", "m1", "d1", 1.5, 1), Remembered("/b", "m2", "d2", 2.5, 2, 3.5)]
    fill(store, 2)

    store.append(Commit("shop/s1", 3, 4.5, snapshot=Snapshot(Raw(b'{"total":3}'), memory, 0.5)))

    found = next(iter(store.read("shop/s1"))).snapshot
    assert (bytes(found.state), list(found.memory), found.forgotten_until) == (b'{"total":3}', memory, 0.5)
    assert [commit.snapshot for commit in store.read("shop/s1", before=3)] == [None, None]


# -- streams


def test_streams_are_a_services_own_even_where_names_begin_alike(store):
    own = {
        "order": ["order/1", "order/status", "order/~"],
        "orders": ["orders/1", "orders/orders_x", "orders/order"],
        "orders_x": ["orders_x/1"],
        "order_status": ["order_status/1", "order_status/-"],
    }
    for streams in own.values():
        for stream in streams:
            fill(store, 2, stream)

    assert {service: sorted(store.streams(service)) for service in own} == {
        s: sorted(names) for s, names in own.items()
    }


def test_a_service_that_committed_nothing_has_no_streams(store):
    store.append(commit(1, "orders/1"))

    assert list(store.streams("order")) == []


def test_each_stream_is_named_once_however_many_there_are(store):
    names = [f"shop/{number}" for number in range(150)]
    for name in names:
        fill(store, 2, name)

    assert sorted(store.streams("shop")) == sorted(names)


def test_streams_may_be_read_and_appended_to_while_they_are_listed(store):
    for number in range(20):
        fill(store, 1, f"shop/{number}")

    for stream in store.streams("shop"):
        assert versions(store.read(stream)) == [1]
        store.append(commit(2, stream))

    assert {len(list(store.read(f"shop/{number}"))) for number in range(20)} == {2}
