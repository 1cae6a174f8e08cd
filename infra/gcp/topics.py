"""Topics by name: publishing to them, in batches of what one call may carry."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from google.api_core.exceptions import NotFound
from msgspec import Struct

from infra.batching import batches
from infra.gcp.clients import CALL_SECONDS, FAULTS, PATIENCE, Clients

if TYPE_CHECKING:
    from google.pubsub_v1 import PubsubMessage

BATCH_COUNT = 1000
BATCH_BYTES = 9_500_000
"""A publish request holds 10 MB and 1,000 messages at most (Pub/Sub quotas and limits)."""
_FRAME = 64
"""Bytes, generously, of what frames a message and each of its attributes."""


class Letter(Struct, frozen=True):
    """One message to be published."""

    body: bytes
    attributes: Mapping[str, str]
    ordering_key: str = ""
    """Empty unless the message came with one; nothing here needs any order."""

    @property
    def size(self) -> int:
        """Bytes, at most."""
        texts = sum(len(part.encode()) for pair in self.attributes.items() for part in pair)
        return len(self.body) + len(self.ordering_key.encode()) + texts + _FRAME * (1 + len(self.attributes))


class Topics:
    """The deployment's topics."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def path(self, topic: str) -> str:
        """A topic's full name."""
        return f"projects/{self._clients.project}/topics/{topic}"

    def send(self, topic: str, letters: Sequence[Letter]) -> dict[int, str]:
        """Publish letters; return the positions of those that were not confirmed, and why."""
        faults: dict[int, str] = {}
        for batch in batches(enumerate(letters), lambda numbered: numbered[1].size, BATCH_COUNT, BATCH_BYTES):
            try:
                self._publish(topic, [letter for _, letter in batch])
            except NotFound:
                fault = (
                    f"there is no topic '{topic}' in the project '{self._clients.project}': deploy first, or set"
                    " TREFOIL_NAME, TREFOIL_STAGE and GOOGLE_CLOUD_PROJECT to those of the deployment"
                )
                faults |= dict.fromkeys((number for number, _ in batch), fault)
            except FAULTS as error:  # the SDK has tried again already; a request is published as a whole or not at all
                faults |= dict.fromkeys((number for number, _ in batch), f"topic '{topic}': {error}")
        return faults

    def _publish(self, topic: str, letters: Iterable[Letter]) -> None:
        messages = [_message(letter) for letter in letters]
        self._clients.publisher.publish(topic=self.path(topic), messages=messages, retry=PATIENCE, timeout=CALL_SECONDS)


def _message(letter: Letter) -> "PubsubMessage":
    from google.pubsub_v1 import PubsubMessage  # noqa: PLC0415 - loaded with the client

    return PubsubMessage(data=letter.body, attributes=dict(letter.attributes), ordering_key=letter.ordering_key or None)
