"""The rules of knowing what was handled before, broken."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from msgspec import structs

from shared.kernel.commit import Commit
from shared.kernel.errors import Expired
from shared.kernel.planner import Planner
from shared.kernel.record import Record
from shared.kernel.stream import NEVER, View
from tests.support.faults_ports import HostileStore
from tests.support.faults_rules import Broken, store_otherwise
from tests.support.simulation_focus import cancellations, mails, old_copies, twins


def remember_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(View, "find", lambda *_: None)


def know_by_id_only(patch: pytest.MonkeyPatch) -> None:
    def find_by_id(self: View, _: Any, key: tuple[str, str], __: float) -> Any:
        return next((entry for known, entry in self.memory.items() if known[1] == key[1]), None)

    patch.setattr(View, "find", find_by_id)


def forget_for_good(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(View, "find", lambda self, _, key, __: self.memory.get(key))


def forget_what_was_forgotten_before(patch: pytest.MonkeyPatch) -> None:
    forget = View._forget

    def forget_now(self: View) -> None:
        self.forgotten_until = NEVER
        forget(self)

    patch.setattr(View, "_forget", forget_now)


def skip_empty_answers(patch: pytest.MonkeyPatch) -> None:
    store_otherwise(patch, lambda commit: commit if commit.messages or commit.claims or commit.released else None)


def remember_ids_without_versions(patch: pytest.MonkeyPatch) -> None:
    _remember_otherwise(patch, lambda memory: [structs.replace(entry, version=1) for entry in memory])


def remember_no_claims(patch: pytest.MonkeyPatch) -> None:
    _remember_otherwise(patch, lambda memory: [entry for entry in memory if entry.claimed is None])


def _remember_otherwise(patch: pytest.MonkeyPatch, change: Callable[[Any], Any]) -> None:
    def changed(commit: Commit) -> Commit:
        if commit.snapshot is None:
            return commit
        return structs.replace(commit, snapshot=structs.replace(commit.snapshot, memory=change(commit.snapshot.memory)))

    store_otherwise(patch, changed)


def ask_the_memory_about_twins(patch: pytest.MonkeyPatch) -> None:
    place = Planner._place

    def place_alone(self: Planner, record: Record, view: View, draft: Any, _: Any) -> None:
        place(self, record, view, draft, {})

    patch.setattr(Planner, "_place", place_alone)


def trust_ids(patch: pytest.MonkeyPatch) -> None:
    repeat = Planner._repeat

    def repeat_whatever_it_says(self: Planner, record: Record, known: Any, *rest: Any) -> None:
        record.handled = structs.replace(record.handled, digest=known.digest)
        repeat(self, record, known, *rest)

    patch.setattr(Planner, "_repeat", repeat_whatever_it_says)


def check_expiry_first(patch: pytest.MonkeyPatch) -> None:
    place = Planner._place

    def place_unless_expired(self: Planner, record: Record, *rest: Any) -> None:
        expiry = record.envelope.expirytime
        if expiry is not None and expiry.timestamp() < self._context.clock.now():
            raise Expired("too late")
        place(self, record, *rest)

    patch.setattr(Planner, "_place", place_unless_expired)


def read_an_old_replica(patch: pytest.MonkeyPatch) -> None:
    read = HostileStore.read

    def read_behind(self: HostileStore, stream: str, before: int | None = None) -> Iterator[Commit]:
        commits = read(self, stream, before)
        if before is None and self.on.rng.random() < 0.3:
            next(commits, None)
        return commits

    patch.setattr(HostileStore, "read", read_behind)


MEMORY = {
    "what was handled is not handled again": Broken(remember_nothing),
    "an empty answer is committed, too": Broken(skip_empty_answers),
    "a message is known by its source and its id": Broken(know_by_id_only),
    "two copies in one batch share an answer": Broken(ask_the_memory_about_twins, twins),
    "one id with two contents is refused": Broken(trust_ids),
    "a repeat is known before it is checked for expiry": Broken(check_expiry_first, cancellations),
    "what a snapshot forgot is looked up in older commits": Broken(forget_for_good, old_copies),
    "a snapshot knows what earlier ones forgot": Broken(forget_what_was_forgotten_before, old_copies),
    "a snapshot remembers which version handled an id": Broken(remember_ids_without_versions, old_copies),
    "a snapshot remembers claims": Broken(remember_no_claims, mails),
    "a read sees every append that was confirmed before": Broken(read_an_old_replica),
}
