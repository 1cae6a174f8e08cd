"""What end-to-end tests ask of a deployment, whatever cloud it is on."""

import shlex
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from shared.catalog import CATALOG
from shared.kernel.codec import read_own
from shared.kernel.ports import Store

PATIENCE = 900
"""Seconds for all to be handled, on a slow machine."""


def script(commands: Sequence[str], instead: Mapping[str, str], after: Mapping[str, str]) -> str:
    """The README's commands as bash reads them, each shown before what it says.

    `instead` has what to run in a command's place, `after` what to do when it has ended.
    """
    lines = ["set -e -o pipefail"]
    for command in commands:
        lines += [f"echo {shlex.quote(f'$ {command}')}", instead.get(command, command)]
        lines += [after[command]] if command in after else []
    return "\n".join(lines)


def eventually(happens: Callable[[], Any], seconds: float = 120) -> Any:
    """Ask again until the answer is true."""
    end = time.monotonic() + seconds
    while not (found := happens()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(1)
    return found


def effects(store: Store) -> Counter[tuple[str, str, str]]:
    """What payments, shipping and mails did about each subject; a mail is one of its kind by what caused it."""
    told: Counter[tuple[str, str, str]] = Counter()
    for service in ("payments", "shipping", "notifications"):
        for stream in store.streams(service):
            for commit in store.read(stream):
                told.update((stream, read_own(m.body).type, commit.handled[m.cause].type) for m in commit.messages)
    return told


def holes(store: Store) -> list[str]:
    """Streams whose versions do not count from one without a gap."""
    found = []
    for service in CATALOG.services:
        for stream in store.streams(service):
            versions = [commit.version for commit in store.read(stream)]
            if versions != list(range(len(versions), 0, -1)):
                found.append(stream)
    return found


def services_in(trace: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The services that had a part in a flow, as `trefoil trace --json` shows it."""
    for node in trace:
        for fate in node["fates"]:
            yield fate["service"]
            yield from services_in(fate["caused"])
