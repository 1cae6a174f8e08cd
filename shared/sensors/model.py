"""A sensor: its last reading, and whether an alert is open."""

from datetime import datetime

from msgspec import Struct, structs

from shared.messages.sensors import AlertCleared, AlertRaised, ReadingRecorded

ALERT_ABOVE = 2_150
"""Hundredths of a degree Celsius: hotter than this raises an alert."""
CLEAR_BELOW = 2_000
"""Cooler than this clears it; the gap keeps a reading that hovers from raising one alert after the other."""


class Sensor(Struct, frozen=True):
    """One sensor."""

    last_at: datetime | None = None
    last_temperature: int | None = None
    alerting: bool = False

    def recorded(self, event: ReadingRecorded) -> "Sensor":
        if not self.is_newest(event.at):
            return self
        return structs.replace(self, last_at=event.at, last_temperature=event.temperature)

    def raised(self, _: AlertRaised) -> "Sensor":
        return structs.replace(self, alerting=True)

    def cleared(self, _: AlertCleared) -> "Sensor":
        return structs.replace(self, alerting=False)

    def is_newest(self, at: datetime) -> bool:
        """Whether nothing later was measured yet."""
        return self.last_at is None or at > self.last_at
