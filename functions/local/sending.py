"""Messages from outside: JSON lines are checked one by one, the good ones published."""

from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from uuid import uuid4

import msgspec

from shared.kernel.catalog import Catalog
from shared.kernel.codec import check_not_from_the_future, decode, encode
from shared.kernel.errors import MalformedMessage, TrefoilError, UnknownType
from shared.kernel.message import Envelope, Message
from shared.kernel.ports import Bus, Outgoing

CHUNK = 1000
SOURCE = "/cli"


class Short(msgspec.Struct, forbid_unknown_fields=True):
    """The short form of a line: we make up the rest. Whoever gives `id` and `time` may send the line again."""

    type: str
    subject: str
    data: msgspec.Raw
    id: str | None = None
    time: str | None = None


_short = msgspec.json.Decoder(Short)
_peek = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Sender:
    """Publishes lines; `refused` holds the number and the fault of each that was not."""

    def __init__(self, catalog: Catalog, bus: Bus) -> None:
        self._catalog = catalog
        self._bus = bus
        self.sent = 0
        self.refused: list[tuple[int, str]] = []

    def send(self, lines: Iterable[bytes]) -> Iterator[int]:
        """Send all lines, chunk by chunk; yield how many were taken so far."""
        checked = self._checked(lines)
        while chunk := list(islice(checked, CHUNK)):
            unconfirmed = self._bus.publish([message for _, message in chunk])
            self.sent += len(chunk) - len(unconfirmed)
            self.refused += [(n, "the bus did not confirm it; send it again") for n, m in chunk if m.id in unconfirmed]
            yield self.sent

    def _checked(self, lines: Iterable[bytes]) -> Iterator[tuple[int, Outgoing]]:
        for number, line in enumerate(lines, 1):
            line = line.removeprefix(BOM_UTF8) if number == 1 else line  # noqa: PLW2901 - it is no part of the line
            if not line.strip():
                continue
            try:
                yield number, self._check(line)
            except TrefoilError as error:
                self.refused.append((number, str(error)))

    def _check(self, line: bytes) -> Outgoing:
        envelope = _read(line)
        check_not_from_the_future(envelope.time.timestamp(), datetime.now(UTC).timestamp())
        payload = self._catalog.vocabulary.read(envelope.type, envelope.data)
        subscribers = self._catalog.subscribers(envelope.type)
        if not subscribers:
            raise UnknownType(f"no service handles '{envelope.type}'")
        for name in subscribers:
            self._catalog.service(name).stream(Message[Any](envelope, payload))
        return Outgoing(envelope.id, envelope.type, envelope.subject, encode(envelope))


def _read(line: bytes) -> Envelope:
    try:
        fields = _peek.decode(line)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise MalformedMessage(f"not a JSON object: {error}") from error
    if "specversion" in fields:
        return decode(line.strip())
    try:
        short = _short.decode(line)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise MalformedMessage(f"neither a CloudEvent (no specversion) nor type, subject and data: {error}") from error
    made_up = {"specversion": "1.0", "source": SOURCE, "id": short.id or str(uuid4())}
    given = {"type": short.type, "subject": short.subject, "data": short.data}
    return decode(msgspec.json.encode({**made_up, **given, "time": short.time or datetime.now(UTC)}))
