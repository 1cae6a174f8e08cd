"""Dropping a dead letter for good: its service's stream takes note, so that an audit does not miss it."""

from shared.kernel.catalog import Catalog
from shared.kernel.codec import decode, digest
from shared.kernel.commit import Commit, Handled
from shared.kernel.errors import ConcurrencyConflict, PermanentError
from shared.kernel.history import History
from shared.kernel.ports import Parked, System
from shared.kernel.service import by_subject
from shared.kernel.stream import Folder, View


def drop(catalog: Catalog, system: System, letter: Parked) -> None:
    """Commit the message as handled, with nothing to show for it, then remove the letter.

    One that can't be read, or not be told its stream, is only removed: no service can have asked for it.
    """
    handled, stream = _belongs_to(catalog, system, letter)
    if handled is not None and stream is not None:
        _take_note(catalog, system, letter.service, stream, handled)
    system.dead_letters.drop(letter)


def _belongs_to(catalog: Catalog, system: System, letter: Parked) -> tuple[Handled | None, str | None]:
    try:
        envelope = decode(letter.body, letter.attributes)
    except PermanentError:
        return None, None
    time = envelope.time.timestamp()
    handled = Handled(envelope.source, envelope.id, digest(envelope, time), time, envelope.type)
    stream = History(catalog, system.store).stream_in(letter.service, envelope)
    if stream is None and catalog.service(letter.service).key is by_subject:
        stream = f"{letter.service}/{envelope.subject}"  # known without the payload, as in Record.open
    return handled, stream


def _take_note(catalog: Catalog, system: System, service: str, stream: str, handled: Handled) -> None:
    folder = Folder(catalog.service(service))
    while True:
        view = View.load(folder, system.store, stream)
        known = view.find(system.store, handled.key, handled.time)
        if known is not None and known.claimed is None:
            return
        try:
            system.store.append(Commit(stream, view.version + 1, system.clock.now(), [handled]))
        except ConcurrencyConflict:
            continue
        return
