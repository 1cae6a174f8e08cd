"""What clients ask of Azure, counted at the SDKs' ends: each request to Tables, each transfer to Service Bus."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from azure.core.pipeline.transport import RequestsTransport
from azure.servicebus._pyamqp.client import SendClient

from tests.benchmarks.counts import Counts

READS = ("query", "get")
WRITES = ("insert", "update", "delete", "transaction")
PUBLISHES = ("send",)

_WRITES = {"POST": "insert", "PUT": "update", "PATCH": "update", "MERGE": "update", "DELETE": "delete"}
_OF_TABLES = re.compile(r"/Tables(\(.*\))?$")


class Calls(Counts):
    """Counts calls as they go out, repeats included; a batch is one, and so is each page of a query."""

    kinds = READS + WRITES + PUBLISHES

    def asked(self, request: Any) -> None:
        """Tables is asked something."""
        name = _named(request.method, urlsplit(request.url).path)
        self.note(name, len(request.body or b"") if name in WRITES else 0)


def _named(method: str, path: str) -> str:
    """What a request is."""
    if _OF_TABLES.search(path):
        return f"{method} of tables"
    if path.endswith("/$batch"):
        return "transaction"
    if method == "GET":
        return "query" if path.endswith("()") else "get"
    return _WRITES[method]


@contextmanager
def counting(calls: Calls) -> Iterator[None]:
    """All calls of this process are counted meanwhile, but those that receive and complete: the host does these."""
    ask, send = RequestsTransport.send, SendClient.send_message

    def asking(transport: Any, request: Any, **options: Any) -> Any:
        calls.asked(request)
        return ask(transport, request, **options)

    def sending(client: Any, *message: Any, **options: Any) -> None:
        calls.note("send")
        send(client, *message, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RequestsTransport, "send", asking)
        patch.setattr(SendClient, "send_message", sending)
        yield
