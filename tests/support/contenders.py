"""What a process of its own does in the contract suites: it opens the adapter anew, on the machine's clock."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.kernel.commit import Commit
from shared.kernel.errors import ConcurrencyConflict
from shared.kernel.outcome import DONE
from shared.kernel.ports import Store
from tests.support.adapters import Deployed, deploy, named
from tests.support.contract_catalog import ids
from tests.support.processes import die

_PATIENCE = 10_000


@contextmanager
def _opened(adapter: str, place: str) -> Iterator[Deployed]:
    with deploy(named(adapter), Path(place), real_time=True) as deployed:
        yield deployed


def append_own(store: Store, stream: str, writer: str, count: int) -> int:
    """Append `count` commits, each on top of what is there; return how often somebody else was first."""
    conflicts = 0
    for number in range(count):
        while not _won(store, stream, writer, _next_version(store, stream), str(number)):
            conflicts += 1
            assert conflicts < _PATIENCE, "it goes on refusing the version after the newest"
    return conflicts


def append_each(store: Store, stream: str, writer: str, versions: int) -> list[int]:
    """Try to append every version; return those that were won."""
    return [version for version in range(1, versions + 1) if _won(store, stream, writer, version)]


def _next_version(store: Store, stream: str) -> int:
    newest = next(iter(store.read(stream)), None)
    return newest.version + 1 if newest else 1


def _won(store: Store, stream: str, writer: str, version: int, text: str = "") -> bool:
    try:
        store.append(Commit(stream, version, 1.0, released=[(writer, text)]))
    except ConcurrencyConflict:
        return False
    return True


def append_own_there(adapter: str, place: str, stream: str, writer: str, count: int) -> int:
    """`append_own` in another process."""
    with _opened(adapter, place) as deployed:
        return append_own(deployed.system.store, stream, writer, count)


def append_each_there(adapter: str, place: str, stream: str, writer: str, versions: int) -> list[int]:
    """`append_each` in another process."""
    with _opened(adapter, place) as deployed:
        return append_each(deployed.system.store, stream, writer, versions)


def append_flush_and_die(adapter: str, place: str, stream: str, count: int) -> None:
    """Append, flush, and get no further."""
    with _opened(adapter, place) as deployed:
        append_own(deployed.system.store, stream, "doomed", count)
        deployed.system.store.flush()
        die()


def work_until_empty(adapter: str, place: str, service: str, batch: int) -> list[str]:
    """Lease and settle until nothing comes any more; return the ids in the order in which they came."""
    handled: list[str] = []
    with _opened(adapter, place) as deployed:
        while batch_ := deployed.take(batch, service):
            handled += ids(batch_)
            deployed.wait(0.002)  # as handlers would, so that others get their turn
            deployed.system.channels.settle(service, [(delivery, DONE) for delivery in batch_])
    return handled


def lease_and_die(adapter: str, place: str, service: str, batch: int, seconds: float) -> None:
    """Take messages, and settle none of them."""
    with _opened(adapter, place) as deployed:
        deployed.take(batch, service, seconds)
        die()
