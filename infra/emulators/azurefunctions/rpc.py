"""Stands in for the protobuf classes of FunctionRpc.proto, as far as the worker library and this host use them.

The library is given its protobuf module by whoever runs it: it makes and reads plain objects, and nothing of it depends
on how they are encoded. So these are structs with protobuf's names and defaults. How they travel is ours, too: Azure's
host speaks gRPC.
"""

import builtins
from datetime import timedelta
from typing import Any, ClassVar

from msgspec import Struct


class CollectionString(Struct, frozen=True):
    """Texts."""

    string: list[str]


class CollectionBytes(Struct, frozen=True):
    """Bodies."""

    bytes: list[builtins.bytes]


class CollectionSInt64(Struct, frozen=True):
    """Whole numbers."""

    sint64: list[int]


class CollectionDouble(Struct, frozen=True):
    """Numbers."""

    double: list[float]


class TypedData(Struct, frozen=True, omit_defaults=True):
    """A value of exactly one kind; none of them, and it is null."""

    string: str | None = None
    json: str | None = None
    bytes: builtins.bytes | None = None
    int: builtins.int | None = None
    double: float | None = None
    collection_bytes: CollectionBytes | None = None
    collection_string: CollectionString | None = None
    collection_double: CollectionDouble | None = None
    collection_sint64: CollectionSInt64 | None = None

    def WhichOneof(self, _oneof: str) -> str | None:  # noqa: N802 - protobuf's name
        """The kind that is set."""
        return next((name for name in self.__struct_fields__ if getattr(self, name) is not None), None)


class ParameterBinding(Struct, frozen=True, omit_defaults=True):
    """What a parameter is given."""

    name: str
    data: TypedData | None = None

    def WhichOneof(self, _oneof: str) -> str | None:  # noqa: N802 - protobuf's name
        """Shared memory is the other kind; there is none here."""
        return None if self.data is None else "data"


class RpcException(Struct, frozen=True):
    """What a function raised."""

    message: str = ""
    stack_trace: str = ""
    source: str = ""


class StatusResult(Struct, frozen=True, omit_defaults=True):
    """How a request ended."""

    Failure: ClassVar[int] = 0
    Success: ClassVar[int] = 1
    Cancelled: ClassVar[int] = 2

    status: int = 0
    exception: RpcException | None = None


class BindingInfo(Struct, frozen=True, omit_defaults=True):
    """A binding, as the library describes it beside its raw form."""

    inn: ClassVar[int] = 0
    out: ClassVar[int] = 1
    inout: ClassVar[int] = 2
    undefined: ClassVar[int] = 0
    string: ClassVar[int] = 1
    binary: ClassVar[int] = 2
    stream: ClassVar[int] = 3

    type: str = ""
    data_type: Any = None
    direction: int = 0


class RpcRetryOptions(Struct, frozen=True, omit_defaults=True):
    """`@app.retry` of a function."""

    max_retry_count: int = 0
    retry_strategy: Any = None
    delay_interval: timedelta | None = None
    minimum_interval: timedelta | None = None
    maximum_interval: timedelta | None = None


class RpcFunctionMetadata(Struct, frozen=True, omit_defaults=True):
    """A function that was found in an app."""

    name: str
    function_id: str
    raw_bindings: list[str]
    bindings: dict[str, BindingInfo] = {}
    retry_options: RpcRetryOptions | None = None
    managed_dependency_enabled: bool = False
    directory: str = ""
    script_file: str | None = None
    entry_point: str = ""
    is_proxy: bool = False
    language: str = ""
    properties: dict[str, str] = {}


class WorkerMetadata(Struct, frozen=True, omit_defaults=True):
    """Which worker it is."""

    runtime_name: str = ""
    runtime_version: str = ""
    worker_version: str = ""
    worker_bitness: str = ""
    custom_properties: dict[str, str] = {}


class WorkerInitRequest(Struct, frozen=True):
    """The host's first word."""

    host_version: str
    function_app_directory: str
    capabilities: dict[str, str] = {}


class WorkerInitResponse(Struct, frozen=True):
    """The worker's."""

    capabilities: dict[str, str]
    worker_metadata: WorkerMetadata
    result: StatusResult


class FunctionMetadataResponse(Struct, frozen=True):
    """The app's functions; None when it has no `function_app.py`."""

    use_default_metadata_indexing: bool
    function_metadata_results: list[RpcFunctionMetadata] | None
    result: StatusResult


class FunctionLoadRequest(Struct, frozen=True):
    """Asks for a function to be made ready."""

    function_id: str
    metadata: RpcFunctionMetadata


class FunctionLoadResponse(Struct, frozen=True):
    """Whether it is."""

    function_id: str
    result: StatusResult


class RpcTraceContext(Struct, frozen=True, omit_defaults=True):
    """W3C's trace context."""

    trace_parent: str = ""
    trace_state: str = ""
    attributes: dict[str, str] = {}


class RetryContext(Struct, frozen=True, omit_defaults=True):
    """The host's own repetitions of a call; there are none."""

    retry_count: int = 0
    max_retry_count: int = 0
    exception: RpcException | None = None


class InvocationRequest(Struct, frozen=True, omit_defaults=True):
    """Calls a function."""

    invocation_id: str
    function_id: str
    input_data: list[ParameterBinding]
    trigger_metadata: dict[str, TypedData] = {}
    trace_context: RpcTraceContext = RpcTraceContext()
    retry_context: RetryContext = RetryContext()


class InvocationResponse(Struct, frozen=True, omit_defaults=True):
    """What came of it."""

    invocation_id: str
    result: StatusResult
    return_value: TypedData | None = None
    output_data: list[ParameterBinding] = []


class StreamingMessage(Struct, frozen=True):
    """The envelope of every request; one of these is set."""

    worker_init_request: WorkerInitRequest | None = None
    function_load_request: FunctionLoadRequest | None = None
    invocation_request: InvocationRequest | None = None
