"""What clients ask of AWS, counted at botocore's own events: calls by kind, and the bytes of those that write."""

from collections import Counter
from threading import Lock
from typing import Any

READS = ("Query", "GetItem")
WRITES = ("PutItem", "UpdateItem", "DeleteItem")
PUBLISHES = ("PublishBatch", "Publish")


class Calls:
    """Counts calls as they are made: a batch is one, and so is each page of a query. The SDK's repeats are not seen."""

    def __init__(self, *clients: Any) -> None:
        self.made: Counter[str] = Counter()
        self.written = 0
        """Bytes of the requests that write to DynamoDB."""
        self._lock = Lock()
        for client in clients:
            client.meta.events.register("before-call.*.*", self._note)

    def _note(self, model: Any, params: dict[str, Any], **_: Any) -> None:
        with self._lock:
            self.made[model.name] += 1
            if model.name in WRITES:
                self.written += len(params["body"])

    def clear(self) -> None:
        """Start again from nothing."""
        self.made.clear()
        self.written = 0

    def count(self, kinds: tuple[str, ...]) -> int:
        """Calls of some kinds."""
        return sum(self.made[kind] for kind in kinds)

    @property
    def others(self) -> dict[str, int]:
        """Calls that neither read, write nor publish."""
        return {name: count for name, count in self.made.items() if name not in READS + WRITES + PUBLISHES}
