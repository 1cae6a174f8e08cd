"""How to break one rule of the protocol: what a reasonable person might have written instead.

Broken at the ports where that is possible, because they stay when the kernel's inside is rewritten.
"""

from collections.abc import Callable

import pytest
from msgspec import Struct

from shared.kernel.commit import Commit
from tests.support.faults_ports import HostileStore
from tests.support.simulation_workload import Schedule, schedule

Break = Callable[[pytest.MonkeyPatch], None]


class Broken(Struct, frozen=True):
    """A way to break a rule, and what schedules have to be about for it to show soon."""

    break_it: Break
    about: Callable[[int], Schedule] = schedule


def store_otherwise(patch: pytest.MonkeyPatch, change: Callable[[Commit], Commit | None]) -> None:
    """Let the store keep something else than it was given, or nothing."""
    append = HostileStore.append

    def append_changed(self: HostileStore, commit: Commit) -> None:
        if (changed := change(commit)) is not None:
            append(self, changed)

    patch.setattr(HostileStore, "append", append_changed)
