"""Real files as commands: CDNOW purchases and hourly temperatures. The same file always gives the same ids."""

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation

import msgspec

from shared.kernel.codec import SUBJECT, encode
from shared.kernel.message import Envelope, Payload
from shared.messages.orders import MOST_ITEMS, PlaceOrder
from shared.messages.sensors import RecordReading
from shared.messages.users import RegisterUser
from shared.messages.values import MOST_MINOR_UNITS, Money

_MOST_DOLLARS = Decimal(MOST_MINOR_UNITS) / 100
_COLDEST, _HOTTEST = Decimal("-273.15"), Decimal(10_000)  # degrees Celsius, as in CentiCelsius
_BEYOND_ALL = 100_000  # in any unit; an exponent may be too huge to be computed with
_CUSTOMER_LIMIT = 32  # leaves room for the rest of an order's id, which is a subject

Complain = Callable[[int, str], None]
"""Told the number and the fault of each line that is skipped."""


def import_cdnow(lines: Iterable[str], complain: Complain) -> Iterator[Envelope]:
    """Purchases, and each customer's registration before the first of them.

    Both layouts: `customer sample-id date cds dollars`, and, under a header, `customer date cds dollars`. Lines that
    are alike are distinct purchases.
    """
    same_day: Counter[tuple[str, date]] = Counter()
    known: set[str] = set()
    for number, line in enumerate(lines, 1):
        if not line.strip() or (number == 1 and not any(letter.isdigit() for letter in line)):
            continue  # blank, or the header
        try:
            customer, day, placed = _purchase(line.split())
        except ValueError as error:
            complain(number, str(error))
            continue
        if customer not in known:
            known.add(customer)
            registered = RegisterUser(f"Customer {customer}", placed.email)
            yield _command("/import/cdnow", placed.customer, _midnight(day), registered)
        same_day[customer, day] += 1
        order = f"{customer}-{day:%Y%m%d}-{same_day[customer, day]}"
        yield _command("/import/cdnow", order, _midnight(day), placed)


def _purchase(fields: list[str]) -> tuple[str, date, PlaceOrder]:
    if len(fields) not in (4, 5):
        raise ValueError(f"{len(fields)} columns; 'customer [sample-id] date cds dollars' are four or five")
    customer, *_, day, quantity, dollars = fields
    if not SUBJECT.fullmatch(customer) or len(customer) > _CUSTOMER_LIMIT:
        raise ValueError(f"customer '{customer[:40]}' is not 1 to {_CUSTOMER_LIMIT} letters and digits")
    who, address = f"customer-{customer}", f"customer-{customer}@example.com"
    when = _day(day)
    return customer, when, PlaceOrder(who, address, _count(quantity), Money(_cents(dollars), "USD"), when)


def _day(text: str) -> date:
    if not re.fullmatch(r"[0-9]{8}", text):
        raise ValueError(f"date '{text[:40]}' is not of the form 19970101")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"date '{text}' is not a day of the calendar") from None


def _count(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,7}", text) or not 1 <= int(text) <= MOST_ITEMS:
        raise ValueError(f"'{text[:40]}' is not a number of CDs from 1 to {MOST_ITEMS:,}")
    return int(text)


def _cents(text: str) -> int:
    dollars = _decimal(text)
    # Compared before it is computed with, because an exponent may be huge.
    if dollars is None or not 0 <= dollars <= _MOST_DOLLARS or dollars * 100 % 1:
        raise ValueError(f"'{text[:40]}' is not an amount of dollars and whole cents, from 0 to {_MOST_DOLLARS:,}")
    return int(dollars * 100)


def _decimal(text: str) -> Decimal | None:
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def import_temperatures(lines: Iterable[str], sensor: str, unit: str, complain: Complain) -> Iterator[Envelope]:
    """Readings from comma-separated `temp,date` under a header; `unit` is F or C.

    Readings that share a time are distinct.
    """
    same_time: Counter[str] = Counter()
    numbered = enumerate(lines, 1)
    try:
        header = _cells(next(numbered, (1, ""))[1] or ",")
    except ValueError as error:
        complain(1, str(error))
        return
    if missing := {"temp", "date"} - set(header):
        complain(1, f"the header lacks {' and '.join(sorted(missing))}; expected 'temp,date'")
        return
    for number, line in numbered:
        if not line.strip():
            continue
        try:
            temperature, at = _reading(dict(zip(header, _cells(line), strict=False)), unit)
        except ValueError as error:
            complain(number, str(error))
            continue
        stamp = at.strftime("%Y%m%dT%H%M%S")
        same_time[stamp] += 1
        id_ = f"{sensor}-{stamp}-{same_time[stamp]}"
        yield _command("/import/temperatures", sensor, at, RecordReading(temperature, at), id_)


def _cells(line: str) -> list[str]:
    # Line by line, so that an open quote spoils its own line only.
    try:
        (cells,) = csv.reader([line], strict=True)
    except (csv.Error, ValueError) as error:
        raise ValueError(f"not comma-separated values: {error}") from None
    return [cell.strip() for cell in cells]


def _reading(row: Mapping[str, str], unit: str) -> tuple[int, datetime]:
    text = row.get("date", "")
    try:
        at = datetime.strptime(text, "%Y/%m/%d %H:%M:%S")  # noqa: DTZ007 - the sensor's wall clock
    except ValueError:
        raise ValueError(f"date '{text[:40]}' is not of the form 2010/01/31 13:00:00") from None
    return _centi_celsius(row.get("temp", ""), unit), at


def _centi_celsius(text: str, unit: str) -> int:
    degrees = _decimal(text)
    if degrees is not None and abs(degrees) < _BEYOND_ALL:
        celsius = (degrees - 32) * 5 / 9 if unit == "F" else degrees
        if _COLDEST <= celsius <= _HOTTEST:
            return round(celsius * 100)
    raise ValueError(f"'{text[:40]}' is not a temperature from {_COLDEST} to {_HOTTEST:,} degrees Celsius")


def _command(source: str, subject: str, when: datetime, payload: Payload, id_: str | None = None) -> Envelope:
    return Envelope(
        specversion="1.0",
        id=id_ or subject,
        source=source,
        type=str(payload.message_type),
        subject=subject,
        time=when.replace(tzinfo=UTC),
        data=msgspec.Raw(msgspec.json.encode(payload)),
    )


def as_lines(envelopes: Iterable[Envelope]) -> Iterator[bytes]:
    """JSON lines, as `trefoil send` reads them."""
    for envelope in envelopes:
        yield encode(envelope) + b"\n"
