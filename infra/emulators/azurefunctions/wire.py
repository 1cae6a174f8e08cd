"""How host and worker talk: structs over a pair of sockets, each behind its length."""

from asyncio import IncompleteReadError, StreamReader, StreamWriter
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from infra.emulators.azurefunctions.rpc import RpcFunctionMetadata, StatusResult

_LENGTH = 4

_encoder = msgspec.msgpack.Encoder()

Message = TypeVar("Message", bound=Struct)


class Indexed(Struct, frozen=True):
    """A worker's first word: what it found in the app, and what it can do."""

    result: StatusResult
    functions: list[RpcFunctionMetadata]
    capabilities: dict[str, str]


async def read(reader: StreamReader, type_: type[Message]) -> Message | None:
    """The next message; None when the other side is gone."""
    try:
        length = int.from_bytes(await reader.readexactly(_LENGTH))
        return msgspec.msgpack.decode(await reader.readexactly(length), type=type_)
    except (IncompleteReadError, OSError):
        return None


def write(writer: StreamWriter, message: Any) -> None:
    """Send a message."""
    encoded = _encoder.encode(message)
    writer.write(len(encoded).to_bytes(_LENGTH) + encoded)
