from datetime import date
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.messages.values import Currency, Date, Email, Money, Text, as_text

GREATEST = 2**53 - 1


def accepted(shape: Any, value: Any) -> bool:
    try:
        msgspec.convert(value, shape)
    except msgspec.ValidationError:
        return False
    return True


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "0.00 USD"),
        (5, "0.05 USD"),
        (50, "0.50 USD"),
        (100, "1.00 USD"),
        (2933, "29.33 USD"),
        (123_456_789, "1234567.89 USD"),
        (GREATEST, "90071992547409.91 USD"),
    ],
)
def test_money_is_written_with_two_decimals_and_its_currency(amount, text):
    assert str(Money(amount, "USD")) == text


@given(st.integers(0, GREATEST))
def test_no_cent_is_lost_in_writing(amount):
    whole, _, cents = str(Money(amount, "EUR")).removesuffix(" EUR").partition(".")

    assert int(whole) * 100 + int(cents) == amount
    assert len(cents) == 2


@pytest.mark.parametrize(
    ("amount", "fits"), [(0, True), (GREATEST, True), (-1, False), (GREATEST + 1, False), (1.5, False), ("1", False)]
)
def test_an_amount_is_a_whole_number_that_json_carries_exactly(amount, fits):
    assert accepted(Money, {"amount": amount, "currency": "USD"}) is fits


@pytest.mark.parametrize(
    ("code", "fits"), [("USD", True), ("XXX", True), ("usd", False), ("US", False), ("USDT", False), ("ÜSD", False)]
)
def test_a_currency_is_three_capital_letters(code, fits):
    assert accepted(Currency, code) is fits


@pytest.mark.parametrize(
    ("address", "fits"),
    [
        ("a@b", True),
        ("ada.lovelace+cds@example.com", True),
        ("a" * 252 + "@b", True),
        ("a" * 253 + "@b", False),
        ("", False),
        ("ada", False),
        ("@example.com", False),
        ("ada@", False),
        ("ada@example@com", False),
        ("ada lovelace@example.com", False),
        ("ada@example.com\nBcc: x", False),
    ],
)
def test_an_email_has_one_at_sign_and_no_space(address, fits):
    assert accepted(Email, address) is fits


@pytest.mark.parametrize(
    ("shape", "text"),
    [(Currency, "USD\n"), (Email, "a@b\n"), (Date, "2026-11-20\n")],
    ids=["currency", "email", "date"],
)
def test_a_line_feed_at_the_end_is_no_part_of_a_value(shape, text):
    assert not accepted(shape, text)


@pytest.mark.parametrize(("length", "fits"), [(0, False), (1, True), (200, True), (201, False)])
def test_a_text_has_1_to_200_characters(length, fits):
    assert accepted(Text, "é" * length) is fits


@pytest.mark.parametrize("text", ["2026-02-30", "2026-13-01", "26-11-20", "20.11.2026", "", "2026-11-20T12:00:00Z"])
def test_a_date_is_a_day_of_the_calendar(text):
    assert not accepted(Date, text)
    assert msgspec.convert("2026-11-20", Date) == date(2026, 11, 20)


@given(st.text(max_size=300))
def test_whatever_an_outside_system_says_fits_a_text(said):
    assert accepted(Text, as_text(said))


@pytest.mark.parametrize(("said", "kept"), [("declined", "declined"), ("x" * 201, "x" * 200), ("", "(nothing)")])
def test_what_an_outside_system_says_is_kept_as_far_as_it_fits(said, kept):
    assert as_text(said) == kept
