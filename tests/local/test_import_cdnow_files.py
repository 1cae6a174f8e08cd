"""`trefoil import cdnow`, from files of any system to JSON lines; the sample to the cent."""

import json
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests.local.driver import SAMPLES, Finished, trefoil, trefoil_process

SAMPLE = SAMPLES / "CDNOW_sample.txt"
PLACE, REGISTER = "orders.place-order.v1", "users.register-user.v1"


def import_file(tmp_path: Path, content: bytes) -> Finished:
    (tmp_path / "purchases.txt").write_bytes(content)
    done = trefoil("import", "cdnow", tmp_path / "purchases.txt")
    assert done.code == 0
    return done


def placed(done: Finished) -> list[Any]:
    return [command for line in done.out.splitlines() if (command := json.loads(line))["type"] == PLACE]


@pytest.fixture(scope="module")
def sample() -> Finished:
    return trefoil("import", "cdnow", SAMPLE)


def test_the_sample_is_known_to_the_cent(sample):
    made = [json.loads(line) for line in sample.out.splitlines()]
    kinds = Counter(command["type"] for command in made)
    cents = [command["data"]["total"]["amount"] for command in made if command["type"] == PLACE]

    assert (sample.code, sample.err) == (0, "")
    assert kinds == {PLACE: 6_919, REGISTER: 2_357}
    assert (sum(cents), cents.count(0)) == (24_409_194, 8)


def test_no_two_commands_of_the_sample_share_an_id(sample):
    ids = [json.loads(line)["id"] for line in sample.out.splitlines()]

    assert len(set(ids)) == len(ids) == 9_276


def test_the_same_file_gives_the_same_bytes(sample):
    assert trefoil("import", "cdnow", SAMPLE).out == sample.out


def test_the_dates_of_the_sample_are_those_of_the_file(sample):
    dates = {order["data"]["date"] for order in placed(sample)}

    assert (min(dates), max(dates)) == ("1997-01-01", "1998-06-30")
    assert all(date.fromisoformat(each) for each in dates)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
def test_the_ends_of_lines_may_be_those_of_any_system(tmp_path, end):
    done = import_file(tmp_path, end.join([b"00004 0001 19970118 2 29.33", b"00018 0002 19970104 1 14.96", b""]))

    assert [order["data"]["total"]["amount"] for order in placed(done)] == [2933, 1496]
    assert done.err == ""


@pytest.mark.parametrize("first", [b"", b"customer date cds dollars\n"], ids=["no header", "header"])
def test_a_byte_order_mark_costs_no_purchase(tmp_path, first):
    done = import_file(tmp_path, b"\xef\xbb\xbf" + first + b"00004 19970118 2 29.33\n00018 19970104 1 14.96\n")

    assert [order["id"] for order in placed(done)] == ["00004-19970118-1", "00018-19970104-1"]
    assert done.err == ""


def test_bytes_that_are_no_text_are_complained_about(tmp_path):
    done = import_file(tmp_path, b"00004 0001 19970118 2 29.33\n\xff\xfe\x00 0001 19970118 2 1.00\n")

    assert len(placed(done)) == 1
    assert done.err.startswith("line 2 skipped: ")


def test_complaints_go_to_standard_error_and_commands_to_standard_output(tmp_path):
    done = import_file(tmp_path, b"00004 0001 19970118 2 29.33\nbad [red]line[/red]\n")

    assert len(done.out.splitlines()) == 2
    assert done.err.splitlines() == [
        "line 2 skipped: 2 columns; 'customer [sample-id] date cds dollars' are four or five"
    ]


def test_a_long_line_is_one_line_of_complaint(tmp_path):
    done = import_file(tmp_path, b"00004 0001 19970118 2 29.33\n" + b"x" * 1_000_000 + b" 0001 19970118 2 29.33\n")

    assert len(placed(done)) == 1
    assert len(done.err.splitlines()) == 1
    assert len(done.err) < 500


def test_an_empty_file_is_no_purchases(tmp_path):
    assert import_file(tmp_path, b"") == Finished(0, "", "")


@pytest.mark.parametrize(("name", "fault"), [("missing.txt", "does not exist"), (".", "is a directory")])
def test_what_is_not_a_file_is_an_error(tmp_path, name, fault):
    done = trefoil("import", "cdnow", tmp_path / name)

    assert (done.code, done.out) == (2, "")
    assert fault in done.err


def test_the_sample_can_be_piped_into_send(tmp_path):
    piped = trefoil_process("import", "cdnow", SAMPLE)

    sent = trefoil_process("send", "-", "--json", "--data", tmp_path, stdin=piped.out.encode())

    assert sent.json == {"sent": 9_276, "refused": []}
    assert sent.code == 0
