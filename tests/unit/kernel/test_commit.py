from msgspec import Raw

from shared.kernel.commit import Commit, Emitted, Handled, Remembered, Snapshot, decode_commit, encode_commit

FIRST = Handled("/test", "m1", "d1", 1.0, "tally.add.v1")
SECOND = Handled("/test", "m2", "d2", 2.5, "tally.add.v1")
TO_FIRST = Emitted(0, Raw(b'{"a":1}'))
TO_SECOND = Emitted(1, Raw(b'{"b":2}'), 60.0)
ALSO_TO_FIRST = Emitted(0, Raw(b'{"c":3}'), private=True)

CLAIMED = Remembered("/test", "m3", "d3", 2.0, 6, claimed=9.0)

GROUP = Commit(
    "tally/s1",
    7,
    3.25,
    [FIRST, SECOND],
    [TO_FIRST, TO_SECOND, ALSO_TO_FIRST],
    [Handled("/test", "m3", "d3", 2.0, "tally.add.v1")],
    [("/test", "m0")],
    Snapshot(Raw(b'{"total":5}'), [Remembered("/test", "m1", "d1", 1.0, 7), CLAIMED], 0.5),
)


def test_a_commit_comes_back_as_it_was_written():
    written = encode_commit(GROUP)

    assert encode_commit(decode_commit(written)) == written


def test_every_part_of_a_commit_survives():
    read = decode_commit(encode_commit(GROUP))

    assert (read.stream, read.version, read.time) == ("tally/s1", 7, 3.25)
    assert list(read.handled) == [FIRST, SECOND]
    assert list(read.messages) == [TO_FIRST, TO_SECOND, ALSO_TO_FIRST]
    assert [entry.key for entry in read.claims] == [("/test", "m3")]
    assert [tuple(key) for key in read.released] == [("/test", "m0")]
    assert read.snapshot.memory[1] == CLAIMED
    assert (bytes(read.snapshot.state), read.snapshot.forgotten_until) == (b'{"total":5}', 0.5)


def test_a_plain_commit_takes_little_space():
    assert encode_commit(Commit("tally/s1", 1, 2.0)) == b'{"stream":"tally/s1","version":1,"time":2.0}'


def test_what_a_handled_message_caused_is_found_by_its_key():
    assert GROUP.caused_by(("/test", "m1")) == [TO_FIRST, ALSO_TO_FIRST]
    assert GROUP.caused_by(("/test", "m2")) == [TO_SECOND]


def test_what_a_commit_did_not_handle_caused_nothing_in_it():
    assert GROUP.caused_by(("/test", "m3")) == []
    assert GROUP.caused_by(("/other", "m1")) == []


def test_a_message_is_looked_up_by_source_and_id():
    assert FIRST.key == Remembered("/test", "m1", "other", 0.0, 1).key == ("/test", "m1")
