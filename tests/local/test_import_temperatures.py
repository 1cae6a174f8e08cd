"""`trefoil import temperatures`: hourly measurements as commands, exact to a hundredth of a degree."""

import json
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from functions.local.importers import as_lines, import_temperatures
from functions.local.sending import Sender
from infra.clock import SystemClock
from infra.local.memory import MemoryBroker
from shared.catalog import CATALOG
from tests.local.driver import SAMPLES, Finished, trefoil, trefoil_process

SAMPLE = SAMPLES / "sf-temps.csv"
AT = "2010/07/04 13:00:00"

ABSOLUTE_ZERO, HOTTEST = -27_315, 1_000_000
"""Hundredths of a degree Celsius, within which a reading must be."""


def split(text: str) -> list[str]:
    """Lines as a file opened without translation has them."""
    return text.splitlines(keepends=True)


def imported(text: str, unit: str = "C") -> tuple[list[Any], dict[int, str]]:
    """The commands, and the complaints by line."""
    complaints: dict[int, str] = {}
    made = import_temperatures(split(text), "roof", unit, complaints.__setitem__)
    return [json.loads(line) for line in as_lines(made)], complaints


def temperatures(text: str, unit: str = "C") -> list[int]:
    made, complaints = imported(text, unit)
    assert complaints == {}
    return [command["data"]["temperature"] for command in made]


def import_file(tmp_path, content: bytes, unit: str = "C") -> Finished:
    (tmp_path / "temps.csv").write_bytes(content)
    return trefoil("import", "temperatures", tmp_path / "temps.csv", "--sensor", "roof", "--unit", unit)


# -- what is read


def test_a_measurement_is_a_command_to_record_a_reading():
    made, _ = imported(f"temp,date\n47.8,{AT}\n", "F")

    assert made == [
        {
            "specversion": "1.0",
            "id": "roof-20100704T130000-1",
            "source": "/import/temperatures",
            "type": "sensors.record-reading.v1",
            "subject": "roof",
            "time": "2010-07-04T13:00:00Z",
            "data": {"temperature": 878, "at": "2010-07-04T13:00:00"},
        }
    ]


def test_readings_that_share_a_time_are_distinct():
    made, _ = imported(f"temp,date\n1,{AT}\n1,{AT}\n2,{AT}\n")

    assert [command["id"] for command in made] == [f"roof-20100704T130000-{number}" for number in (1, 2, 3)]


def test_columns_may_stand_in_any_order_beside_others():
    assert temperatures(f"station,date,temp\nKSFO,{AT},7.5\n") == [750]


@pytest.mark.parametrize(
    ("degrees", "unit", "hundredths"),
    [
        ("32", "F", 0),
        ("212", "F", 10_000),
        ("-40", "F", -4_000),
        ("-459.67", "F", ABSOLUTE_ZERO),
        ("70.7", "F", 2_150),
        ("0", "C", 0),
        ("-0", "C", 0),
        ("21.5", "C", 2_150),
        ("21.50000", "C", 2_150),
        ("2.15e1", "C", 2_150),
        ("-273.15", "C", ABSOLUTE_ZERO),
        (" 21.5", "C", 2_150),
    ],
)
def test_degrees_become_hundredths_of_a_degree_celsius(degrees, unit, hundredths):
    assert temperatures(f"temp,date\n{degrees},{AT}\n", unit) == [hundredths]


@given(st.integers(-459_670, 18_032_000))
def test_fahrenheit_becomes_the_nearest_hundredth_of_a_degree_celsius(thousandths):
    exact = (Fraction(thousandths, 1000) - 32) * 5 / 9 * 100

    (found,) = temperatures(f"temp,date\n{'-' * (thousandths < 0)}{abs(thousandths) / 1000:.3f},{AT}\n", "F")

    assert found == round(exact)


# -- what is not


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (f"x,{AT}", "'x'"),
        (f",{AT}", "''"),
        (f"NaN,{AT}", "'NaN'"),
        (f"sNaN,{AT}", "'sNaN'"),
        (f"-Infinity,{AT}", "'-Infinity'"),
        (f"-273.16,{AT}", "-273.16"),
        (f"10000.01,{AT}", "10000.01"),
        (f"1e30,{AT}", "1e30"),
        (f"1e5000,{AT}", "1e5000"),
        (f"1e999999,{AT}", "1e999999"),
        ("1,", ""),
        ("1", ""),
        ("1,2010-07-04T13:00:00", "2010-07-04T13:00:00"),
        ("1,2010/02/30 13:00:00", ""),
        ("1,2010/07/04 24:00:00", "2010/07/04 24:00:00"),
        ("1,2010/07/04 13:00:61", ""),
        (f"{'1' * 140_000},{AT}", ""),
        ("\x00,\x00", ""),
    ],
    ids=lambda text: str(text)[:30],
)
def test_a_bad_line_is_named_by_its_number_and_skipped(line, fault):
    made, complaints = imported(f"temp,date\n10,{AT}\n{line}\n11,{AT}\n12,{AT}\n")

    assert set(complaints) == {3}
    assert fault in complaints[3]
    assert [command["data"]["temperature"] for command in made] == [1000, 1100, 1200]


@pytest.mark.parametrize("unit", ["F", "C"])
@pytest.mark.parametrize("exponent", [20, 28, 30, 308, 5_000, 999_998, 999_999])
def test_a_number_of_any_size_is_read_or_complained_about(unit, exponent):
    _, complaints = imported(f"temp,date\n1e{exponent},{AT}\n1e-{exponent},{AT}\n", unit)

    assert set(complaints) == {2}


@pytest.mark.parametrize(
    ("header", "lacks"),
    [("degrees,date", "temp"), ("temp,when", "date"), ("a,b", "date and temp"), (f"1,{AT}", "date and temp")],
)
def test_a_header_that_lacks_a_column_is_named(header, lacks):
    made, complaints = imported(f"{header}\n1,{AT}\n")

    assert made == []
    assert complaints == {1: f"the header lacks {lacks}; expected 'temp,date'"}


def test_blank_lines_count_and_say_nothing():
    made, complaints = imported(f"temp,date\n\n1,{AT}\n\nbad\n")

    assert len(made) == 1
    assert set(complaints) == {5}


FIELDS = st.sampled_from(["47.8", AT, "1e999999", "1e30", "NaN", '"', '"47.8', "", "\x00", "temp", "-300", " "])
LINES = st.lists(st.lists(FIELDS, max_size=4).map(",".join) | st.text("ab1\r,\"'\x00 ", max_size=20), max_size=6)


@given(LINES.map("\n".join))
@example(f'"1,{AT}\n2,{AT}\n3,{AT}')
def test_whatever_a_file_holds_each_line_is_imported_or_complained_about(text):
    said: list[int] = []
    below = split(text)

    made = list(import_temperatures(["temp,date\n", *below], "roof", "F", lambda number, _: said.append(number)))

    spoken = [number for number, line in enumerate(below, 2) if line.strip()]
    assert len(made) + len(said) == len(spoken)
    assert said == sorted(set(said) & set(spoken))


@given(LINES.map("\n".join), st.sampled_from("FC"))
def test_what_is_imported_is_never_refused_by_send(text, unit):
    sender = Sender(CATALOG, MemoryBroker(CATALOG, SystemClock()))

    for _ in sender.send(as_lines(import_temperatures(["temp,date\n", *split(text)], "roof", unit, lambda *_: None))):
        pass

    assert sender.refused == []


# -- files


@pytest.fixture(scope="module")
def sample() -> Finished:
    return trefoil("import", "temperatures", SAMPLE, "--sensor", "roof", "--unit", "F")


def test_the_sample_is_known_to_the_hundredth(sample):
    found = [json.loads(line)["data"]["temperature"] for line in sample.out.splitlines()]

    below_the_header = SAMPLE.read_text().splitlines()[1:]
    exact = [(Fraction(line.partition(",")[0]) - 32) * 500 / 9 for line in below_the_header]
    assert (sample.code, sample.err, len(found)) == (0, "", 8_759)
    assert found == [round(each) for each in exact]


def test_no_two_readings_of_the_sample_share_an_id_and_the_same_file_gives_the_same(sample):
    again = trefoil("import", "temperatures", SAMPLE, "--sensor", "roof", "--unit", "F")

    assert len({json.loads(line)["id"] for line in sample.out.splitlines()}) == 8_759
    assert again.out == sample.out


@pytest.mark.parametrize("end", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "byte order mark"])
def test_files_of_any_system_are_read(tmp_path, mark, end):
    done = import_file(tmp_path, mark + end.join([b"temp,date", f"47.8,{AT}".encode(), b"x,y", b""]), "F")

    assert [json.loads(line)["data"]["temperature"] for line in done.out.splitlines()] == [878]
    assert done.err.splitlines() == ["line 3 skipped: " + done.err.partition(": ")[2].strip()]


def test_an_empty_file_has_no_header(tmp_path):
    done = import_file(tmp_path, b"")

    assert (done.code, done.out) == (0, "")
    assert done.err == "line 1 skipped: the header lacks date and temp; expected 'temp,date'\n"


@pytest.mark.parametrize("unit", ["f", "K", ""])
def test_a_unit_that_is_neither_is_an_error_of_usage(tmp_path, unit):
    done = import_file(tmp_path, b"temp,date\n", unit)

    assert (done.code, done.out) == (2, "")
    assert "is neither F nor C" in done.err


@pytest.mark.parametrize("sensor", ["", "a/b", "a b", "s" * 65])
def test_a_sensor_s_name_must_be_a_subject(sensor):
    done = trefoil("import", "temperatures", SAMPLE, "--sensor", sensor, "--unit", "F")

    assert (done.code, done.out) == (2, "")
    assert "1 to 64 characters" in done.err


def test_the_longest_name_gives_readings_that_every_service_takes(tmp_path):
    (tmp_path / "temps.csv").write_text(f"temp,date\n47.8,{AT}\n")
    made = trefoil("import", "temperatures", tmp_path / "temps.csv", "--sensor", "s" * 64, "--unit", "F")

    sent = trefoil("send", "-", "--json", "--data", tmp_path, stdin=made.out.encode())

    assert sent.json == {"sent": 1, "refused": []}


def test_the_sample_can_be_piped_into_send(tmp_path):
    piped = trefoil_process("import", "temperatures", SAMPLE, "--sensor", "roof", "--unit", "F")

    sent = trefoil_process("send", "-", "--json", "--data", tmp_path, stdin=piped.out.encode())

    assert sent.json == {"sent": 8_759, "refused": []}
