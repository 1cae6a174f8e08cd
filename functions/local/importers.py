"""Real files as commands: CDNOW purchases and hourly temperatures. The same file always gives the same ids."""

import csv
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation

import msgspec

from shared.kernel.codec import SUBJECT, encode
from shared.kernel.message import Envelope, Payload
from shared.messages.orders import PlaceOrder
from shared.messages.sensors import RecordReading
from shared.messages.users import RegisterUser
from shared.messages.values import Money

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
        fields = line.split()
        if not fields or (number == 1 and not fields[0].isdigit()):
            continue
        try:
            customer, day, quantity, total = _purchase(fields)
        except ValueError as error:
            complain(number, str(error))
            continue
        if customer not in known:
            known.add(customer)
            yield _registration(customer, day)
        same_day[customer, day] += 1
        order = f"{customer}-{day:%Y%m%d}-{same_day[customer, day]}"
        placed = PlaceOrder(f"customer-{customer}", _address(customer), quantity, Money(total, "USD"), day)
        yield _command("/import/cdnow", order, _midnight(day), placed)


def _purchase(fields: list[str]) -> tuple[str, date, int, int]:
    if len(fields) not in (4, 5):
        raise ValueError(f"{len(fields)} columns; 'customer [sample-id] date cds dollars' are four or five")
    customer, *_, day, quantity, dollars = fields
    if not SUBJECT.fullmatch(customer) or len(customer) > _CUSTOMER_LIMIT:
        raise ValueError(f"customer '{customer[:40]}' is not 1 to {_CUSTOMER_LIMIT} letters and digits")
    try:
        when = datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC).date()
    except ValueError:
        raise ValueError(f"date '{day}' is not of the form 19970101") from None
    if not quantity.isdigit() or int(quantity) < 1:
        raise ValueError(f"'{quantity}' is not a number of CDs")
    return customer, when, int(quantity), _cents(dollars)


def _cents(dollars: str) -> int:
    try:
        cents = Decimal(dollars) * 100
    except InvalidOperation:
        raise ValueError(f"'{dollars}' is not an amount of dollars") from None
    if not cents.is_finite() or cents < 0 or cents != cents.to_integral_value():
        raise ValueError(f"'{dollars}' is not an amount of dollars and whole cents, from zero up")
    return int(cents)


def _registration(customer: str, day: date) -> Envelope:
    user = f"customer-{customer}"
    registered = RegisterUser(f"Customer {customer}", _address(customer))
    return _command("/import/cdnow", user, _midnight(day), registered)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _address(customer: str) -> str:
    return f"customer-{customer}@example.com"


def import_temperatures(lines: Iterable[str], sensor: str, unit: str, complain: Complain) -> Iterator[Envelope]:
    """Readings from comma-separated `temp,date` under a header; `unit` is F or C.

    Readings that share a time are distinct.
    """
    same_time: Counter[str] = Counter()
    rows = csv.DictReader(lines)
    missing = {"temp", "date"} - set(rows.fieldnames or ())
    if missing:
        complain(1, f"the header lacks {' and '.join(sorted(missing))}; expected 'temp,date'")
        return
    for row in rows:
        try:
            at = datetime.strptime(row["date"] or "", "%Y/%m/%d %H:%M:%S")  # noqa: DTZ007 - the sensor's wall clock
            temperature = _centi_celsius(row["temp"] or "", unit)
        except ValueError as error:
            complain(rows.line_num, str(error))
            continue
        stamp = at.strftime("%Y%m%dT%H%M%S")
        same_time[stamp] += 1
        id_ = f"{sensor}-{stamp}-{same_time[stamp]}"
        yield _command("/import/temperatures", sensor, at, RecordReading(temperature, at), id_)


def _centi_celsius(text: str, unit: str) -> int:
    try:
        degrees = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"'{text}' is not a temperature") from None
    if not degrees.is_finite():
        raise ValueError(f"'{text}' is not a temperature")
    celsius = (degrees - 32) * 5 / 9 if unit == "F" else degrees
    return round(celsius * 100)


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
