from collections import defaultdict
from datetime import datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.climate.handlers import SERVICE, note_temperature
from shared.climate.model import Day
from shared.kernel.message import Message
from shared.messages.climate import TemperatureNoted
from shared.messages.sensors import ReadingRecorded
from tests.support.kernel_fakes import folded, message

NOON = datetime(2010, 7, 4, 12)  # noqa: DTZ001 - the time on the sensor's wall

READINGS = st.builds(
    lambda temperature, at, sensor: message(ReadingRecorded(temperature, at), subject=sensor),
    st.integers(-27_315, 1_000_000),
    st.datetimes(datetime(2010, 7, 4), datetime(2010, 7, 6)),  # noqa: DTZ001
    st.sampled_from(["sf", "oslo"]),
)


def days(readings: list[Message[ReadingRecorded]]) -> dict[str, Day]:
    """The figures of each stream."""
    found: dict[str, Day] = defaultdict(Day)
    for each in readings:
        stream = SERVICE.stream(each)
        for noted in note_temperature(found[stream], each):
            found[stream] = found[stream].noted(noted)
    return found


def test_a_reading_is_noted_privately():
    answer = note_temperature(Day(), message(ReadingRecorded(2100, NOON)))

    assert answer == [TemperatureNoted(2100)]
    assert TemperatureNoted.message_type.private


def test_a_day_has_its_count_its_total_its_lowest_and_its_highest():
    day = folded(SERVICE, TemperatureNoted(2100), TemperatureNoted(-300), TemperatureNoted(1500))

    assert day == Day(readings=3, total=3300, lowest=-300, highest=2100)


def test_zero_degrees_are_a_temperature_like_any_other():
    day = folded(SERVICE, TemperatureNoted(0), TemperatureNoted(100))

    assert (day.lowest, day.highest) == (0, 100)
    assert folded(SERVICE, TemperatureNoted(0), TemperatureNoted(-100)).highest == 0


def test_a_stream_is_a_sensor_s_local_day():
    late = message(ReadingRecorded(0, datetime(2010, 7, 4, 23, 59, 59)), subject="sf")  # noqa: DTZ001
    next_day = message(ReadingRecorded(0, datetime(2010, 7, 5)), subject="sf")  # noqa: DTZ001

    assert [SERVICE.stream(each) for each in (late, next_day)] == ["climate/sf.2010-07-04", "climate/sf.2010-07-05"]


def test_the_longest_sensor_name_makes_a_key():
    assert SERVICE.stream(message(ReadingRecorded(0, NOON), subject="s" * 64)).endswith("s.2010-07-04")


@settings(max_examples=30)
@given(
    st.lists(READINGS, max_size=12).flatmap(lambda readings: st.tuples(st.just(readings), st.permutations(readings)))
)
def test_the_order_of_readings_makes_no_difference(shuffled):
    readings, permuted = shuffled

    assert days(permuted) == days(readings)


@settings(max_examples=30)
@given(st.lists(READINGS, min_size=1, max_size=12))
def test_a_day_s_figures_are_those_of_its_readings(readings):
    by_stream = defaultdict(list)
    for each in readings:
        by_stream[f"climate/{each.subject}.{each.data.at:%Y-%m-%d}"].append(each.data.temperature)

    assert days(readings) == {
        stream: Day(len(found), sum(found), min(found), max(found)) for stream, found in by_stream.items()
    }
