from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.kernel.message import Emission
from shared.messages.sensors import AlertCleared, AlertRaised, ReadingRecorded, RecordReading
from shared.sensors.handlers import SERVICE, record_reading
from shared.sensors.model import ALERT_ABOVE, CLEAR_BELOW, Sensor
from tests.support.kernel_fakes import folded, message

START = datetime(2010, 7, 4)  # noqa: DTZ001 - the time on the sensor's wall
HOT, WARM, COOL = ALERT_ABOVE + 1, (ALERT_ABOVE + CLEAR_BELOW) // 2, CLEAR_BELOW - 1


def at(minute: int) -> datetime:
    return START + timedelta(minutes=minute)


def told(*readings: tuple[int, int]) -> tuple[Sensor, list[Emission]]:
    """The sensor after (minute, temperature) readings, and all that was said."""
    state, said = Sensor(), []
    for minute, temperature in readings:
        answer = record_reading(state, message(RecordReading(temperature, at(minute))))
        said += answer
        for each in answer:
            state = SERVICE.emits[type(each)](state, each)
    return state, said


def alerts(*readings: tuple[int, int]) -> list[Emission]:
    return [each for each in told(*readings)[1] if not isinstance(each, ReadingRecorded)]


def test_every_reading_is_recorded():
    _, said = told((0, WARM), (1, WARM + 1))

    assert said == [ReadingRecorded(WARM, at(0)), ReadingRecorded(WARM + 1, at(1))]


def test_a_hot_reading_raises_an_alert():
    assert alerts((0, HOT)) == [AlertRaised(HOT, at(0), ALERT_ABOVE)]


def test_the_threshold_itself_is_not_too_hot():
    assert alerts((0, ALERT_ABOVE)) == []


def test_an_alert_is_raised_once_while_it_stays_hot():
    assert alerts((0, HOT), (1, HOT + 1), (2, HOT)) == [AlertRaised(HOT, at(0), ALERT_ABOVE)]


@pytest.mark.parametrize("hovering", [WARM, CLEAR_BELOW, ALERT_ABOVE])
def test_a_reading_between_the_thresholds_changes_nothing(hovering):
    assert alerts((0, hovering)) == []
    assert alerts((0, HOT), (1, hovering), (2, HOT)) == [AlertRaised(HOT, at(0), ALERT_ABOVE)]


def test_a_cool_reading_clears_the_alert():
    assert alerts((0, HOT), (1, COOL)) == [AlertRaised(HOT, at(0), ALERT_ABOVE), AlertCleared(COOL, at(1))]


def test_a_cool_reading_without_an_alert_clears_nothing():
    assert alerts((0, COOL)) == []


def test_after_clearing_an_alert_may_be_raised_again():
    assert [type(each) for each in alerts((0, HOT), (1, COOL), (2, HOT))] == [AlertRaised, AlertCleared, AlertRaised]


@pytest.mark.parametrize(("newest", "late"), [(WARM, HOT), (HOT, COOL)])
@pytest.mark.parametrize("minute", [0, 5])
def test_a_late_reading_is_recorded_but_no_cause_for_alarm(newest, late, minute):
    before, _ = told((5, newest))

    after, said = told((5, newest), (minute, late))

    assert said[-1] == ReadingRecorded(late, at(minute))
    assert after == before


def test_a_sensor_remembers_its_newest_reading():
    state = folded(SERVICE, ReadingRecorded(WARM, at(5)), ReadingRecorded(COOL, at(3)))

    assert (state.last_at, state.last_temperature) == (at(5), WARM)


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 20), st.sampled_from([COOL, CLEAR_BELOW, WARM, ALERT_ABOVE, HOT]))))
def test_alerts_are_raised_and_cleared_in_turn_whatever_is_measured(readings):
    state, said = told(*readings)

    kinds = [type(each) for each in said if not isinstance(each, ReadingRecorded)]
    assert kinds == [(AlertRaised, AlertCleared)[index % 2] for index in range(len(kinds))]
    assert state.alerting is (len(kinds) % 2 == 1)
    assert len(said) - len(kinds) == len(readings)
    assert state.last_at == max((at(minute) for minute, _ in readings), default=None)
