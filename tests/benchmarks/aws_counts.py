"""What clients ask of AWS, counted at botocore's own events: calls by kind, and the bytes of those that write."""

from typing import Any

from tests.benchmarks.counts import Counts

READS = ("Query", "GetItem")
WRITES = ("PutItem", "UpdateItem", "DeleteItem")
PUBLISHES = ("PublishBatch", "Publish")


class Calls(Counts):
    """Counts calls as they are made: a batch is one, and so is each page of a query. The SDK's repeats are not seen."""

    kinds = READS + WRITES + PUBLISHES

    def __init__(self, *clients: Any) -> None:
        super().__init__()
        for client in clients:
            client.meta.events.register("before-call.*.*", self._note)

    def _note(self, model: Any, params: dict[str, Any], **_: Any) -> None:
        self.note(model.name, len(params["body"]) if model.name in WRITES else 0)
