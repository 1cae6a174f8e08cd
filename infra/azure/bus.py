"""The bus on Service Bus: one topic, whose subscriptions filter by the property `type`, and forward to queues."""

from collections.abc import Sequence

from infra.azure.names import Names
from infra.azure.senders import Letter, Senders
from infra.routing import route
from shared.kernel.ports import Outgoing


class ServiceBus:
    """Publishes to the topic; what is for one service goes to its queue."""

    def __init__(self, senders: Senders, names: Names) -> None:
        self._senders = senders
        self._names = names

    def publish(self, messages: Sequence[Outgoing]) -> set[str]:
        """See Bus."""
        letters = [_letter(message) for message in messages]
        return route(
            messages,
            lambda numbers: self._senders.to_topic(self._names.topic, [letters[n] for n in numbers]),
            lambda service, numbers: self._senders.to_queue(self._names.queue(service), [letters[n] for n in numbers]),
        )


def _letter(message: Outgoing) -> Letter:
    to = {"to": message.to} if message.to else {}
    properties = {"type": message.type, "subject": message.subject, **to}
    return Letter(message.id, message.body, properties, subject=message.subject)
