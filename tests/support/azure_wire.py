"""Messages as Azure's libraries hand them over, made of what a file says; and what becomes of them.

As a program, in an environment without the test tools, it tells what a trigger's files become there:
`python -m tests.support.azure_wire FILE…`
"""

import json
import sys
from base64 import b64decode
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import azure.functions.servicebus
from azure.functions import meta
from azure.servicebus import ServiceBusMessage, ServiceBusReceivedMessage
from azure.servicebus._pyamqp._encode import encode_payload
from azure.servicebus._pyamqp.message import Header, Message, Properties
from azure.servicebus._pyamqp.types import TYPE, VALUE, AMQPTypes
from azure.servicebus._transport._pyamqp_transport import PyamqpTransport

from infra.azure.records import triggered

Payload = Mapping[str, Any]

_PLACES = {"collection_bytes": "bytes", "collection_string": "string", "collection_sint64": "sint64"}


def bytes_of(message: ServiceBusMessage) -> bytes:
    """A message as the SDK sends it."""
    outgoing = PyamqpTransport.to_outgoing_amqp_message(message.raw_amqp_message)
    return bytes(encode_payload(bytearray(), outgoing))


def received(  # noqa: PLR0913 - AMQP has as many sections
    *,
    data: Iterable[bytes] | None = None,
    value: Any = None,
    sequence: list[Any] | None = None,
    application_properties: Mapping[Any, Any] | None = None,
    sequence_number: int | None = None,
    enqueued: float | None = None,
    delivery_count: int | None = None,
    **properties: Any,
) -> ServiceBusReceivedMessage:
    """A message as the SDK decodes it, of AMQP's sections."""
    marks = {b"x-opt-sequence-number": (AMQPTypes.long, sequence_number)}
    marks[b"x-opt-enqueued-time"] = (AMQPTypes.timestamp, None if enqueued is None else int(enqueued * 1000))
    message = Message(
        header=None if delivery_count is None else Header(delivery_count=delivery_count),
        message_annotations={name: {TYPE: kind, VALUE: its} for name, (kind, its) in marks.items() if its is not None},
        properties=Properties(**properties) if properties else None,
        application_properties=dict(application_properties) if application_properties else None,
        data=None if data is None else list(data),
        value=value,
        sequence=sequence,
    )
    return ServiceBusReceivedMessage.from_bytes(bytes(encode_payload(bytearray(), message)))


def from_file(payload: Payload) -> ServiceBusReceivedMessage:
    """A message that was received, of a file: AMQP's bytes, or its sections."""
    if "amqp" in payload:
        return ServiceBusReceivedMessage.from_bytes(b64decode(payload["amqp"]))
    sections = {name: _body(its) for name, its in payload["sections"].items() if name != "application_properties"}
    properties = payload["sections"].get("application_properties", [])
    return received(application_properties={_body(n): _property(k, its) for n, k, its in properties}, **sections)


def _body(written: Any) -> Any:
    """A value of a file; bytes are written in base64."""
    match written:
        case {"base64": text}:
            return b64decode(text)
        case list():
            return [_body(each) for each in written]
        case _:
            return written


def _property(kind: str, written: Any) -> Any:
    """A property of one of AMQP's kinds."""
    value = _body(written)
    match kind:
        case "uuid":
            value = UUID(value)
        case "timestamp":
            value = datetime.fromisoformat(value).astimezone(UTC)
    return {TYPE: getattr(AMQPTypes, kind), VALUE: value}


def trigger(payload: Payload) -> list[Any]:
    """A trigger's messages, as azure.functions makes them of what the worker decoded."""
    metadata = {name: _datum(kind, its) for name, each in payload["metadata"].items() for kind, its in each.items()}
    ((kind, its),) = payload["data"].items()
    converter = azure.functions.servicebus.ServiceBusMessageInConverter
    return converter.decode(_datum(kind, its), trigger_metadata=metadata)


def _datum(kind: str, written: Any) -> meta.Datum:
    if kind in _PLACES:
        return meta.Datum(SimpleNamespace(**{_PLACES[kind]: _body(written)}), kind)
    return meta.Datum(json.dumps(written) if kind == "json" else written, kind)


def seen(payload: Payload, service: str = "orders") -> list[dict[str, Any]]:
    """All that is known of a trigger's messages."""
    return _seen(trigger(payload), service)


def seen_by_the_runtime(payload: Payload, service: str = "orders") -> list[dict[str, Any]]:
    """The same, decoded by azure-functions-runtime, which is the worker from Python 3.13 on."""
    from azure_functions_runtime.bindings import meta as runtime  # noqa: PLC0415 - in that environment only

    from infra.emulators.azurefunctions import rpc  # noqa: PLC0415 - what it is given in production has this shape

    def typed(kind: str, written: Any) -> rpc.TypedData:
        of = {"collection_bytes": rpc.CollectionBytes, "collection_string": rpc.CollectionString}
        of["collection_sint64"] = rpc.CollectionSInt64
        value = of[kind](_body(written)) if kind in of else json.dumps(written) if kind == "json" else written
        return rpc.TypedData(**{kind: value})

    runtime.load_binding_registry()
    ((kind, its),) = payload["data"].items()
    messages = runtime.from_incoming_proto(
        "serviceBusTrigger",
        rpc.ParameterBinding("messages", typed(kind, its)),
        pytype=None,
        trigger_metadata={name: typed(*next(iter(each.items()))) for name, each in payload["metadata"].items()},
        function_name=service,
    )
    return _seen(messages, service)


def _seen(messages: list[Any], service: str) -> list[dict[str, Any]]:
    return [
        {
            "body": delivery.body.hex(),
            "attempts": delivery.attempts,
            "addressed": delivery.addressed,
            "attributes": delivery.attributes,
            "receipt": repr(delivery.receipt),
        }
        for delivery in triggered(messages, service)
    ]


if __name__ == "__main__":
    found = {path: seen_by_the_runtime(json.loads(Path(path).read_text())) for path in sys.argv[1:]}
    sys.stdout.write(json.dumps({"version": azure.functions.__version__, "seen": found}))
