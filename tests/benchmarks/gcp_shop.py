"""The shop's real functions on Google Cloud, in this process: everything on, instant providers, one log line each."""

import json
import random
from base64 import b64encode
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from functions.gcp.main import Function
from infra.gcp.channels import PubsubChannels, Settlement
from shared.kernel.outcome import Defer
from shared.kernel.ports import Delivery
from shared.kernel.receiver import Receiver
from shared.kernel.service import Service
from shared.kernel.telemetry import Telemetry
from tests.benchmarks.gcp_loop import Loop
from tests.benchmarks.measure import check
from tests.benchmarks.providers import PROVIDERS
from tests.support.gcp import Pulled


class Noted(PubsubChannels):
    """Counts what is put aside, for it comes once more."""

    deferred = 0

    def carry_out(self, service: str, settlements: Sequence[Settlement]) -> list[Delivery]:
        self.deferred += sum(isinstance(outcome, Defer) for _, outcome in settlements)
        return super().carry_out(service, settlements)


class Deployment(Pulled):
    """A deployment that is pulled from, whose providers answer at once."""

    def __init__(self, *its: Any) -> None:
        super().__init__(*its)
        self.channels = Noted(self.topics, self.subscriptions, self.names, self.timers, self.clock)

    def receiver(self, service: Service, telemetry: Telemetry) -> Receiver:
        return Receiver(
            service,
            store=self.store,
            bus=self.bus,
            timers=self.timers,
            clock=self.clock,
            random=random.random,
            telemetry=telemetry,
            provider=PROVIDERS.get(service.name),
            run=self.run,
        )


class Request:
    """As much of a request as the function asks for."""

    method = "POST"

    def __init__(self, push: dict[str, Any]) -> None:
        self.headers = {"Content-Type": "application/json"}
        self._body = json.dumps(push).encode()

    def get_data(self) -> bytes:
        return self._body


def pushed(body: bytes, attributes: dict[str, str], id_: str = "1", attempt: int = 1) -> dict[str, Any]:
    """A push, as Pub/Sub makes it."""
    message = {
        "data": b64encode(body).decode(),
        "attributes": attributes,
        "messageId": id_,
        "publishTime": "2026-11-20T12:00:00Z",
    }
    return {"message": message, "subscription": "projects/p/subscriptions/s", "deliveryAttempt": attempt}


class Functions(Loop):
    """Hands each message to the function of its service, as a push."""

    def __init__(self, gcp: Deployment, batch: int) -> None:
        super().__init__(gcp, batch)
        self._channels = gcp.channels
        self._functions = {service: Function(service, gcp) for service in self.services}

    def handle(self, service: str, message: Any) -> None:
        push = pushed(message.data, dict(message.attributes), message.message_id)
        answer = self._functions[service].handle(Request(push))
        check(f"the answer of {service}", answer, HTTPStatus.NO_CONTENT)

    @property
    def put_aside(self) -> int:
        return self._channels.deferred
