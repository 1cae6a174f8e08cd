"""The audit: every message that was committed is answered, waiting or dead-lettered at each service it is for."""

from collections.abc import Iterable, Iterator

from msgspec import Struct

from shared.kernel.codec import decode, read_own
from shared.kernel.commit import Emitted, Key
from shared.kernel.errors import PermanentError
from shared.kernel.history import History
from shared.kernel.ports import Outgoing, System, Timer


class Missing(Struct, frozen=True):
    """A message that a service should have, and has not."""

    service: str
    id: str
    type: str
    stored: Emitted


def find_missing(history: History, system: System) -> Iterator[Missing]:
    """Yield what never arrived.

    Exact while nothing is being published; otherwise a message that is under way may be named, which does no harm:
    it is published once more, and known by its id.
    """
    elsewhere = {name: keys_on_hand(system, name) for name in history.catalog.services}
    for teller, _, message in history.emitted():
        for service in history.audience(teller, message):
            envelope = read_own(message.body)
            key = (envelope.source, envelope.id)
            stream = history.stream_in(service, envelope)
            if key in elsewhere[service] or (stream and history.answered_at(stream, key)):
                continue
            yield Missing(service, envelope.id, envelope.type, message)


def keys_on_hand(system: System, service: str) -> set[Key]:
    """(source, id) of what waits, is being handled, is timed, or is dead."""
    bodies: Iterable[bytes] = system.operations.waiting(service)
    keys = {key for body in bodies if (key := key_of(body))}
    return keys | {key for letter in system.dead_letters.parked(service) if (key := key_of(letter.body))}


def key_of(body: bytes) -> Key | None:
    """(source, id) of an encoded message; None when it can't be read."""
    try:
        envelope = decode(body)
    except PermanentError:
        return None
    return envelope.source, envelope.id


def repair(system: System, missing: Iterable[Missing]) -> int:
    """Publish what never arrived, to whom it never arrived; return how many were confirmed."""
    confirmed = 0
    for each in missing:
        body = bytes(each.stored.body)
        outgoing = Outgoing(each.id, each.type, read_own(body).subject, body, each.service)
        if each.stored.due is not None:
            system.timers.set([Timer(each.stored.due, outgoing)])
            confirmed += 1
        else:
            confirmed += not system.bus.publish([outgoing])
    return confirmed
