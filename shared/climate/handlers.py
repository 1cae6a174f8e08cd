"""The climate read model: temperatures by sensor and day (Young, "CQRS")."""

from collections.abc import Iterable

from shared.climate.model import Day
from shared.kernel.message import Emission, Message
from shared.kernel.service import Limits, Service
from shared.messages.climate import TemperatureNoted
from shared.messages.sensors import ReadingRecorded


def note_temperature(_: Day, message: Message[ReadingRecorded]) -> Iterable[Emission]:
    """Add a reading to its day."""
    return [TemperatureNoted(message.data.temperature)]


def by_sensor_and_day(message: Message[ReadingRecorded]) -> str:
    """The sensor and the local date: `sf.2010-07-04`."""
    return f"{message.subject}.{message.data.at.date().isoformat()}"


SERVICE = Service(
    name="climate",
    state=Day,
    handles={ReadingRecorded: note_temperature},
    emits={TemperatureNoted: Day.noted},
    key=by_sensor_and_day,
    limits=Limits(handler_seconds=2, batch=100),
)
