"""How a group of messages becomes commits."""

import msgspec
import pytest

from shared.kernel.commit import COMMIT_LIMIT, Commit, encode_commit
from shared.kernel.draft import GROUP_LIMIT
from shared.kernel.message import Message
from shared.kernel.outcome import DONE, DeadLetter, Retry
from shared.kernel.service import Limits
from tests.support.kernel_fakes import (
    NOW,
    Add,
    Added,
    Noted,
    Tally,
    World,
    add,
    adds,
    delivery,
    inflate,
    tally_service,
)


def handled_ids(commits: list[Commit]) -> list[list[str]]:
    return [[handled.id for handled in commit.handled] for commit in commits]


def message_ids(commit: Commit) -> list[str]:
    return [msgspec.json.decode(message.body)["id"] for message in commit.messages]


def state_of(commit: Commit) -> Tally:
    return msgspec.json.decode(commit.snapshot.state, type=Tally)


def test_a_group_shares_a_commit():
    world = World(tally_service())

    world.receive(*adds(1, 2))

    (commit,) = world.commits()
    assert (commit.stream, commit.version, commit.time) == ("tally/s1", 1, NOW.timestamp())
    assert handled_ids([commit]) == [["m1", "m2"]]
    assert message_ids(commit) == ["tally/s1:1:0", "tally/s1:1:1"]
    assert [message.cause for message in commit.messages] == [0, 1]


def test_a_message_that_nothing_followed_from_is_committed_all_the_same():
    world = World(tally_service(lambda _, __: []))

    outcomes = world.receive(*adds(1))

    assert outcomes == [DONE]
    assert handled_ids(world.commits()) == [["m1"]]
    assert list(world.commits()[0].messages) == []


def test_where_nothing_was_handled_nothing_is_committed():
    world = World(tally_service(lambda _, __: 1 / 0))

    world.receive(*adds(1))

    assert world.commits() == []


def test_a_group_that_does_not_fit_is_split():
    world = World(tally_service(inflate))

    outcomes = world.receive(*adds(1, 1, 1, 1, 1))

    assert outcomes == [DONE] * 5
    assert handled_ids(world.commits()) == [["m1", "m2"], ["m3", "m4"], ["m5"]]
    assert [commit.version for commit in world.commits()] == [1, 2, 3]


def test_after_a_split_each_handler_still_sees_its_predecessors_output():
    world = World(tally_service(inflate))

    world.receive(*adds(1, 1, 1, 1, 1))

    assert world.totals() == [1, 2, 3, 4, 5]


def test_after_a_split_ids_and_causes_count_from_the_new_commit():
    world = World(tally_service(inflate))

    world.receive(*adds(1, 1, 1, 1))

    second = world.commits()[1]
    assert message_ids(second) == ["tally/s1:2:0", "tally/s1:2:1"]
    assert [message.cause for message in second.messages] == [0, 1]
    assert [sent.id for sent in world.broker.published][2:] == message_ids(second)


def test_a_group_is_split_when_it_has_too_many_messages():
    world = World(tally_service())

    world.receive(*adds(*[1] * (GROUP_LIMIT + 1)))

    assert [len(commit.handled) for commit in world.commits()] == [GROUP_LIMIT, 1]


def test_a_single_message_too_big_for_a_commit_is_refused_and_the_others_go_through():
    world = World(tally_service(inflate))

    outcomes = world.receive(*adds(1, 3, 1))

    assert [outcomes[0], outcomes[2]] == [DONE, DONE]
    assert isinstance(outcomes[1], DeadLetter)
    assert outcomes[1].failure.reason == "TooLarge"
    assert "a commit holds 393,216" in outcomes[1].failure.text
    assert [id_ for ids in handled_ids(world.commits()) for id_ in ids] == ["m1", "m3"]


def test_versions_and_totals_have_no_gap_after_a_refusal():
    world = World(tally_service(inflate))

    world.receive(*adds(1, 1, 3, 1))

    assert [commit.version for commit in world.commits()] == [1, 2]
    assert world.totals() == [1, 2, 3]


def test_a_fold_that_fails_leaves_no_trace_of_its_message():
    def fold(tally: Tally, event: Added) -> Tally:
        return Tally(tally.total + 6 // event.amount)

    world = World(tally_service(handles={Add: add}, emits={Added: fold}))

    outcomes = world.receive(*adds(0, 2))

    assert isinstance(outcomes[0], Retry)
    assert handled_ids(world.commits()) == [["m2"]]
    assert message_ids(world.commits()[0]) == ["tally/s1:1:0"]


def test_a_state_that_cannot_be_stored_is_its_own_messages_trouble_only():
    def spoil(_: Tally, event: Added) -> Tally:
        return Tally(object() if event.note == "spoil" else event.total)

    def pass_on(_: Tally, message: Message[Add]) -> list[Added]:
        return [Added(1, 1, message.data.note)]

    world = World(tally_service(handles={Add: pass_on}, emits={Added: spoil}))
    spoiling = [delivery(Add(1, "spoil"), id=f"m{number}") for number in range(20)]

    *outcomes, other = world.receive(*spoiling, delivery(Add(1), id="m21", subject="s2"))

    assert other == DONE
    assert all(isinstance(outcome, Retry) for outcome in outcomes)


# -- snapshots


def test_a_snapshot_stands_in_a_commit_that_would_be_long_to_read():
    world = World(tally_service())

    world.receive(*adds(*range(1, 11)))

    (commit,) = world.commits()
    assert state_of(commit) == Tally(55)
    assert [entry.id for entry in commit.snapshot.memory] == [f"m{number}" for number in range(1, 11)]


def test_a_snapshot_that_does_not_fit_is_left_out():
    world = World(tally_service(lambda _, __: [Noted("x" * 20_000)]))

    outcomes = world.receive(*adds(*[1] * 10))

    (commit,) = world.commits()
    assert outcomes == [DONE] * 10
    assert commit.snapshot is None
    assert len(commit.handled) == 10


def test_a_snapshot_remembers_the_newest_and_how_far_back_it_forgot():
    world = World(tally_service(limits=Limits(memory=3)))
    batch = [delivery(Add(1), id=f"m{minute}", time=NOW.replace(minute=minute)) for minute in range(10)]

    world.receive(*batch)

    snapshot = world.commits()[0].snapshot
    assert [entry.id for entry in snapshot.memory] == ["m7", "m8", "m9"]
    assert snapshot.forgotten_until == NOW.replace(minute=6).timestamp()


def test_a_long_stream_is_snapshotted_now_and_then():
    world = World(tally_service())

    for number in range(60):
        world.receive(delivery(Add(1), id=f"m{number}"))

    found = [commit.version for commit in world.commits() if commit.snapshot]
    assert 1 <= len(found) < 20
    assert all(state_of(commit).total == commit.version for commit in world.commits() if commit.snapshot)


def test_a_snapshot_remembers_which_commit_answered_a_message():
    world = World(tally_service(inflate))

    for number in range(1, 41, 4):
        world.receive(*[delivery(Add(1), id=f"m{n}") for n in range(number, number + 4)])

    answered = {entry.id: commit.version for commit in world.commits() for entry in commit.handled}
    entries = [entry for commit in world.commits() if commit.snapshot for entry in commit.snapshot.memory]
    assert len(entries) > 10
    assert all(entry.version == answered[entry.id] for entry in entries)


@pytest.mark.parametrize("letter", ["a", '"', "\x01", "é", "\N{FOUR LEAF CLOVER}"])
def test_no_commit_is_bigger_than_stores_take_whatever_the_ids(letter):
    world = World(tally_service(lambda _, __: [Noted("x" * 9_000)]))
    ids = [f"{number:02}{letter * 126}" for number in range(50)]

    world.receive(*[delivery(Add(1), id=id_, source=letter * 256) for id_ in ids])

    assert len(world.commits()) > 1
    assert max(len(encode_commit(commit)) for commit in world.commits()) <= COMMIT_LIMIT
