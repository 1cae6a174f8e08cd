"""The sensors service: records readings, raises an alert when it gets hot and clears it when it cools down."""

from collections.abc import Iterable

from shared.kernel.message import Emission, Message
from shared.kernel.service import Limits, Service
from shared.messages.sensors import AlertCleared, AlertRaised, ReadingRecorded, RecordReading
from shared.sensors.model import ALERT_ABOVE, CLEAR_BELOW, Sensor


def record_reading(sensor: Sensor, message: Message[RecordReading]) -> Iterable[Emission]:
    """Record a reading; one that comes late is recorded, but no longer a cause for alarm."""
    temperature, at = message.data.temperature, message.data.at
    recorded = ReadingRecorded(temperature, at)
    if sensor.is_newest(at):
        if not sensor.alerting and temperature > ALERT_ABOVE:
            return [recorded, AlertRaised(temperature, at, ALERT_ABOVE)]
        if sensor.alerting and temperature < CLEAR_BELOW:
            return [recorded, AlertCleared(temperature, at)]
    return [recorded]


SERVICE = Service(
    name="sensors",
    state=Sensor,
    handles={RecordReading: record_reading},
    emits={ReadingRecorded: Sensor.recorded, AlertRaised: Sensor.raised, AlertCleared: Sensor.cleared},
    limits=Limits(handler_seconds=2, batch=100),
)
