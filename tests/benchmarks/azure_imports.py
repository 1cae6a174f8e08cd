"""A cold start's own part on Azure Functions: the entry of the real zip read and its clients made.

Whole processes of the Python that Azure runs, to which nothing is importable but the zip. They read the entry as the
worker does. What the host and the worker do before is not in it, nor tokens, nor the first call to Azure.
"""

from pathlib import Path

from infra.azure.clients import BUS, BUS_HOST, TABLES, TABLES_HOST
from infra.emulators.azure import ACCOUNT, KEY
from tests.benchmarks.azure_zips import PACKAGES, Zip, make, sizes
from tests.benchmarks.measure import Scale, Table
from tests.benchmarks.starts import BARE, TRACES, Start, Starts, package

FUNCTIONS = "azure-functions"
CLIENTS, WITH_IDENTITY = "Azure's clients", "Azure's clients and azure-identity"
BOTH = f"{FUNCTIONS}, clients and azure-identity"
LOADED = "Trefoil, before its first message"
ORDERS, PAYMENTS = "Trefoil, orders", "Trefoil, payments"
BY_KEY = f"{PAYMENTS}, by connection strings"
STARTS = (BARE, FUNCTIONS, CLIENTS, WITH_IDENTITY, BOTH, LOADED, ORDERS, PAYMENTS, BY_KEY)

_BUS = "Endpoint=sb://127.0.0.1:1;SharedAccessKeyName=all;SharedAccessKey=a2V5;UseDevelopmentEmulator=true"
_TABLES = f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};TableEndpoint=http://127.0.0.1:1/a"
_KEYS = {BUS: _BUS, TABLES: _TABLES}
_IDENTITY = {BUS_HOST: "bus.servicebus.windows.net", TABLES_HOST: "https://account.table.core.windows.net"}
"""Nothing is asked: a client connects with its first call."""

_FUNCTIONS = """
import typing
import azure.functions as func
app = func.FunctionApp()
@app.function_name("payments")
@app.service_bus_queue_trigger(arg_name="messages", queue_name="queue", connection="BUS", cardinality="many")
def payments(messages: typing.List[func.ServiceBusMessage]) -> None: pass
app.get_functions()
"""
_CLIENTS = f"""
from azure.data.tables import TableServiceClient
from azure.servicebus import ServiceBusClient
ServiceBusClient.from_connection_string({_BUS!r}).get_topic_sender("topic")
TableServiceClient.from_connection_string({_TABLES!r}).get_table_client("commits")
"""
_WITH_IDENTITY = f"""
from azure.data.tables import TableServiceClient
from azure.identity import DefaultAzureCredential
from azure.servicebus import ServiceBusClient
ServiceBusClient({_IDENTITY[BUS_HOST]!r}, DefaultAzureCredential()).get_topic_sender("topic")
TableServiceClient({_IDENTITY[TABLES_HOST]!r}, credential=DefaultAzureCredential()).get_table_client("commits")
"""
_LOADED = """
import function_app
function_app.app.get_functions()
"""
_MADE = """
azure = function_app._function({service!r}).azure
azure.clients.topic_sender(azure.names.topic), azure.clients.table(azure.names.commits)
"""

NOTES = [
    "azure-functions: one function with a trigger, as the worker reads it.",
    "Clients: a sender to a topic and a table, made; with azure-identity, for a DefaultAzureCredential, as Trefoil's.",
    f"{LOADED}: the worker has read the entry. The rest is done when the first message comes.",
]


def measure(scale: Scale, folder: Path) -> list[Table]:
    """Build the zip and start interpreters in turn."""
    made = make(folder)
    return [*compare(scale, made), sizes(made)]


def compare(scale: Scale, made: Zip) -> list[Table]:
    """The whole processes, and what they take over a bare interpreter."""
    starts = _starts(made)
    places = [made.tree, made.tree / PACKAGES]
    parts, dearest = starts.shares(PAYMENTS, BOTH, min(TRACES, scale.starts), lambda module: _part(module, places))
    notes = [
        *NOTES,
        f"Trefoil, payments by part, in ms of -X importtime: {parts}.",
        f"Its dearest modules of those that {BOTH} don't bring: {dearest}.",
    ]
    return starts.tables(scale, f"Start of a function on Azure, Python {made.version}", [BOTH], notes)


def _starts(made: Zip) -> Starts:
    def start(code: str, settings: dict[str, str] = _IDENTITY) -> Start:
        return Start(code, [made.tree, made.tree / PACKAGES], settings)

    programs = {
        BARE: start("pass"),
        FUNCTIONS: start(_FUNCTIONS),
        CLIENTS: start(_CLIENTS),
        WITH_IDENTITY: start(_WITH_IDENTITY),
        BOTH: start(_FUNCTIONS + _WITH_IDENTITY),
        LOADED: start(_LOADED),
        ORDERS: start(_LOADED + _MADE.format(service="orders")),
        PAYMENTS: start(_LOADED + _MADE.format(service="payments")),
        BY_KEY: start(_LOADED + _MADE.format(service="payments"), _KEYS),
    }
    return Starts(made.interpreter, programs)


def _part(module: str, places: list[Path]) -> str:
    """Azure's packages are many below one name."""
    if module.startswith("azure."):
        return ".".join(module.split(".")[: 3 if module.startswith("azure.data.") else 2])
    return package(module, places) or "Python's own"
