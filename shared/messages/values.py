"""Values that several services speak of: money, addresses, business dates."""

from datetime import date
from typing import Annotated

from msgspec import Meta, Struct

SECRET = Meta(extra={"secret": True}, extra_json_schema={"x-secret": True})
"""Marks a field that is masked wherever a person reads a payload (`show`, `trace`, `dead show`)."""

MOST_MINOR_UNITS = 2**53 - 1

MinorUnits = Annotated[int, Meta(ge=0, le=MOST_MINOR_UNITS)]
"""Whole cents (or the currency's own smallest unit), within what JSON numbers carry exactly (RFC 8259, section 6)."""

Currency = Annotated[str, Meta(min_length=3, max_length=3, pattern="^[A-Z]{3}")]
"""ISO 4217 code."""

Secret = Annotated[str, SECRET]
"""A text that is masked, of any form."""

# "(?![\s\S])" is the end of the text in every dialect of patterns; "$" would let a line feed follow in Python's.
Email = Annotated[str, Meta(min_length=3, max_length=254, pattern=r"^[^@\s]+@[^@\s]+(?![\s\S])"), SECRET]
"""A mailbox (RFC 5321 allows 254 characters)."""

Date = date
"""The business date, ISO 8601: when it happened in the shop, not when a machine handled it."""

_TEXT_LIMIT = 200

Text = Annotated[str, Meta(min_length=1, max_length=_TEXT_LIMIT)]
"""A short text for people."""


def as_text(said: str) -> str:
    """What an outside system said, so that it fits Text: cut, and `(nothing)` where it said nothing."""
    return said[:_TEXT_LIMIT] or "(nothing)"


class Money(Struct, frozen=True):
    """An amount in integer minor units, with its currency: `Money(2933, "USD")` is $29.33."""

    amount: MinorUnits
    currency: Currency

    def __str__(self) -> str:
        """For people: two decimals, which is right for every currency the samples use."""
        return f"{self.amount // 100}.{self.amount % 100:02} {self.currency}"
