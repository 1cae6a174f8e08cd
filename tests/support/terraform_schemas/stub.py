"""A provider that knows its schema and nothing else: Terraform can validate and test a stack with it, never apply one.

It speaks plugin protocol 5 (Terraform, `docs/plugin-protocol/tfplugin5.proto`), of which this takes little: the schema,
which is encoded here by hand, and empty answers. TF_REATTACH_PROVIDERS tells Terraform where it listens, in this very
process, so that Terraform looks for no provider anywhere else.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc

_NESTINGS = ("invalid", "single", "list", "set", "map", "group")

_UNOPPOSED = ("ValidateResourceTypeConfig", "ValidateDataSourceConfig", "Configure")
"""Calls whose empty answer means that there is no complaint."""


@contextmanager
def serving(path: Path) -> Iterator[dict[str, str]]:
    """Serve the one provider of a schema file; yields the environment that leads Terraform to it."""
    ((source, schemas),) = json.loads(path.read_text())["provider_schemas"].items()
    schema = _schema_answer(schemas)
    answers: dict[str, Callable[[bytes], bytes]] = {
        "GetSchema": lambda _: schema,
        "PrepareProviderConfig": lambda request: request,  # the one and the other are a configuration
        **dict.fromkeys(_UNOPPOSED, lambda _: b""),
    }
    with ThreadPoolExecutor(2) as workers:
        server = grpc.server(workers, [grpc.method_handlers_generic_handler("tfplugin5.Provider", _handlers(answers))])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield {"TF_REATTACH_PROVIDERS": json.dumps({source: _reattach(port)})}
        finally:
            server.stop(grace=None).wait()


def _handlers(answers: Mapping[str, Callable[[bytes], bytes]]) -> dict[str, Any]:
    def handler(answer: Callable[[bytes], bytes]) -> Any:
        return grpc.unary_unary_rpc_method_handler(lambda request, _: answer(request))

    return {name: handler(answer) for name, answer in answers.items()}


def _reattach(port: int) -> dict[str, Any]:
    address = {"Network": "tcp", "String": f"127.0.0.1:{port}"}
    return {"Protocol": "grpc", "ProtocolVersion": 5, "Pid": os.getpid(), "Test": True, "Addr": address}


def _schema_answer(schemas: Mapping[str, Any]) -> bytes:
    """GetProviderSchema.Response."""
    parts = [_message(1, _schema(schemas["provider"]))]
    for number, kind in ((2, "resource_schemas"), (3, "data_source_schemas")):
        for name, schema in schemas.get(kind, {}).items():
            parts.append(_message(number, _text(1, name) + _message(2, _schema(schema))))
    return b"".join(parts)


def _schema(schema: Mapping[str, Any]) -> bytes:
    return _number(1, schema["version"]) + _message(2, _block(schema["block"]))


def _block(block: Mapping[str, Any]) -> bytes:
    attributes = (_message(2, _attribute(*each)) for each in block.get("attributes", {}).items())
    blocks = (_message(3, _nested(*each)) for each in block.get("block_types", {}).items())
    return b"".join([*attributes, *blocks])


def _attribute(name: str, told: Mapping[str, Any]) -> bytes:
    flags = enumerate(("required", "optional", "computed", "sensitive"), start=4)
    described = _text(1, name) + _text(2, json.dumps(told["type"]))
    return described + b"".join(_number(number, told.get(flag, False)) for number, flag in flags)


def _nested(name: str, told: Mapping[str, Any]) -> bytes:
    nesting = _NESTINGS.index(told["nesting_mode"])
    bounds = _number(4, told.get("min_items", 0)) + _number(5, told.get("max_items", 0))
    return _text(1, name) + _message(2, _block(told["block"])) + _number(3, nesting) + bounds


def _text(number: int, value: str) -> bytes:
    return _message(number, value.encode())


def _message(number: int, value: bytes) -> bytes:
    """A field of a known length: a text, bytes or a message."""
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; the eighth says that there are more (Protocol Buffers, "Encoding")."""
    more, low = divmod(value, 0x80)
    return bytes([low | 0x80]) + _varint(more) if more else bytes([low])
