"""Schedules as timer triggers have them: NCRONTAB, `second minute hour day month weekday`, in UTC.

A field is `*`, a number, a name (`Jan`, `Mon`), a range `a-b`, either with a step `/n`, or a list of these. As with
NCRONTAB, and unlike cron, a day must fit both its number and its weekday.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, time, timedelta
from itertools import product

from msgspec import Struct

from shared.kernel.errors import ConfigurationError

_FIELDS = 6
_DAYS = 9 * 366
"""A leap day is at most eight years off; what does not come within nine never comes."""

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


class Field(Struct, frozen=True):
    """What one place of an expression may hold."""

    name: str
    least: int
    most: int
    names: Sequence[str] = ()

    def numbers(self, text: str) -> frozenset[int]:
        """The numbers that a field's text stands for; raises ConfigurationError."""
        return frozenset(number for part in text.split(",") for number in self._part(part))

    def _part(self, part: str) -> range:
        span, _, step = part.partition("/")
        first, dash, last = span.partition("-")
        least = self.least if span == "*" else self._number(first)
        # `5/10` begins at 5 and has no end of its own.
        most = self._number(last) if dash else self.most if span == "*" or step else least
        if least > most or (step and not (step.isdecimal() and int(step))):
            raise ConfigurationError(f"'{part}' is no {self.name} of a schedule")
        return range(least, most + 1, int(step or 1))

    def _number(self, text: str) -> int:
        name = text.lower()
        number = self.names.index(name) + self.least if name in self.names else int(text) if text.isdecimal() else -1
        if not self.least <= number <= self.most:
            raise ConfigurationError(f"'{text}' is no {self.name} of a schedule: {self.least} to {self.most}")
        return number


_EACH = (
    Field("second", 0, 59),
    Field("minute", 0, 59),
    Field("hour", 0, 23),
    Field("day", 1, 31),
    Field("month", 1, 12, _MONTHS),
    Field("weekday", 0, 6, _WEEKDAYS),
)


class Schedule:
    """An expression that was understood; five fields stand for the last five."""

    def __init__(self, text: str) -> None:
        parts = text.split()
        parts = ["0", *parts] if len(parts) == _FIELDS - 1 else parts
        if len(parts) != _FIELDS:
            raise ConfigurationError(f"'{text}' is no schedule: six fields are needed, as in '0 */5 * * * *'")
        found = [field.numbers(part) for field, part in zip(_EACH, parts, strict=True)]
        self._seconds, self._minutes, self._hours, self._days, self._months, self._weekdays = found

    def after(self, moment: datetime) -> datetime:
        """The first time of it after a moment; raises ConfigurationError when there is none."""
        for day in range(_DAYS):
            date = (moment + timedelta(days=day)).date()
            fits = date.day in self._days and date.month in self._months
            if fits and date.isoweekday() % 7 in self._weekdays:
                for each in self._times():
                    if (found := datetime.combine(date, each, UTC)) > moment:
                        return found
        raise ConfigurationError("a schedule's day never comes")

    def _times(self) -> Iterator[time]:
        hours, minutes, seconds = (sorted(each) for each in (self._hours, self._minutes, self._seconds))
        return (time(*each) for each in product(hours, minutes, seconds))
