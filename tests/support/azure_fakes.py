"""Azure without a network: its real SDKs, less the wires.

Tables: azure-data-tables over a session whose answers are a test's own; what is validated, paged, tried again and
raised is the SDK's work. Service Bus: clients, senders and receivers are stand-ins, and messages the SDK's, which go
through its encoder and come out of its decoder; the AMQP around them is what `tests/emulators` is for.
"""

import json
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self

import azure.data.tables
import azure.identity
import azure.servicebus
import azure.servicebus.management
import pytest
import requests
from azure.core.pipeline.transport import HttpTransport
from azure.servicebus import ServiceBusMessage, ServiceBusMessageBatch, ServiceBusReceivedMessage
from msgspec import Struct

from shared.kernel.commit import decode_commit
from tests.support.azure_tables import Asked, Tables, answer_to, refusal
from tests.support.azure_wire import bytes_of, received, trigger

BUS = "Endpoint=sb://bus.invalid/;SharedAccessKeyName=all;SharedAccessKey=a2V5"
TABLES = "DefaultEndpointsProtocol=https;AccountName=trefoil;AccountKey=a2V5;TableEndpoint=https://tables.invalid"

TRANSFER = 256 * 1024
"""Bytes that the standard tier takes at once."""

Answer = Callable[[Any], Any]


def raising(error: Exception) -> Answer:
    """The call fails."""

    def answer(_: Any) -> Any:
        raise error

    return answer


def in_turn(*answers: Answer) -> Answer:
    """One answer after the other; the last one stays."""
    left = list(answers)

    def answer(request: Any) -> Any:
        now = left.pop(0) if len(left) > 1 else left[0]
        return now(request)

    return answer


def refused(status: int, code: str) -> Answer:
    """Tables answers with an error."""
    return lambda _: refusal(status, code)


class Transfer(Struct, frozen=True):
    """What was sent at once, as it arrives."""

    entity: str
    messages: list[ServiceBusReceivedMessage]
    timeout: float | None


class FakeAzure:
    """Answers what clients ask, and remembers it."""

    def __init__(self) -> None:
        self.made: Counter[str] = Counter()
        """Clients, senders and receivers; how often each was made."""
        self.settings: dict[str, dict[str, Any]] = {}
        self.credentials: dict[str, Any] = {}
        self.asked: list[Asked] = []
        self.slept: list[float] = []
        self.tables = Tables()
        self.transfers: list[Transfer] = []
        self.log: list[tuple[str, ...]] = []
        """What happened on Service Bus, in order."""
        self.queues: dict[str, list[ServiceBusReceivedMessage]] = {}
        self.locked: dict[str, list[ServiceBusReceivedMessage]] = {}
        self.held: dict[str, list[ServiceBusReceivedMessage]] = {}
        """Locked by somebody else: shown, and not received."""
        self.statuses: dict[str, str] = {}
        taken: Answer = lambda _: None  # noqa: E731 - as the others are
        self.answers: dict[str, Answer] = {
            **self.tables.answers(),
            **dict.fromkeys(("send", "receive", "peek", "complete", "abandon", "made"), taken),
        }
        self._lock = threading.Lock()

    def note_made(self, what: str, credential: Any = None, settings: Mapping[str, Any] | None = None) -> None:
        self.answers["made"](what)
        with self._lock:
            self.made[what] += 1
            self.credentials[what] = credential
            self.settings[what] = dict(settings or {})

    # -- Tables

    def ask(self, request: requests.PreparedRequest, **more: Any) -> requests.Response:
        """In place of `requests.adapters.HTTPAdapter.send`."""
        asked = Asked.read(request, more["timeout"])
        with self._lock:
            self.asked.append(asked)
        return answer_to(request, self.answers[asked.name](asked))

    def names(self) -> list[str]:
        """What Tables was asked, in order."""
        return [asked.name for asked in self.asked]

    def called(self, name: str) -> list[Asked]:
        """The requests of one kind, in order."""
        return [asked for asked in self.asked if asked.name == name]

    def stored(self, table: str = "trefoildevcommits") -> list[dict[str, Any]]:
        """A table's entities, in the order of their keys."""
        rows = self.tables.sorted(table)
        return [{name: value for name, value in row.items() if "@" not in name} for row in rows]

    def handled(self) -> list[str]:
        """The ids of the messages that commits answer, in order."""
        bodies = ["".join(row[name] for name in sorted(row) if name.startswith("body")) for row in self.stored()]
        return sorted(each.id for body in bodies for each in decode_commit(body.encode()).handled)

    # -- Service Bus

    def sent(self, entity: str = "trefoil-dev-bus") -> list[ServiceBusReceivedMessage]:
        """What a topic or queue was sent, confirmed or not."""
        return [message for transfer in self.transfers if transfer.entity == entity for message in transfer.messages]

    def took(self, what: str) -> list[tuple[str, ...]]:
        """What happened of one kind, without its name."""
        return [rest for name, *rest in map(list, self.log) if name == what]

    def offer(self, queue: str, *messages: ServiceBusReceivedMessage) -> None:
        """Let a queue hold these messages."""
        self.queues.setdefault(queue, []).extend(messages)


class FakeBus:
    """In place of a ServiceBusClient."""

    def __init__(self, fake: FakeAzure) -> None:
        self._fake = fake

    def get_topic_sender(self, name: str) -> "FakeSender":
        return FakeSender(self._fake, "topic", name)

    def get_queue_sender(self, name: str) -> "FakeSender":
        return FakeSender(self._fake, "queue", name)

    def get_queue_receiver(self, name: str) -> "FakeReceiver":
        return FakeReceiver(self._fake, name)

    def close(self) -> None:
        self._fake.log.append(("close", "bus"))


class FakeSender:
    """In place of a ServiceBusSender, which is for one thread at a time."""

    def __init__(self, fake: FakeAzure, kind: str, entity: str) -> None:
        self._fake = fake
        self._entity = entity
        self._busy = threading.Lock()
        fake.note_made(f"{kind} {entity}")

    def send_messages(self, messages: Sequence[ServiceBusMessage], *, timeout: float | None = None) -> None:
        assert self._busy.acquire(blocking=False), "two threads used one sender"
        try:
            batch = ServiceBusMessageBatch(max_size_in_bytes=TRANSFER)
            for message in messages:
                batch.add_message(message)
            found = [ServiceBusReceivedMessage.from_bytes(bytes_of(message)) for message in messages]
            transfer = Transfer(self._entity, found, timeout)
            self._fake.transfers.append(transfer)
            self._fake.log.append(("send", self._entity))
            self._fake.answers["send"](transfer)
        finally:
            self._busy.release()

    def close(self) -> None:
        self._fake.log.append(("close", self._entity))


class FakeReceiver:
    """In place of a ServiceBusReceiver."""

    def __init__(self, fake: FakeAzure, queue: str) -> None:
        self._fake = fake
        self._queue = queue
        self._open = False
        fake.note_made(f"receiver {queue}")

    def __enter__(self) -> Self:
        self._open = True
        return self

    def receive_messages(self, *, max_message_count: int, max_wait_time: float) -> list[ServiceBusReceivedMessage]:
        assert self._open, "opening counts towards the wait"
        self._fake.log.append(("receive", self._queue, str(max_message_count), str(max_wait_time)))
        self._fake.answers["receive"](self._queue)
        waiting = self._fake.queues.get(self._queue, [])
        found, waiting[:] = waiting[:max_message_count], waiting[max_message_count:]
        self._fake.locked.setdefault(self._queue, []).extend(found)
        return found

    def peek_messages(self, *, max_message_count: int, sequence_number: int) -> list[ServiceBusReceivedMessage]:
        self._fake.log.append(("peek", self._queue, str(sequence_number)))
        self._fake.answers["peek"](self._queue)
        places = (self._fake.queues, self._fake.locked, self._fake.held)
        shown = [message for place in places for message in place.get(self._queue, [])]
        shown.sort(key=lambda message: message.sequence_number)
        return [message for message in shown if message.sequence_number >= sequence_number][:max_message_count]

    def complete_message(self, message: ServiceBusReceivedMessage) -> None:
        self._settle("complete", message)

    def abandon_message(self, message: ServiceBusReceivedMessage) -> None:
        self._settle("abandon", message)
        self._fake.offer(self._queue, message)

    def _settle(self, how: str, message: ServiceBusReceivedMessage) -> None:
        self._fake.log.append((how, self._queue, str(message.sequence_number)))
        self._fake.answers[how](message)
        self._fake.locked.get(self._queue, []).remove(message)

    def close(self) -> None:
        self._fake.log.append(("close", self._queue))


class FakeAdministration:
    """In place of a ServiceBusAdministrationClient."""

    def __init__(self, fake: FakeAzure) -> None:
        self._fake = fake

    def get_queue_runtime_properties(self, name: str) -> Any:
        counts = self._fake.answers["counts"](name)
        return type("Counts", (), {f"{kind}_message_count": count for kind, count in counts.items()})

    def get_queue(self, name: str) -> Any:
        return type("Queue", (), {"name": name, "status": self._fake.statuses.get(name, "Active")})()

    def update_queue(self, queue: Any) -> None:
        self._fake.statuses[queue.name] = queue.status

    def close(self) -> None:
        self._fake.log.append(("close", "administration"))


def _stand_in(fake: FakeAzure, what: str, kind: Callable[[FakeAzure], Any]) -> Any:
    """A client's class, as far as it is called."""

    class StandIn:
        def __new__(cls, host: str, credential: Any, **settings: Any) -> Any:
            fake.note_made(f"{what} {host}", credential, settings)
            return kind(fake)

        @staticmethod
        def from_connection_string(connection: str, **settings: Any) -> Any:
            fake.note_made(f"{what} {connection}", None, settings)
            return kind(fake)

    return StandIn


def _counting(fake: FakeAzure) -> Any:
    """The tables' client, and how it was made."""

    class Counting(azure.data.tables.TableServiceClient):
        def __init__(self, endpoint: str, **settings: Any) -> None:
            fake.note_made(f"tables {endpoint}", settings.get("credential"), settings)
            super().__init__(endpoint, **settings)

    return Counting


@contextmanager
def fake_azure() -> Iterator[FakeAzure]:
    """The namespace and the account that the environment names are this, and repeats wait for nothing."""
    fake = FakeAzure()
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("TREFOIL_")]:
            patch.delenv(name)
        patch.setenv("TREFOIL_SERVICEBUS", BUS)
        patch.setenv("TREFOIL_TABLES", TABLES)
        patch.setattr(azure.servicebus, "ServiceBusClient", _stand_in(fake, "bus", FakeBus))
        administration = _stand_in(fake, "administration", FakeAdministration)
        patch.setattr(azure.servicebus.management, "ServiceBusAdministrationClient", administration)
        patch.setattr(azure.data.tables, "TableServiceClient", _counting(fake))
        patch.setattr(azure.identity, "DefaultAzureCredential", lambda: "whoever this is")
        patch.setattr(requests.adapters.HTTPAdapter, "send", fake.ask)
        patch.setattr(HttpTransport, "sleep", lambda _, seconds: fake.slept.append(seconds))
        yield fake


def arriving(number: int = 1, body: Any = b"{}", properties: Mapping[Any, Any] | None = None, **more: Any) -> Any:
    """A message that a queue hands out; it was sent at 1000.25."""
    sections = {"sequence_number": number, "enqueued": 1000.25, "delivery_count": 0, **more}
    return received(data=[body], application_properties=dict(properties or {}), **sections)


def told(message: ServiceBusReceivedMessage) -> dict[str, Any]:
    """A message's properties; the SDK leaves texts as bytes."""
    return {name.decode(): _told(value) for name, value in (message.application_properties or {}).items()}


def _told(value: Any) -> Any:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def body_of(message: ServiceBusReceivedMessage) -> bytes:
    """What a message carries."""
    return b"".join(message.body)


def handed(*bodies: bytes, properties: Mapping[str, Any] | None = None, count: int = 1, **texts: str) -> list[Any]:
    """A batch as azure.functions hands it to a function; `texts` are of every message: ContentType and such."""
    number = len(bodies)
    metadata = {
        "DeliveryCountArray": {"json": [count] * number},
        "SequenceNumberArray": {"collection_sint64": list(range(1, number + 1))},
        "EnqueuedTimeUtcArray": {"json": ["2025-06-20T11:59:58.25"] * number},
        "ApplicationPropertiesArray": {"json": [dict(properties or {})] * number},
        "UserPropertiesArray": {"json": [dict(properties or {})] * number},
        **{f"{name}Array": {"collection_string": [text] * number} for name, text in texts.items()},
    }
    return trigger({"data": {"collection_bytes": list(bodies)}, "metadata": metadata})


def order(number: int = 1, **more: Any) -> bytes:
    """An order to be placed."""
    data = {"customer": "Ada", "email": "a@example.com", "quantity": 1, "total": {"amount": 1, "currency": "EUR"}}
    envelope = {"specversion": "1.0", "id": f"m{number}", "source": "/shop", "type": "orders.place-order.v1"}
    envelope |= {"subject": f"o{number}", "time": "2025-06-20T12:00:00Z", "data": {**data, "date": "2025-06-20"}}
    return json.dumps({**envelope, **more}).encode()
