import traceback

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.kernel.errors import (
    RuleViolation,
    StoreUnavailable,
)
from shared.kernel.outcome import TEXT_LIMIT, Failure, failure


def raised(error: Exception) -> Exception:
    """The error with a traceback, as it is caught."""
    with pytest.raises(type(error)) as caught:
        raise error
    return caught.value


class Silent(Exception):
    """An error that can't say what happened."""

    def __str__(self) -> str:
        raise ValueError("no words")


def test_a_named_error_is_described_by_its_class_and_sentence():
    found = failure(RuleViolation("it was placed before"), "accept_order")

    assert found == Failure("RuleViolation", "RuleViolation", "it was placed before", "accept_order")


def test_a_reason_of_its_own_stands_beside_the_error_s_class():
    found = failure(StoreUnavailable("no answer"), "accept_order", "TriesExhausted")

    assert (found.reason, found.error, found.text) == ("TriesExhausted", "StoreUnavailable", "no answer")


def test_a_long_sentence_keeps_its_beginning():
    found = failure(RuleViolation("begin " + "x" * 5000 + " end"), "h")

    assert len(found.text.encode()) == TEXT_LIMIT == 1000
    assert found.text.startswith("begin xx")


def test_a_bug_brings_the_end_of_its_traceback():
    found = failure(raised(ZeroDivisionError("by zero")), "h")

    assert found.reason == found.error == "ZeroDivisionError"
    assert found.text.startswith("Traceback (most recent call last)")
    assert "in raised" in found.text
    assert found.text.endswith("ZeroDivisionError: by zero\n")


def test_a_long_traceback_keeps_its_end():
    bug = raised(ZeroDivisionError("x" * 5000 + " end"))

    found = failure(bug, "h")

    assert len(found.text.encode()) == TEXT_LIMIT
    assert "".join(traceback.format_exception(bug)).endswith(found.text)


@pytest.mark.parametrize("error", [RuleViolation, ValueError])
@settings(max_examples=40)
@given(text=st.text(st.characters(codec="utf-8"), max_size=20), times=st.sampled_from([1, 333, 1000]))
def test_a_text_is_cut_between_characters(error, text, times):
    found = failure(error(text * times), "h")

    written = found.text.encode()
    assert len(written) <= TEXT_LIMIT
    assert found.text in "".join(traceback.format_exception(error(text * times)))


@pytest.mark.parametrize("text", ["é" * 2000, "a" + "é" * 2000, "🍀" * 1000, "abc" + "🍀" * 1000])
@pytest.mark.parametrize("error", [RuleViolation, ValueError])
def test_a_cut_costs_no_more_than_the_character_it_falls_on(error, text):
    found = failure(error(text), "h")

    assert TEXT_LIMIT - 3 <= len(found.text.encode()) <= TEXT_LIMIT


@pytest.mark.parametrize("error", [RuleViolation, ValueError, FileNotFoundError])
def test_a_text_that_is_no_unicode_can_be_described_all_the_same(error):
    found = failure(error("bad name \udcff here"), "h")

    assert "bad name" in found.text
    assert found.text.encode()


def test_an_error_that_cannot_say_what_happened_is_described_all_the_same():
    found = failure(raised(Silent()), "h")

    assert found.reason == "Silent"
