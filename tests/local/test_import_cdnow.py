"""`trefoil import cdnow`: purchases as commands, the same ids each time, and no line lost in silence."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from functions.local.importers import as_lines, import_cdnow
from functions.local.sending import Sender
from infra.clock import SystemClock
from infra.local.memory import MemoryBroker
from shared.catalog import CATALOG

PLACE, REGISTER = "orders.place-order.v1", "users.register-user.v1"

MOST_CENTS, MOST_CDS = 2**53 - 1, 1_000_000
"""What JSON numbers carry exactly, and what an order may hold."""


def imported(text: str) -> tuple[list[Any], dict[int, str]]:
    """The commands, and the complaints by line."""
    complaints: dict[int, str] = {}
    made = [json.loads(line) for line in as_lines(import_cdnow(text.splitlines(), complaints.__setitem__))]
    return made, complaints


def orders(text: str) -> list[Any]:
    made, complaints = imported(text)
    assert complaints == {}
    return [command for command in made if command["type"] == PLACE]


# -- what is read


def test_a_purchase_is_a_command_to_place_an_order():
    (order,) = orders(" 00004 0001 19970118  2   29.33")

    assert order == {
        "specversion": "1.0",
        "id": "00004-19970118-1",
        "source": "/import/cdnow",
        "type": PLACE,
        "subject": "00004-19970118-1",
        "time": "1997-01-18T00:00:00Z",
        "data": {
            "customer": "customer-00004",
            "email": "customer-00004@example.com",
            "quantity": 2,
            "total": {"amount": 2933, "currency": "USD"},
            "date": "1997-01-18",
        },
    }


def test_both_layouts_say_the_same():
    with_sample_id = orders("00004 0001 19970118 2 29.33\n00018 0002 19970104 1 14.96")

    assert orders("customer date cds dollars\n00004 19970118 2 29.33\n00018 19970104 1 14.96") == with_sample_id


@pytest.mark.parametrize(
    "header", ["customer date cds dollars", "id\tdate\tnumber\tvalue", "customer_id date number_of_cds dollar_value"]
)
def test_a_header_is_no_purchase(header):
    assert imported(header) == ([], {})


@pytest.mark.parametrize(
    "text", ["A17 19970101 1 5.00", "A17 0001 19970101 1 5.00", "x 1997 1 5.00", "4;19970101;1;5.00"]
)
def test_a_first_line_that_is_no_header_is_imported_or_complained_about(text):
    made, complaints = imported(text)

    assert bool(made) != (1 in complaints)


def test_the_first_purchase_registers_the_customer():
    made, _ = imported("00004 0001 19970118 2 29.33\n00018 0002 19970104 1 14.96\n00004 0001 19970802 1 14.96")

    subjects = [(command["type"], command["subject"]) for command in made]
    assert subjects == [
        (REGISTER, "customer-00004"),
        (PLACE, "00004-19970118-1"),
        (REGISTER, "customer-00018"),
        (PLACE, "00018-19970104-1"),
        (PLACE, "00004-19970802-1"),
    ]


def test_a_registration_says_who_and_when():
    made, _ = imported("00004 0001 19970118 2 29.33")

    assert made[0]["data"] == {"name": "Customer 00004", "email": "customer-00004@example.com"}
    assert (made[0]["id"], made[0]["time"]) == ("customer-00004", "1997-01-18T00:00:00Z")


def test_lines_that_are_alike_are_distinct_purchases():
    made = orders("00004 0001 19970118 2 29.33\n" * 3)

    assert [order["id"] for order in made] == ["00004-19970118-1", "00004-19970118-2", "00004-19970118-3"]


def test_purchases_of_one_day_are_distinct_whatever_they_cost():
    made = orders("00004 0001 19970118 2 29.33\n00004 0001 19970118 1 9.99\n00018 0002 19970118 1 9.99")

    assert len({order["id"] for order in made}) == 3


@pytest.mark.parametrize(
    ("dollars", "cents"),
    [
        *[("0.00", 0), ("0", 0), ("7", 700), ("7.1", 710), ("29.33", 2933), (".29", 29), ("1.10", 110)],
        *[("8.195e1", 8195), ("1132.85", 113_285), ("90071992547409.91", MOST_CENTS), ("19.990", 1999)],
    ],
)
def test_dollars_become_cents_without_an_error_of_rounding(dollars, cents):
    (order,) = orders(f"00004 0001 19970118 1 {dollars}")

    assert order["data"]["total"] == {"amount": cents, "currency": "USD"}


@given(st.integers(0, MOST_CENTS))
def test_every_amount_that_an_order_may_have_is_exact(cents):
    (order,) = orders(f"00004 0001 19970118 1 {cents // 100}.{cents % 100:02}")

    assert order["data"]["total"]["amount"] == cents


# -- what is not


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("00004", "1 columns"),
        ("00004 0001 19970101 2 29.33 x", "6 columns"),
        ("00/04 0001 19970101 2 29.33", "customer '00/04' is not 1 to 32 letters and digits"),
        (f"{'4' * 33} 0001 19970101 2 29.33", "is not 1 to 32 letters and digits"),
        ("00004 0001 19971301 2 29.33", "date '19971301'"),
        ("00004 0001 19970230 2 29.33", "date '19970230'"),
        ("00004 0001 00000101 2 29.33", "date '00000101'"),
        ("00004 0001 1997-01-01 2 29.33", "date '1997-01-01'"),
        ("00004 0001 199711 2 29.33", "date '199711'"),
        ("00004 0001 1997111 2 29.33", "date '1997111'"),
        ("00004 0001 19970101 0 29.33", "'0' is not a number of CDs"),
        ("00004 0001 19970101 -1 29.33", "'-1' is not a number of CDs"),
        ("00004 0001 19970101 ² 29.33", "'²' is not a number of CDs"),
        ("00004 0001 19970101 1000001 29.33", "CDs"),
        (f"00004 0001 19970101 {'9' * 5000} 29.33", "CDs"),
        ("00004 0001 19970101 2 -0.01", "'-0.01' is not an amount"),
        ("00004 0001 19970101 2 29.333", "'29.333' is not an amount"),
        ("00004 0001 19970101 2 29,33", "'29,33' is not an amount"),
        ("00004 0001 19970101 2 $29.33", "'$29.33' is not an amount"),
        ("00004 0001 19970101 2 NaN", "'NaN' is not an amount"),
        ("00004 0001 19970101 2 sNaN", "'sNaN' is not an amount"),
        ("00004 0001 19970101 2 Infinity", "'Infinity' is not an amount"),
        ("00004 0001 19970101 2 90071992547409.92", "amount"),
        ("00004 0001 19970101 2 1e20", "amount"),
        ("00004 0001 19970101 2 1e5000", "amount"),
        ("00004 0001 19970101 2 1e999999", "amount"),
    ],
    ids=lambda text: str(text)[:40],
)
def test_a_bad_line_is_named_by_its_number_and_skipped(line, fault):
    made, complaints = imported(f"00018 0002 19970104 1 14.96\n{line}\n00019 0002 19970104 1 14.96")

    assert set(complaints) == {2}
    assert fault in complaints[2]
    assert [command["subject"] for command in made if command["type"] == PLACE] == [
        "00018-19970104-1",
        "00019-19970104-1",
    ]


def test_a_customer_whose_first_line_is_bad_is_registered_by_the_next():
    made, _ = imported("00004 0001 19970101 2 bad\n00004 0001 19970118 2 29.33")

    assert [command["type"] for command in made] == [REGISTER, PLACE]


def test_blank_lines_count_and_say_nothing():
    made, complaints = imported("\n  \n00004 0001 19970118 2 29.33\n\t\nbad")

    assert len(made) == 2
    assert set(complaints) == {5}


NUMBERS = ["0001", "2", "29.33", "1e999999", "1e30", "-0", "NaN", "²", "٣", "1_0", "1000001"]
WORDS = st.sampled_from(["00004", "19970101", "19990230", "10001231", *NUMBERS, "\ufeff", "x", "_", "customer", "date"])
LINES = st.lists(st.lists(WORDS, max_size=6).map(" ".join) | st.text(max_size=30), max_size=6).map("\n".join)


@given(LINES)
@example("\ufeff00004 0001 19970101 2 29.33")
@example("\x1c\x85\u2028")
def test_whatever_a_file_holds_each_line_is_imported_or_complained_about(text):
    said: list[int] = []

    made = list(import_cdnow(text.splitlines(), lambda number, _: said.append(number)))

    spoken = [number for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    count = sum(str(command.type) == PLACE for command in made)
    header = len(spoken) - len(said) - count
    assert header in (0, 1)
    assert not header or not set(text.splitlines()[0]) & set("0123456789")
    assert said == sorted(set(said) & set(spoken))


@given(LINES)
def test_what_is_imported_is_never_refused_by_send(text):
    sender = Sender(CATALOG, MemoryBroker(CATALOG, SystemClock()))

    for _ in sender.send(as_lines(import_cdnow(text.splitlines(), lambda *_: None))):
        pass

    assert sender.refused == []
