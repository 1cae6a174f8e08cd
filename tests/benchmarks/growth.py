"""Whether a message costs more when many others wait: sent and handled at depths a thousand times apart."""

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from shutil import disk_usage

from shared.kernel.catalog import Catalog
from shared.kernel.ports import Outgoing
from shared.users.handlers import SERVICE
from tests.benchmarks.measure import MICROSECONDS, Case, Row, Scale, Table, check, interleave, seconds
from tests.benchmarks.samples import registrations
from tests.benchmarks.shop import Shop, remove

BATCH = 100
CHUNK = 1_000
"""Messages that are sent at once, as the command line does."""
BYTES = 1_200
"""Of disk for each message that waits: its row, its page's share of what is free, its insertion in the log."""


class Pile:
    """A channel in which a number of messages always wait."""

    def __init__(self, folder: Path, depth: int) -> None:
        folder.mkdir(parents=True)
        self.name = f"{depth:,} waiting"
        self.sending: list[float] = []
        """Microseconds a message, one sample a turn."""
        self._folder = folder
        self._shop = Shop(folder, Catalog([SERVICE]), BATCH)
        self._sent = 0
        while self._sent < depth:
            self._send(self._next(min(CHUNK, depth - self._sent)))

    def close(self) -> None:
        self._shop.close()
        remove(self._folder)

    def turn(self, count: int) -> float:
        """Send as many as are handled after that; return the microseconds that handling one took."""
        chunks = [self._next(min(CHUNK, count - start)) for start in range(0, count, CHUNK)]
        sending = seconds(lambda: [self._send(chunk) for chunk in chunks])
        self.sending.append(sending / count * MICROSECONDS)
        before = self._shop.handled
        handling = seconds(lambda: self._shop.handle(count))
        check(f"handled with {self.name}", self._shop.handled - before, count)
        return handling / count * MICROSECONDS

    def _next(self, count: int) -> list[Outgoing]:
        self._sent += count
        return registrations(self._sent - count, count)

    def _send(self, messages: Sequence[Outgoing]) -> None:
        self._shop.send(messages)


def measure(scale: Scale, folder: Path) -> list[Table]:
    """One pile a depth, all open at once; each handles some of its messages in turn."""
    free = disk_usage(folder).free
    depths = [depth for depth in scale.depths if depth * BYTES < free / 2]
    notes = [
        f"The users service; a turn sends {scale.visits:,} messages and handles as many, the others keep waiting.",
        f"Sent in chunks of {CHUNK:,}, handled in batches of {BATCH}.",
        *(f"No room for {depth:,} messages on this disk." for depth in scale.depths if depth not in depths),
    ]
    with ExitStack() as opened:
        piles = [Pile(folder / str(depth), depth) for depth in depths]
        for pile in piles:
            opened.callback(pile.close)
        handling = interleave([Case(pile.name, partial(pile.turn, scale.visits)) for pile in piles], scale.rounds)
        sending = [Row(pile.name, pile.sending) for pile in piles]
    smallest = [piles[0].name]
    return [
        Table(title="Sending a message, by how many wait", unit="µs/message", rows=sending, against=smallest),
        Table(
            title="Handling a message, by how many wait",
            unit="µs/message",
            rows=handling,
            against=smallest,
            notes=notes,
        ),
    ]
