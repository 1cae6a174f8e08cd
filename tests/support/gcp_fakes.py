"""Google Cloud without a network: Google's real clients over a channel that answers by itself, and remembers.

What is validated, paged, tried again and raised is the SDK's own work; only the answers are a test's. Documents are
kept, so that what was written can be read.
"""

import json
import os
import threading
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from operator import ge, gt, le, lt
from typing import Any

import grpc
import pytest
from google.cloud.firestore_v1 import types as firestore
from google.protobuf.empty_pb2 import Empty
from google.pubsub_v1 import types as pubsub
from msgspec import Struct

from shared.kernel.commit import decode_commit

PROJECT = "trefoil-tests"
PUBSUB, FIRESTORE = "pubsub.invalid:1", "firestore.invalid:1"
DOCUMENTS = f"projects/{PROJECT}/databases/trefoil-dev-store/documents"

Answer = Callable[[Any], Any]


class Refusal(grpc.RpcError):
    """Google answers with an error."""

    def __init__(self, code: grpc.StatusCode, text: str = "because") -> None:
        super().__init__(text)
        self._code, self._text = code, text

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self._text

    def trailing_metadata(self) -> tuple[()]:
        return ()

    def result(self) -> Any:
        raise self


def refused(name: str, text: str = "because") -> Refusal:
    """A refusal by the name of its code."""
    return Refusal(grpc.StatusCode[name], text)


class Call(Struct, frozen=True):
    """What was asked, and how long the answer may take."""

    name: str
    request: Any
    timeout: float | None


class Kept(Struct, frozen=True):
    """A document, and its fields as Python's own values."""

    document: firestore.Document
    fields: dict[str, Any]


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


def published(request: pubsub.PublishRequest) -> pubsub.PublishResponse:
    """Every message was taken."""
    return pubsub.PublishResponse(message_ids=[str(number) for number, _ in enumerate(request.messages)])


def attached(*services: str) -> Answer:
    """The bus has a subscription of each of these services."""
    names = [subscription(f"trefoil-dev-{service}-0123abcd") for service in services]
    return lambda _: pubsub.ListTopicSubscriptionsResponse(subscriptions=names)


def subscription(name: str) -> str:
    """A subscription's full name."""
    return f"projects/{PROJECT}/subscriptions/{name}"


def shown(*messages: pubsub.ReceivedMessage, at_once: int = 100) -> Answer:
    """A subscription shows these messages, each once, and then keeps its caller waiting."""
    left = list(messages)

    def answer(_: Any) -> pubsub.PullResponse:
        now, left[:] = left[:at_once], left[at_once:]
        if not now:
            raise refused("DEADLINE_EXCEEDED")
        return pubsub.PullResponse(received_messages=now)

    return answer


class FakeGoogle(grpc.Channel):
    """Answers what clients ask, and remembers it."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.opened: Counter[str] = Counter()
        self.slept: list[float] = []
        self.documents: dict[str, Kept] = {}
        self.answers: dict[str, Answer] = {
            "Publish": published,
            "Pull": shown(),
            "Acknowledge": lambda _: Empty(),
            "ModifyAckDeadline": lambda _: Empty(),
            "ModifyPushConfig": lambda _: Empty(),
            "ListTopicSubscriptions": attached("orders", "payments"),
            "Commit": self._commit,
            "BatchGetDocuments": self._get,
            "RunQuery": self._query,
        }
        self._lock = threading.Lock()
        self._time = 0.0

    def open(self, target: str, **_: Any) -> "FakeGoogle":
        """In place of `grpc.insecure_channel`."""
        self.opened[target] += 1
        return self

    def ask(self, name: str, request: Any, timeout: float | None) -> Any:
        with self._lock:
            self.calls.append(Call(name, request, timeout))
        return self.answers[name](request)

    def unary_unary(self, method: str, *_: Any, **__: Any) -> "_Asking":
        return _Asking(self, method)

    def unary_stream(self, method: str, *_: Any, **__: Any) -> "_Streaming":
        return _Streaming(self, method)

    stream_unary = stream_stream = unary_unary

    def subscribe(self, *_: Any, **__: Any) -> None:
        """Nothing is to be told of it."""

    unsubscribe = close = __enter__ = __exit__ = subscribe

    def called(self, name: str) -> list[Any]:
        """The requests of one kind, in order."""
        return [call.request for call in self.calls if call.name == name]

    def names(self) -> list[str]:
        """What was asked, in order."""
        return [call.name for call in self.calls]

    def sent(self, topic: str = "trefoil-dev-bus") -> list[pubsub.PubsubMessage]:
        """What was published to a topic, confirmed or not."""
        name = f"projects/{PROJECT}/topics/{topic}"
        return [message for request in self.called("Publish") if request.topic == name for message in request.messages]

    def stored(self, under: str) -> dict[str, dict[str, Any]]:
        """Documents below a path, by what follows it, as Python's own values."""
        beginning = f"{DOCUMENTS}/{under}/"
        found = {name: kept for name, kept in self.documents.items() if name.startswith(beginning)}
        return {name.removeprefix(beginning): kept.fields for name, kept in found.items()}

    def handled(self) -> list[str]:
        """The ids of the messages that commits answer, in order."""
        bodies = [fields["body"] for fields in self.stored("streams").values()]
        return sorted(each.id for body in bodies for each in decode_commit(body.encode()).handled)

    # -- the clock of the SDK's repeats

    def monotonic(self) -> float:
        return self._time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._time += seconds

    # -- documents

    def _commit(self, request: firestore.CommitRequest) -> firestore.CommitResponse:
        with self._lock:
            for write in request.writes:
                name = write.delete or write.update.name
                wanted = write.current_document.exists if "exists" in write.current_document else None
                if wanted is not None and wanted != (name in self.documents):
                    raise refused("NOT_FOUND" if wanted else "ALREADY_EXISTS", name)
                if write.delete:
                    self.documents.pop(name, None)
                else:
                    self.documents[name] = Kept(write.update, plain(write.update.fields))
        return firestore.CommitResponse(write_results=[{} for _ in request.writes])

    def _get(self, request: firestore.BatchGetDocumentsRequest) -> Iterable[firestore.BatchGetDocumentsResponse]:
        for name in request.documents:
            found = {"found": self.documents[name].document} if name in self.documents else {"missing": name}
            yield firestore.BatchGetDocumentsResponse(**found)

    def _query(self, request: firestore.RunQueryRequest) -> Iterable[firestore.RunQueryResponse]:
        query = request.structured_query
        with self._lock:
            documents = list(self.documents.items())
        found = [kept for name, kept in documents if _is_asked_for(name, kept.fields, request)]
        for order in query.order_by:
            backwards = order.direction == firestore.StructuredQuery.Direction.DESCENDING
            field = order.field.field_path
            found.sort(key=lambda kept, field=field: kept.fields[field], reverse=backwards)
        for kept in found[: query.limit or None]:
            yield firestore.RunQueryResponse(document=kept.document)


class _Asking:
    """One method of one service, as gRPC offers it."""

    def __init__(self, fake: FakeGoogle, method: str) -> None:
        self._fake = fake
        self._name = method.rpartition("/")[2]

    def __call__(self, request: Any, timeout: float | None = None, **_: Any) -> Any:
        return self._fake.ask(self._name, request, timeout)

    def with_call(self, request: Any, timeout: float | None = None, **_: Any) -> tuple[Any, Any]:
        return self(request, timeout), None


class _Streaming(_Asking, grpc.UnaryStreamMultiCallable):
    """One that answers bit by bit; whoever reads on meets its errors."""

    def __call__(self, request: Any, timeout: float | None = None, **_: Any) -> Iterator[Any]:
        yield from self._fake.ask(self._name, request, timeout)


_COMPARED = {"LESS_THAN": lt, "LESS_THAN_OR_EQUAL": le, "GREATER_THAN": gt, "GREATER_THAN_OR_EQUAL": ge}


def _is_asked_for(name: str, fields: Mapping[str, Any], request: firestore.RunQueryRequest) -> bool:
    query = request.structured_query
    (source,) = query.from_
    folder, _, collection = name.rpartition("/")[0].rpartition("/")
    inside = name.startswith(f"{request.parent}/") if source.all_descendants else folder == request.parent
    ordered = all(order.field.field_path in fields for order in query.order_by if order.field.field_path != "__name__")
    return inside and collection == source.collection_id and ordered and _passes(fields, query.where)


def _passes(fields: Mapping[str, Any], where: Any) -> bool:
    if "composite_filter" in where:
        return all(_passes(fields, each) for each in where.composite_filter.filters)
    if "field_filter" not in where:
        return True
    one = where.field_filter
    name = one.field.field_path
    return name in fields and _COMPARED[one.op.name](fields[name], _plain(one.value))


def plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    """A document's fields as Python's own values."""
    return {name: _plain(value) for name, value in fields.items()}


def _plain(value: firestore.Value) -> Any:
    kind = value._pb.WhichOneof("value_type")
    return plain(value.map_value.fields) if kind == "map_value" else getattr(value, kind)


@contextmanager
def fake_google() -> Iterator[FakeGoogle]:
    """The emulators that the environment names are this, and repeats wait for nothing."""
    fake = FakeGoogle()
    settings = {"PUBSUB_EMULATOR_HOST": PUBSUB, "FIRESTORE_EMULATOR_HOST": FIRESTORE, "GOOGLE_CLOUD_PROJECT": PROJECT}
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("TREFOIL_")]:
            patch.delenv(name)
        for name, value in settings.items():
            patch.setenv(name, value)
        patch.setattr(grpc, "insecure_channel", fake.open)
        for kind in ("base", "unary", "streaming"):
            patch.setattr(f"google.api_core.retry.retry_{kind}.time", fake)
        yield fake


def pushed(data: bytes, attributes: Mapping[str, str] | None = None, attempt: int = 1, **more: Any) -> bytes:
    """The body of a push, as Google documents it."""
    message = {"data": b64encode(data).decode(), "messageId": "1", "publishTime": "2025-06-20T11:59:58Z", **more}
    if attributes:
        message["attributes"] = dict(attributes)
    return json.dumps({"message": message, "subscription": subscription("s"), "deliveryAttempt": attempt}).encode()


def order(number: int = 1, **more: Any) -> bytes:
    """An order to be placed."""
    data = {"customer": "Ada", "email": "a@example.com", "quantity": 1, "total": {"amount": 1, "currency": "EUR"}}
    envelope = {"specversion": "1.0", "id": f"m{number}", "source": "/shop", "type": "orders.place-order.v1"}
    envelope |= {"subject": f"o{number}", "time": "2025-06-20T12:00:00Z", "data": {**data, "date": "2025-06-20"}}
    return json.dumps({**envelope, **more}).encode()
