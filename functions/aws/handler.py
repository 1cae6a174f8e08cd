"""The AWS entry points: `handler` for a service's channel (or SNS itself), `tick` for timers.

TREFOIL_SERVICE names the service. Whatever does not depend on an event is made at import, in the phase of a cold start
that has a whole CPU and that SnapStart keeps.
"""

import os
from functools import cache
from typing import TYPE_CHECKING, Any

from functions.aws.telemetry import Powertools
from infra.aws.records import deliveries
from infra.aws.wiring import Aws, function
from shared.catalog import CATALOG
from shared.kernel.errors import ConfigurationError, PublishFailed
from shared.kernel.receiver import is_suspect
from shared.kernel.timers import tick_until
from shared.kernel.topology_limits import SETTLE_SECONDS
from shared.notifications.model import Mailer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from shared.kernel.outcome import Outcome
    from shared.kernel.ports import Delivery


class Function:
    """One service's function: what its instances keep between events."""

    def __init__(self, service: str | None, aws: Aws) -> None:
        if not service:
            raise ConfigurationError("TREFOIL_SERVICE is not set; set it to the service that this function is for")
        definition = CATALOG.service(service)
        self.name = service
        self.aws = aws
        self.telemetry = Powertools(service)
        if definition.provider is Mailer and not os.environ.get("TREFOIL_SMTP_URL"):
            self.telemetry.warn("mails stay on this function's disk and are gone with it: set TREFOIL_SMTP_URL")
        self.receiver = aws.receiver(definition, self.telemetry)

    def handle(self, event: dict[str, Any], context: "LambdaContext") -> "PartialItemFailureResponse":
        """Handle the records of an event; say which of them must stay in the queue."""
        failed: list[str] = []
        records = deliveries(event, self.name)
        risky = any(map(is_suspect, records))

        def settle(settlements: "Sequence[tuple[Delivery, Outcome]]") -> None:
            staying = self.aws.channels.carry_out(self.name, settlements)
            for delivery in staying:
                if delivery.receipt.handle is None:
                    # Nobody else has this one: Lambda must invoke us again.
                    raise PublishFailed(f"no copy of SNS's message {delivery.receipt.id} could be sent")
                failed.append(delivery.receipt.id)
            if risky:  # Lambda deletes nothing of a batch whose last record kills the function
                self.aws.channels.remove(self.name, settlements, staying)

        self.telemetry.request(context)
        self.receiver.receive(records, settle, self._deadline(context))
        return {"batchItemFailures": [{"itemIdentifier": id_} for id_ in failed]}

    def _deadline(self, context: "LambdaContext") -> float:
        return _end(self.aws, context) - SETTLE_SECONDS


def _end(aws: Aws, context: "LambdaContext") -> float:
    return aws.clock.now() + context.get_remaining_time_in_millis() / 1000


@cache
def _function() -> Function:
    return Function(os.environ.get("TREFOIL_SERVICE"), function())


@cache
def _aws() -> Aws:
    return function()


def handler(event: dict[str, Any], context: "LambdaContext") -> "PartialItemFailureResponse":
    """A service's channel delivers a batch; ReportBatchItemFailures must be on."""
    return _function().handle(event, context)


def tick(_: dict[str, Any], context: "LambdaContext") -> dict[str, int]:
    """The schedule rings: publish every timer that is due, each to the service that set it."""
    aws = _aws()
    end = _end(aws, context) - SETTLE_SECONDS
    return {"published": tick_until(end, aws.timers, aws.bus, aws.clock)}


if os.environ.get("TREFOIL_SERVICE") and "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
    _function().aws.warm()
