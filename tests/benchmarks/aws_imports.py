"""A cold start's own part: the Lambda entry imported and its clients made, out of the real zip.

Whole processes of the Python that Lambda runs, to which nothing but the zip is importable. What Lambda does before is
not in it, nor the first call to AWS.
"""

from pathlib import Path

from tests.benchmarks.aws_zips import POWERTOOLS, TREFOIL, Zips, make, sizes
from tests.benchmarks.measure import Scale, Table
from tests.benchmarks.starts import BARE, TRACES, Start, Starts, package

BOTOCORE, BOTO = "botocore", "boto3"
ORDERS, PAYMENTS, PEER = "Trefoil, orders", "Trefoil, payments", "powertools"
STARTS = (BARE, BOTOCORE, BOTO, ORDERS, PAYMENTS, PEER)

_ENTRY = "functions.aws.handler"
_SETTINGS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_REGION": "eu-west-1",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_LAMBDA_FUNCTION_NAME": "function",
}
"""No credentials are sought anywhere."""
_BOTOCORE = """
import botocore.session
create = botocore.session.get_session().create_client
create("dynamodb"), create("sns")
"""
_BOTO = """
import boto3
boto3.client("dynamodb"), boto3.client("sns")
"""
_PEER = """
from functions.aws.handler import Payments
Payments("states", "ids", "arn:aws:sns:eu-west-1:123456789012:topic")
"""

NOTES = [
    "botocore, boto3: imported, and the same two clients made (DynamoDB, SNS).",
    "powertools: logger, metrics, batch, parser (pydantic) and idempotency (DynamoDB), with boto3.",
    "Trefoil's entry makes the clients by botocore; payments also imports its provider, tenacity and pybreaker.",
]


def measure(scale: Scale, folder: Path) -> list[Table]:
    """Start interpreters in turn."""
    zips = make(folder)
    starts = _starts(zips)
    tree = zips.made[TREFOIL].tree
    parts, dearest = starts.shares(PAYMENTS, BOTOCORE, min(TRACES, scale.starts), lambda module: _part(module, tree))
    notes = [
        *NOTES,
        f"Trefoil's entry for payments by part, in ms of -X importtime: {parts}.",
        f"Its dearest modules of those that botocore does not bring: {dearest}.",
    ]
    title = f"Start of a function out of its zip, Python {zips.version}"
    return [*starts.tables(scale, title, [BOTO, PEER], notes), sizes(zips)]


def _starts(zips: Zips) -> Starts:
    def start(code: str, packed: str = TREFOIL, service: str = "") -> Start:
        return Start(code, [zips.made[packed].tree], {**_SETTINGS, "TREFOIL_SERVICE": service})

    programs = {
        BARE: start("pass"),
        BOTOCORE: start(_BOTOCORE),
        BOTO: start(_BOTO),
        ORDERS: start(f"import {_ENTRY}", service="orders"),
        PAYMENTS: start(f"import {_ENTRY}", service="payments"),
        PEER: start(_PEER, POWERTOOLS),
    }
    return Starts(zips.interpreter, programs)


def _part(module: str, tree: Path) -> str:
    return "making clients and receiver" if module == _ENTRY else package(module, [tree]) or "Python's own"
