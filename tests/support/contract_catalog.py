"""The system that the contract suites run: one shop tells, stock and ledger listen; names that begin alike."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Raw, Struct

from shared.kernel.catalog import Catalog
from shared.kernel.codec import encode
from shared.kernel.message import Envelope, Message, Payload, command, event
from shared.kernel.outcome import Failure
from shared.kernel.ports import Delivery, Outgoing, Parked
from shared.kernel.service import Limits, Service

SHOP, STOCK, LEDGER = "shop", "stock", "ledger"
TRIES = 3


@command("shop.sell.v1")
class Sell(Payload, frozen=True):
    """Sell it."""


@event("shop.sold.v1")
class Sold(Payload, frozen=True):
    """It was sold: two services want to know."""

    text: str = ""


@event("shop.opened.v1")
class Opened(Payload, frozen=True):
    """The shop opened: nobody asked."""


class Nothing(Struct, frozen=True):
    """No state."""


def _ignore(_: Nothing, __: Message[Any]) -> tuple[Payload, ...]:
    return ()


def _service(name: str, handles: type[Payload], *emits: type[Payload]) -> Service:
    tables = {"handles": {handles: _ignore}, "emits": dict.fromkeys(emits)}
    return Service(name=name, state=Nothing, limits=Limits(tries=TRIES), **tables)


CATALOG = Catalog([_service(SHOP, Sell, Sold, Opened), _service(STOCK, Sold), _service(LEDGER, Sold)])

ON_SALE_DAY = datetime(2026, 11, 20, 12, tzinfo=UTC)

FAILURE = Failure("TriesExhausted", "ProviderUnavailable", "the carrier did not answer", "dispatch_shipment")


def message(id_: str, payload: Payload | None = None, *, to: str | None = None, subject: str = "s1") -> Outgoing:
    """One message on its way out; `Sold` unless told otherwise."""
    payload = payload or Sold()
    envelope = Envelope(
        specversion="1.0",
        id=id_,
        source="/shop",
        type=str(payload.message_type),
        subject=subject,
        time=ON_SALE_DAY,
        data=Raw(msgspec.json.encode(payload)),
    )
    return Outgoing(id_, envelope.type, subject, encode(envelope), to)


def messages(count: int) -> list[Outgoing]:
    """So many of them, called m1, m2 and so on."""
    return [message(f"m{number}") for number in range(1, count + 1)]


def ids(found: list[Delivery] | list[Parked]) -> list[str]:
    """The ids of what was delivered or parked."""
    return [msgspec.json.decode(each.body)["id"] for each in found]
