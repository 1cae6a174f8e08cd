"""A cold start's own part on Cloud Run: functions-framework, the entry of the real zip, and its clients made.

Whole processes of the Python that Cloud Run runs, to which nothing is importable but the zip and what Cloud Build
installs. They load the entry as functions-framework does, and gunicorn, which would serve it. The platform's part is
not in it, nor credentials, nor the first call to Google.
"""

from pathlib import Path

from tests.benchmarks.gcp_trees import Trees, make, sizes
from tests.benchmarks.measure import Scale, Table
from tests.benchmarks.starts import BARE, TRACES, Start, Starts, package

FRAMEWORK = "functions-framework"
CLIENTS, HIGH = "google-cloud's clients", "google-cloud's clients, the usual ones"
BOTH, USUAL = f"{FRAMEWORK} and clients", f"{FRAMEWORK} and the usual clients"
ORDERS, PAYMENTS = "Trefoil, orders", "Trefoil, payments"
LOADED = "Trefoil, payments, before the fork"
STARTS = (BARE, FRAMEWORK, CLIENTS, HIGH, BOTH, USUAL, LOADED, ORDERS, PAYMENTS)

_SETTINGS = {
    "FIRESTORE_EMULATOR_HOST": "127.0.0.1:1",
    "FUNCTION_SIGNATURE_TYPE": "http",
    "FUNCTION_TARGET": "receive",
    "GOOGLE_CLOUD_PROJECT": "project",
    "PUBSUB_EMULATOR_HOST": "127.0.0.1:1",
}
"""No credentials are sought, and nothing is asked: the clients' channels connect with their first call."""
_CLIENTS = """
import grpc
from google.cloud.firestore import Client
from google.pubsub_v1 import PublisherClient
Client(project="project", database="store")._firestore_api
channel = grpc.insecure_channel("127.0.0.1:1")
PublisherClient(transport=PublisherClient.get_transport_class("grpc")(channel=channel))
"""
_HIGH = """
from google.cloud import firestore, pubsub_v1
firestore.Client(project="project", database="store")._firestore_api
pubsub_v1.PublisherClient()
"""
_FRAMEWORK = """
import functions_framework, functions_framework._http.gunicorn
functions_framework.create_app(source={source!r})
"""
_MADE = """
gcp = sys.modules["main"]._function().gcp
gcp.clients.firestore, gcp.clients.publisher
"""
_NOTHING = 'def receive(request):\n    return "", 204\n'

NOTES = [
    "Clients: Firestore's and the publisher, made to their channels: google.pubsub_v1's, or the usual pubsub_v1's.",
    "functions-framework: its app around a function that does nothing, and gunicorn, imported.",
    f"{LOADED}: what gunicorn's master does before it listens. The rest is done when the first message comes.",
]


def measure(scale: Scale, folder: Path) -> list[Table]:
    """Install what Cloud Build would, and start interpreters in turn."""
    trees = make(folder)
    return [*compare(scale, folder, trees), sizes(trees)]


def compare(scale: Scale, folder: Path, trees: Trees) -> list[Table]:
    """The whole processes, and what they take over a bare interpreter."""
    nothing = folder / "nothing.py"
    nothing.write_text(_NOTHING)
    starts = _starts(trees, nothing)
    places = [trees.code, trees.installed]
    parts, dearest = starts.shares(PAYMENTS, BOTH, min(TRACES, scale.starts), lambda module: _part(module, places))
    notes = [
        *NOTES,
        f"Trefoil, payments by part, in ms of -X importtime: {parts}.",
        f"Its dearest modules of those that {BOTH} don't bring: {dearest}.",
    ]
    return starts.tables(scale, f"Start of a function on Cloud Run, Python {trees.version}", [BOTH, USUAL], notes)


def _starts(trees: Trees, nothing: Path) -> Starts:
    def start(code: str, service: str = "") -> Start:
        return Start(code, [trees.code, trees.installed], {**_SETTINGS, "TREFOIL_SERVICE": service})

    idle = _FRAMEWORK.format(source=str(nothing))
    entry = _FRAMEWORK.format(source=str(trees.code / "main.py"))
    programs = {
        BARE: start("pass"),
        FRAMEWORK: start(idle),
        CLIENTS: start(_CLIENTS),
        HIGH: start(_HIGH),
        BOTH: start(idle + _CLIENTS),
        USUAL: start(idle + _HIGH),
        LOADED: start(entry, "payments"),
        ORDERS: start(entry + _MADE, "orders"),
        PAYMENTS: start(entry + _MADE, "payments"),
    }
    return Starts(trees.interpreter, programs)


def _part(module: str, trees: list[Path]) -> str:
    """Google's packages are many below one name."""
    if module.startswith("google."):
        return ".".join(module.split(".")[: 3 if module.startswith("google.cloud.") else 2])
    return package(module, trees) or "Python's own"
