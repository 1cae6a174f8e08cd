"""Batches of what one call may carry, and entries that are sent again until they are confirmed."""

import msgspec
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from botocore.parsers import ResponseParserError
from hypothesis import given
from hypothesis import strategies as st

from infra.aws.batches import BATCH_BYTES, BATCH_COUNT, SENDS, batches, escaped, send, size_of, text
from tests.support.aws_fakes import confirmed, failing, in_turn, raising

KIB = 1024


def call(answer, seen):
    """A call that remembers which entries it was given."""

    def ask(entries):
        seen.append(list(entries))
        return answer({"Entries": [{"Id": str(number)} for number in entries]})

    return ask


def test_ten_entries_go_at_once():
    found = list(batches(range(21), lambda _: 1))

    assert [len(batch) for batch in found] == [10, 10, 1]


def test_a_batch_ends_before_its_bytes_are_too_many():
    found = list(batches([100, 100, 56, 1, 255], lambda kib: kib * KIB))

    assert found == [[100, 100, 56], [1, 255]]


def test_the_greatest_envelopes_go_one_by_one():
    found = list(batches([192, 192, 192], lambda kib: kib * KIB))

    assert found == [[192], [192], [192]]


def test_an_entry_that_is_too_big_by_itself_goes_alone():
    found = list(batches([1, 300, 1], lambda kib: kib * KIB))

    assert found == [[1], [300], [1]]


@given(st.lists(st.integers(0, 300_000)))
def test_every_batch_keeps_both_limits_and_nothing_is_lost_or_moved(sizes):
    found = list(batches(sizes, lambda size: size))

    assert [size for batch in found for size in batch] == sizes
    assert all(1 <= len(batch) <= BATCH_COUNT for batch in found)
    assert all(sum(batch) <= BATCH_BYTES for batch in found if len(batch) > 1)


def test_names_kinds_and_values_of_attributes_count_as_bytes():
    attributes = {"type": text("ü"), "blob": {"DataType": "Binary", "BinaryValue": b"123"}}

    assert size_of("é", attributes) == 2 + (4 + 6 + 2) + (4 + 6 + 3)


def test_only_what_failed_is_sent_again(waits):
    seen = []

    faults = send({3: "a", 5: "b", 7: "c"}, call(in_turn(failing("5", "7"), failing("7"), confirmed), seen))

    assert faults == {}
    assert seen == [[3, 5, 7], [5, 7], [7]]
    assert len(waits) == 2
    assert all(0 <= wait <= 0.5 for wait in waits)


def test_an_entry_that_fails_every_time_is_given_up_with_its_fault(waits):
    seen = []

    faults = send({0: "a", 1: "b"}, call(failing("1", code="InternalError"), seen))

    assert list(faults) == [1]
    assert faults[1].startswith("InternalError")
    assert len(seen) == SENDS
    assert len(waits) == SENDS - 1


def test_an_entry_that_is_our_own_fault_is_not_sent_again(waits):
    seen = []

    faults = send({0: "a", 1: "b"}, call(failing("1", sender_fault=True, code="InvalidParameterValue"), seen))

    assert list(faults) == [1]
    assert seen == [[0, 1]]
    assert waits == []


def test_our_own_fault_is_still_told_when_others_were_sent_again():
    answers = in_turn(both_faults, confirmed)

    faults = send({0: "a", 1: "b"}, call(answers, []))

    assert list(faults) == [0]
    assert "Ours" in faults[0]


def test_our_own_fault_is_still_told_when_the_next_call_fails():
    answers = in_turn(both_faults, raising(EndpointConnectionError(endpoint_url="https://sqs")))

    faults = send({0: "a", 1: "b"}, call(answers, []))

    assert list(faults) == [0, 1]


TWICE = {
    "Successful": [{"Id": "0"}, {"Id": "1"}],
    "Failed": [{"Id": "1", "Code": "InternalError", "SenderFault": False}],
}


@pytest.mark.parametrize("answer", [{}, {"Successful": [{"Id": "0"}]}, {"Failed": []}, TWICE])
def test_an_entry_that_an_answer_does_not_clearly_confirm_is_not_confirmed(answer):
    """A body that is no JSON reads as an empty answer, where the status is 200."""
    seen = []

    faults = send({0: "a", 1: "b"}, call(lambda _: answer, seen))

    assert 1 in faults
    assert len(seen) == SENDS


def both_faults(_):
    return {
        "Failed": [
            {"Id": "0", "Code": "Ours", "SenderFault": True},
            {"Id": "1", "Code": "Theirs", "SenderFault": False},
        ]
    }


@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url="https://sqs"),
        ClientError({"Error": {"Code": "BatchRequestTooLong", "Message": "m"}}, "SendMessageBatch"),
        ResponseParserError("not XML"),  # SNS still answers in XML; this is no BotoCoreError
    ],
)
def test_a_call_that_fails_as_a_whole_confirms_nothing_more(error):
    seen = []

    faults = send({0: "a", 1: "b"}, call(in_turn(failing("1"), raising(error)), seen))

    assert faults == {1: str(error)}
    assert seen == [[0, 1], [1]]


@pytest.mark.parametrize("character", ["\0", "\x1f", "\ufffe", "\uffff"])
def test_a_character_that_aws_refuses_is_escaped(character):
    assert escaped(f'"a{character}b"') == f'"a\\u{ord(character):04x}b"'


@pytest.mark.parametrize("character", ["\t", "\n", "\r", " ", "\x7f", "é", "\ud7ff", "\ue000", "\ufffd", "\U0001f600"])
def test_a_character_that_aws_takes_stays(character):
    assert escaped(character) == character


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_json_means_the_same_once_it_is_escaped(value):
    body = msgspec.json.encode({"text": value}).decode()

    assert msgspec.json.decode(escaped(body)) == {"text": value}
