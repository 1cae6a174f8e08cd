"""The bus on Pub/Sub: one topic, whose subscriptions filter by the attributes `type` and `to`."""

from collections.abc import Mapping, Sequence

from infra.gcp.names import Names
from infra.gcp.topics import Letter, Topics
from infra.routing import unconfirmed
from shared.kernel.ports import Outgoing


class Copy(Outgoing, frozen=True):
    """A message that was put aside, on its way back to its service: as it came, with what is known of it."""

    attributes: Mapping[str, str] = {}
    ordering_key: str = ""


class PubsubBus:
    """Publishes to the topic; what is for one service says so, and no other subscription lets it in."""

    def __init__(self, topics: Topics, names: Names) -> None:
        self._topics = topics
        self._names = names

    def publish(self, messages: Sequence[Outgoing]) -> set[str]:
        """See Bus."""
        faults = self._topics.send(self._names.topic, [_letter(message) for message in messages])
        return unconfirmed(messages, faults)


def _letter(message: Outgoing) -> Letter:
    to = {"to": message.to} if message.to else {}
    if isinstance(message, Copy):
        return Letter(message.body, {**message.attributes, **to}, message.ordering_key)
    return Letter(message.body, {"type": message.type, "subject": message.subject, **to})
