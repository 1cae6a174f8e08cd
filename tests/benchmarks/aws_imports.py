"""A cold start's own part: the Lambda entry imported and its clients made, out of the real zip.

Whole processes of the Python that Lambda runs, to which nothing but the zip is importable. What Lambda does before is
not in it, nor the first call to AWS.
"""

import os
import subprocess
from collections import Counter
from functools import partial
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from statistics import median

from msgspec import Struct

from tests.benchmarks.aws_zips import POWERTOOLS, TREFOIL, Zips, make, sizes
from tests.benchmarks.imports import own_times
from tests.benchmarks.measure import MILLISECONDS, Case, Row, Scale, Table, interleave

BARE, BOTOCORE, BOTO = "bare interpreter", "botocore", "boto3"
ORDERS, PAYMENTS, PEER = "Trefoil, orders", "Trefoil, payments", "powertools"
TRACES = 5
DEAREST = 5

_ENTRY = "functions.aws.handler"
_SETTINGS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_REGION": "eu-west-1",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_LAMBDA_FUNCTION_NAME": "function",
}
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


class Start(Struct, frozen=True):
    """A program, the zip that it runs in, and the service that it is for."""

    code: str
    zip: str = TREFOIL
    service: str = ""


STARTS = {
    BARE: Start("pass"),
    BOTOCORE: Start(_BOTOCORE),
    BOTO: Start(_BOTO),
    ORDERS: Start(f"import {_ENTRY}", service="orders"),
    PAYMENTS: Start(f"import {_ENTRY}", service="payments"),
    PEER: Start(_PEER, POWERTOOLS),
}

NOTES = [
    "botocore, boto3: imported, and the same two clients made (DynamoDB, SNS).",
    "powertools: logger, metrics, batch, parser (pydantic) and idempotency (DynamoDB), with boto3.",
    "Trefoil's entry makes the clients by botocore; payments also imports its provider, tenacity and pybreaker.",
]


def measure(scale: Scale, folder: Path) -> list[Table]:
    """Start interpreters in turn; the bare one is subtracted within each round."""
    zips = make(folder)
    rows = interleave([Case(name, partial(_timed, zips, start)) for name, start in STARTS.items()], scale.starts)
    bare = rows[0]
    added = [Row(row.name, [a - b for a, b in zip(row.samples, bare.samples, strict=True)]) for row in rows[1:]]
    parts, dearest = _shares(zips, min(TRACES, scale.starts))
    notes = [
        *NOTES,
        f"Trefoil's entry for payments by part, in ms of -X importtime: {parts}.",
        f"Its dearest modules of those that botocore does not bring: {dearest}.",
    ]
    title = f"Start of a function out of its zip, Python {zips.version}"
    return [
        Table(title=f"{title}, the whole process", unit="ms of CPU", rows=rows),
        Table(
            title=f"{title}, over a bare interpreter", unit="ms of CPU", rows=added, against=[BOTO, PEER], notes=notes
        ),
        sizes(zips),
    ]


def _python(zips: Zips, start: Start, *options: str) -> subprocess.CompletedProcess[str]:
    """Nothing but the zip is importable, and no credentials are sought anywhere."""
    begin = f"import sys; sys.path.insert(0, {str(zips.made[start.zip].tree)!r})\n"
    settings = {**_SETTINGS, "PATH": os.environ["PATH"], "TREFOIL_SERVICE": start.service}
    command = [zips.interpreter, "-I", "-S", "-B", *options, "-c", begin + start.code]
    return subprocess.run(command, env=settings, capture_output=True, text=True, check=True)


def _timed(zips: Zips, start: Start) -> float:
    """CPU time, the system's included: a start waits for nothing, and other programs' share of the machine is out."""
    before = getrusage(RUSAGE_CHILDREN)
    _python(zips, start)
    after = getrusage(RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * MILLISECONDS


def _shares(zips: Zips, traces: int) -> tuple[str, str]:
    """The medians of several traces: by part, and the modules that Trefoil adds to botocore."""
    found = [_trace(zips, STARTS[PAYMENTS]) for _ in range(traces)]
    own = {name: median(each.get(name, 0) for each in found) / 1000 for name in found[0]}
    parts: Counter[str] = Counter()
    for name, milliseconds in own.items():
        parts[_part(name, zips.made[TREFOIL].tree)] += milliseconds
    botocore = _trace(zips, STARTS[BOTOCORE])
    ours = Counter({name: own[name] for name in own if name not in botocore and name != _ENTRY})
    return _list(parts.most_common()), _list(ours.most_common(DEAREST))


def _part(module: str, tree: Path) -> str:
    if module == _ENTRY:
        return "making clients and receiver"
    package = module.partition(".")[0]
    brought = (tree / package).exists() or (tree / f"{package}.py").exists()
    return package if brought else "Python's own"


def _trace(zips: Zips, start: Start) -> dict[str, int]:
    return own_times(_python(zips, start, "-X", "importtime").stderr)


def _list(milliseconds: list[tuple[str, float]]) -> str:
    return ", ".join(f"{name} {value:.1f}" for name, value in milliseconds if value >= 0.05)
