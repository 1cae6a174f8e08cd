"""What travels beside a message."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.attributes import ATTEMPTS, FIRST, LAST, OURS, failure_in, number, of_failure
from shared.kernel.outcome import Failure

FAILURE = Failure("RuleViolation", "RuleViolation", "too late", "place_order")
TEXTS = st.text(max_size=20)


def test_a_failure_is_told_with_its_tries_and_its_times():
    attributes = of_failure(FAILURE, 5, 1000.25, 2000.5)

    assert attributes == {
        "trefoil-reason": "RuleViolation",
        "trefoil-error": "RuleViolation",
        "trefoil-text": "too late",
        "trefoil-handler": "place_order",
        "trefoil-attempts": "5",
        "trefoil-first": "1000.25",
        "trefoil-last": "2000.5",
    }
    assert attributes.keys() == OURS


@given(TEXTS.filter(bool), TEXTS, TEXTS, TEXTS)
def test_a_failure_reads_as_it_was_written_and_no_value_is_empty(reason, error, text, handler):
    failure = Failure(reason, error, text, handler)

    attributes = of_failure(failure, 1, 0.0, 0.0)

    assert all(attributes.values())
    assert failure_in(attributes) == failure


@given(st.integers(0, 10**9), st.floats(0, 4e9), st.floats(0, 4e9))
def test_tries_and_times_read_as_they_were_written(attempts, first, last):
    attributes = of_failure(FAILURE, attempts, first, last)

    assert [number(attributes[name], -1) for name in (ATTEMPTS, FIRST, LAST)] == [attempts, first, last]


@pytest.mark.parametrize("attributes", [{}, {"trefoil-reason": ""}, {"trefoil-error": "KeyError"}, {"reason": "x"}])
def test_a_message_without_a_reason_has_not_failed(attributes):
    assert failure_in(attributes) is None


@pytest.mark.parametrize(
    "value",
    [None, "", "much", "-1", "-0.5", "inf", "-inf", "nan", "1e999", "0x10", "1,5", "\0", "1\N{SUPERSCRIPT TWO}"],
)
def test_what_is_no_number_from_zero_counts_as_the_default(value):
    assert number(value, 7) == 7


@pytest.mark.parametrize(("value", "found"), [("0", 0), ("3", 3), ("1750420798.25", 1750420798.25), (" 4 ", 4)])
def test_what_is_a_number_counts(value, found):
    assert number(value, 7) == found
