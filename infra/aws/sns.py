"""The bus on SNS: one topic, whose subscriptions filter by the attribute `type`."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from infra.aws.batches import Attributes, batches, escaped, send, text
from infra.aws.clients import Clients
from infra.aws.names import Names
from infra.aws.queues import Letter, Queues
from infra.routing import route
from shared.kernel.ports import Outgoing

Numbered = tuple[int, Letter]
Run = Callable[[Callable[[list[Numbered]], None], Iterable[list[Numbered]]], None]


def attributes_of(message: Outgoing) -> Attributes:
    """What filters read, and what tells a message for one service from what the bus fanned out."""
    attributes = {"type": text(message.type), "subject": text(message.subject)}
    return {**attributes, "to": text(message.to)} if message.to else attributes


class SnsBus:
    """Publishes to the topic; what is for one service goes to its queue."""

    def __init__(self, clients: Clients, queues: Queues, names: Names, arn: Callable[[], str], run: Run) -> None:
        self._clients = clients
        self._queues = queues
        self._names = names
        self._arn = arn
        self._run = run

    def publish(self, messages: Sequence[Outgoing]) -> set[str]:
        """See Bus."""
        letters = [Letter(escaped(message.body.decode()), attributes_of(message)) for message in messages]
        return route(
            messages,
            lambda numbers: self._fan_out(enumerate(letters[n] for n in numbers)),
            lambda service, numbers: self._queues.send(self._names.queue(service), [letters[n] for n in numbers]),
        )

    def _fan_out(self, letters: Iterable[Numbered]) -> dict[int, str]:
        faults: dict[int, str] = {}
        self._run(
            lambda batch: faults.update(send(dict(batch), self._publish)),
            batches(letters, lambda numbered: numbered[1].size),
        )
        return faults

    def _publish(self, letters: Mapping[int, Letter]) -> Any:
        return self._clients.sns.publish_batch(
            TopicArn=self._arn(),
            PublishBatchRequestEntries=[
                {"Id": str(number), "Message": letter.body, "MessageAttributes": letter.attributes}
                for number, letter in letters.items()
            ],
        )
