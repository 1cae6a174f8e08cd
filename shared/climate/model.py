"""A day's temperatures at one sensor."""

from msgspec import Struct

from shared.messages.climate import TemperatureNoted


class Day(Struct, frozen=True):
    """Hundredths of a degree Celsius; the mean is `total / readings`."""

    readings: int = 0
    total: int = 0
    lowest: int | None = None
    highest: int | None = None

    def noted(self, event: TemperatureNoted) -> "Day":
        t = event.temperature
        lowest = t if self.lowest is None else min(t, self.lowest)
        highest = t if self.highest is None else max(t, self.highest)
        return Day(self.readings + 1, self.total + t, lowest, highest)
