"""What is said to and by the sensors service; the subject is the sensor's name."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from shared.kernel.message import Payload, command, event

CentiCelsius = Annotated[int, Meta(ge=-27_315, le=1_000_000)]
"""Hundredths of a degree Celsius, not below absolute zero: whole numbers add up the same in any order."""

LocalTime = Annotated[datetime, Meta(tz=False)]
"""When it was measured, by the clock on the sensor's wall: what a day is, is a local matter."""


@command("sensors.record-reading.v1")
class RecordReading(Payload, frozen=True):
    """Take in a measured temperature."""

    temperature: CentiCelsius
    at: LocalTime


@event("sensors.reading-recorded.v1")
class ReadingRecorded(Payload, frozen=True):
    """A temperature was measured."""

    temperature: CentiCelsius
    at: LocalTime


@event("sensors.alert-raised.v1")
class AlertRaised(Payload, frozen=True):
    """It became too hot."""

    temperature: CentiCelsius
    at: LocalTime
    threshold: CentiCelsius


@event("sensors.alert-cleared.v1")
class AlertCleared(Payload, frozen=True):
    """It cooled down."""

    temperature: CentiCelsius
    at: LocalTime
