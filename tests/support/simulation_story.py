"""A simulated run in words."""

from shared.kernel.codec import decode, read_own
from shared.kernel.commit import Commit
from shared.kernel.errors import PermanentError
from shared.kernel.outcome import DeadLetter, Defer, Retry
from shared.kernel.ports import Delivery, Outgoing, Parked
from tests.support.simulation_clients import Sent


def told(thing: object) -> str:
    """A few words for anything that is seen at a port."""
    match thing:
        case Outgoing() | Sent() | Delivery():
            return _message(thing.body)
        case bytes():
            return _message(thing)
        case (Delivery() as delivery, outcome):
            return f"{_message(delivery.body)} as {_outcome(outcome)};"
        case Commit():
            return _commit(thing)
        case Parked():
            return f"{_message(thing.body)} ({thing.failure.reason}: {thing.failure.text[:150]})"
        case _:
            return str(thing)


def _message(body: bytes) -> str:
    try:
        envelope = decode(body)
    except PermanentError:
        return "something unreadable"
    return f"{envelope.type.split('.')[1]}[{envelope.source} {envelope.id} about {envelope.subject}]"


def _outcome(outcome: object) -> str:
    name = type(outcome).__name__
    return f"{name}({outcome.failure.reason})" if isinstance(outcome, Retry | Defer | DeadLetter) else name


def _commit(commit: Commit) -> str:
    parts = [f"{commit.stream} v{commit.version}"]
    parts += [f"handles {entry.source} {entry.id}," for entry in commit.handled]
    parts += [f"claims {entry.source} {entry.id}," for entry in commit.claims]
    parts += [f"releases {source} {id_}," for source, id_ in commit.released]
    parts += [f"emits {read_own(message.body).type.split('.')[1]}," for message in commit.messages]
    if commit.snapshot:
        remembered = " ".join(f"{entry.source} {entry.id}" for entry in commit.snapshot.memory)
        parts.append(f"with a snapshot that remembers {remembered or 'nothing'}")
    return " ".join(parts)
