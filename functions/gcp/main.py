"""The Google Cloud entry points: `receive` for the pushes of a service's subscription, `tick` for timers.

TREFOIL_SERVICE names the service. An instance serves many requests at once, in threads; what they share is made when
the first one comes, because functions-framework loads this module before gunicorn forks its workers. Who may call it is
the platform's business: only identities with the role of an invoker reach it.
"""

import os
from functools import cache
from http import HTTPStatus
from threading import Lock
from typing import TYPE_CHECKING

import functions_framework

# What the clients take is imported here: no first message waits for it, nor does that of a worker that replaces one.
import google.cloud.firestore
import google.pubsub_v1  # noqa: F401

from functions.gcp.telemetry import CloudLogging
from functions.gcp.turns import Turns
from infra.gcp.records import delivery
from infra.gcp.wiring import Gcp, function
from shared.catalog import CATALOG
from shared.kernel.errors import ConfigurationError
from shared.kernel.outcome import Outcome, Retry
from shared.kernel.timers import tick_until
from shared.kernel.topology_limits import SETTLE_SECONDS, function_timeout
from shared.notifications.model import Mailer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flask import Request

    from shared.kernel.ports import Delivery

Answer = tuple[str, int]

STANDARD_OUTPUT = 1

TICK_SECONDS = 55
"""A tick ends before the next one begins."""


class Function:
    """One service's function: what an instance keeps between requests."""

    def __init__(self, service: str | None, gcp: Gcp) -> None:
        if not service:
            raise ConfigurationError("TREFOIL_SERVICE is not set; set it to the service that this function is for")
        definition = CATALOG.service(service)
        self.name = service
        self.gcp = gcp
        # Not sys.stdout: with LOG_EXECUTION_ID, which Google sets, a request finds one there that takes no bytes.
        self.telemetry = CloudLogging(os.fdopen(STANDARD_OUTPUT, "wb", closefd=False))
        if definition.provider is Mailer and not os.environ.get("TREFOIL_SMTP_URL"):
            self.telemetry.warn("mails stay in this instance's memory and are gone with it: set TREFOIL_SMTP_URL")
        self.receiver = gcp.receiver(definition, self.telemetry)
        self._turns = Turns(definition)
        self._seconds = function_timeout(definition.limits) - SETTLE_SECONDS

    def handle(self, request: "Request") -> HTTPStatus:
        """Handle the message in a request; say how Pub/Sub is to settle it.

        204: it is done, or in the dead letters, or put aside. 503: redeliver it, a try was used. 429: redeliver it, for
        it could neither be handled yet nor put aside.
        """
        answer = HTTPStatus.NO_CONTENT

        def settle(settlements: "Sequence[tuple[Delivery, Outcome]]") -> None:
            nonlocal answer
            if self.gcp.channels.carry_out(self.name, settlements):
                retried = any(isinstance(outcome, Retry) for _, outcome in settlements)
                answer = HTTPStatus.SERVICE_UNAVAILABLE if retried else HTTPStatus.TOO_MANY_REQUESTS

        headers = {name.lower(): value for name, value in request.headers.items()}
        found = delivery(request.get_data(), headers, self.name)
        deadline = self.gcp.clock.now() + self._seconds
        with self._turns.turn(found, self._seconds):
            self.receiver.receive([found], settle, deadline)
        return answer


_making = Lock()


@cache
def _gcp() -> Gcp:
    return function()


@cache
def _function() -> Function:
    return Function(os.environ.get("TREFOIL_SERVICE"), _gcp())


@functions_framework.http
def receive(request: "Request") -> Answer:
    """A service's subscription pushes a message."""
    if request.method != "POST":
        return "messages are pushed here, by POST\n", HTTPStatus.METHOD_NOT_ALLOWED
    with _making:
        made = _function()
    return "", made.handle(request)


@functions_framework.http
def tick(_: "Request") -> Answer:
    """The schedule rings: publish every timer that is due, and what was put aside, each to its service."""
    with _making:
        gcp = _gcp()
    end = gcp.clock.now() + TICK_SECONDS - SETTLE_SECONDS
    published = tick_until(end, gcp.timers, gcp.bus, gcp.clock)
    return f'{{"published": {published}}}\n', HTTPStatus.OK
