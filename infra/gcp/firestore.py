"""The store and the timers on Firestore: one `create` a message, one query to load."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from zlib import crc32

from google.api_core.exceptions import AlreadyExists
from google.api_core.retry import Retry

from infra.gcp.bus import Copy
from infra.gcp.clients import CALL_SECONDS, FAULTS, PATIENCE, Clients
from shared.kernel.commit import Commit, decode_commit, encode_commit
from shared.kernel.errors import ConcurrencyConflict, StoreUnavailable
from shared.kernel.ports import Outgoing, Timer
from shared.kernel.stream import SNAPSHOT_EVERY

if TYPE_CHECKING:
    from google.cloud.firestore import DocumentReference, Query

PAGE = SNAPSHOT_EVERY
"""Commits a query reads: enough to reach a snapshot. Firestore bills each of them, wanted or not."""

SHARDS = 8
"""Firestore takes about 500 writes a second where an indexed field only grows; the tick reads this many."""

_ONCE = Retry(predicate=lambda _: False)
"""No repeats by the client."""

STREAMS, COMMITS, TIMERS, DUE = "streams", "commits", "timers", "due"

Run = Callable[[Callable[[Timer], None], Iterable[Timer]], None]


@contextmanager
def _asking(what: str) -> Iterator[None]:
    try:
        yield
    except FAULTS as error:
        raise StoreUnavailable(f"Firestore, {what}: {error}") from error


class FirestoreStore:
    """Commits as documents `streams/{stream}/commits/{version}`; the document's absence is the append's condition."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def append(self, commit: Commit) -> None:
        """See Store.

        When an answer is lost, the client asks again and meets its own document: a conflict that the reload explains.
        """
        fields: dict[str, Any] = {"version": commit.version, "body": encode_commit(commit).decode()}
        if commit.version == 1:
            fields["stream"] = commit.stream  # by which `streams` finds it
        with _asking(f"stream '{commit.stream}'"):
            document = self._commits(commit.stream).document(str(commit.version))
            try:
                document.create(fields, retry=PATIENCE, timeout=CALL_SECONDS)
            except AlreadyExists as error:
                raise ConcurrencyConflict(f"version {commit.version} of '{commit.stream}' is taken") from error

    def read(self, stream: str, before: int | None = None) -> Iterator[Commit]:
        """See Store."""
        from google.cloud.firestore import Query  # noqa: PLC0415 - loaded with the client

        newest_first = self._commits(stream).order_by("version", direction=Query.DESCENDING).select(["body"])
        while True:
            query = newest_first if before is None else newest_first.where(filter=_where("version", "<", before))
            page = _found(query.limit(PAGE), f"stream '{stream}'")
            for fields in page:
                commit = decode_commit(fields["body"].encode())
                before = commit.version
                yield commit
            if len(page) < PAGE:
                return

    def streams(self, service: str) -> Iterator[str]:
        """See Store. Reads the first commit of each: for audits, not for handlers."""
        # '0' is the character after '/', so these bounds hold the service's streams and no others.
        begun = self._clients.firestore.collection_group(COMMITS).select(["stream"]).order_by("stream")
        query = begun.where(filter=_where("stream", "<", f"{service}0"))
        after = f"{service}/"
        while True:
            page = _found(query.where(filter=_where("stream", ">", after)).limit(1000), f"streams of '{service}'")
            for fields in page:
                after = fields["stream"]
                yield after
            if not page:
                return

    def flush(self) -> None:
        """See Store."""

    def _commits(self, stream: str) -> Any:
        # Ids can't hold a slash; neither services nor keys hold a colon.
        return self._clients.firestore.collection(STREAMS, stream.replace("/", ":", 1), COMMITS)


class FirestoreTimers:
    """Timers as documents `timers/{shard}/due/{id}`, each shard ordered by time."""

    def __init__(self, clients: Clients, run: Run) -> None:
        self._clients = clients
        self._run = run

    def set(self, timers: Sequence[Timer]) -> None:
        """See Timers."""
        self._run(self._set, timers)

    def _set(self, timer: Timer) -> None:
        fields = {
            name: value
            for name, value in {"due": timer.due, **_fields(timer.message)}.items()
            if value not in (None, "", {})
        }
        with _asking("timers"), suppress(AlreadyExists):
            self._document(timer.message.id).create(fields, retry=PATIENCE, timeout=CALL_SECONDS)

    def due(self, now: float, limit: int) -> list[Timer]:
        """See Timers."""
        found = [timer for shard in range(SHARDS) for timer in self._due(str(shard), now, limit)]
        return sorted(found, key=lambda timer: timer.due)[:limit]

    def _due(self, shard: str, now: float, limit: int) -> Iterator[Timer]:
        waiting = self._clients.firestore.collection(TIMERS, shard, DUE)
        due = waiting.where(filter=_where("due", "<=", now)).order_by("due").limit(limit)
        return map(_timer, _found(due, "timers"))

    def remove(self, timers: Sequence[Timer]) -> None:
        """See Timers."""
        self._run(self._remove, timers)

    def _remove(self, timer: Timer) -> None:
        with _asking("timers"):
            self._document(timer.message.id).delete(retry=PATIENCE, timeout=CALL_SECONDS)

    def all(self) -> Iterator[Timer]:
        """Every timer that is set, due or not, and what is put aside; reads all of them."""
        return map(_timer, _found(self._clients.firestore.collection_group(DUE), "timers"))

    def count(self) -> int:
        """How many there are; reads none of them."""
        with _asking("timers"):
            counted: Any = self._clients.firestore.collection_group(DUE).count()
            return int(counted.get(timeout=CALL_SECONDS)[0][0].value)

    def _document(self, id_: str) -> "DocumentReference":
        shard = str(crc32(id_.encode()) % SHARDS)
        return self._clients.firestore.collection(TIMERS, shard, DUE).document(quote(id_, safe=":"))


def _where(field: str, operator: str, value: Any) -> Any:
    from google.cloud.firestore import FieldFilter  # noqa: PLC0415 - loaded with the client

    return FieldFilter(field, operator, value)


def _found(query: "Query", what: str) -> list[Mapping[str, Any]]:
    """A page, asked for as a whole: the client would go on after what it has, by fields that we did not select."""

    def ask() -> list[Mapping[str, Any]]:
        return [snapshot.to_dict() or {} for snapshot in query.stream(retry=_ONCE, timeout=CALL_SECONDS)]

    with _asking(what):
        return PATIENCE(ask)()


def _fields(message: Outgoing) -> dict[str, Any]:
    fields = {name: getattr(message, name) for name in message.__struct_fields__}
    return {**fields, "attributes": dict(fields["attributes"])} if isinstance(message, Copy) else fields


def _timer(fields: Mapping[str, Any]) -> Timer:
    told = {"type": "", "subject": "", **{name: value for name, value in fields.items() if name != "due"}}
    return Timer(fields["due"], (Copy if "attributes" in told else Outgoing)(**told))
