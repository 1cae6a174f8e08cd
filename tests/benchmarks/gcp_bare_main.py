"""The bare loop's calls as a function on Cloud Run: what `functions/gcp/main.py` is measured against by push."""

import os
from base64 import b64decode
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING

import functions_framework

from infra.gcp.wiring import function
from tests.benchmarks.gcp_bare import Bare

if TYPE_CHECKING:
    from flask import Request

_making = Lock()


@cache
def _bare() -> Bare:
    return Bare(function())


@functions_framework.http
def receive(request: "Request") -> tuple[str, int]:
    """A service's subscription pushes a message."""
    with _making:
        made = _bare()
    if made.handle(os.environ["TREFOIL_SERVICE"], b64decode(request.get_json()["message"]["data"])):
        os.write(1, b'{"outcome":"Done"}\n')  # who measures counts these
    return "", 204


@functions_framework.http
def tick(_: "Request") -> tuple[str, int]:
    """Nothing is rung for."""
    return "", 204
