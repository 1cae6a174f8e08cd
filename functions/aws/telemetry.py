"""What is seen of a function: a structured log line a record, and counts as CloudWatch metrics (EMF), by Powertools."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit

from shared.kernel.telemetry import Observation

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

NAMESPACE = "Trefoil"
"""Of the metrics, unless POWERTOOLS_METRICS_NAMESPACE says another."""

_TAKEN = frozenset(("time", "level", "service"))
"""What Powertools says of each line itself."""


class Powertools:
    """Log level, sampling and the metrics' namespace are Powertools' own settings (POWERTOOLS_…)."""

    def __init__(self, service: str) -> None:
        self._logger = Logger(service=service)
        self._say = {"INFO": self._logger.info, "WARNING": self._logger.warning, "ERROR": self._logger.error}
        self._metrics = Metrics(service=service)
        self._metrics.namespace = self._metrics.namespace or NAMESPACE  # without one, Powertools would raise

    def warn(self, text: str) -> None:
        """Say what an operator should know of this function."""
        self._logger.warning(text)

    def request(self, context: "LambdaContext") -> None:
        """Say in each line which invocation it belongs to."""
        self._logger.append_keys(function_request_id=context.aws_request_id)

    def observe(self, observations: Sequence[Observation]) -> None:
        """See Telemetry."""
        counts: Counter[str] = Counter()
        for seen in observations:
            fields = msgspec.to_builtins(seen)
            more = {name: value for name, value in fields.items() if name not in _TAKEN}
            self._say[seen.level](seen.outcome, extra=more)
            counts[seen.outcome] += 1
            counts["Emitted"] += seen.emitted
        for name, count in counts.items():
            self._metrics.add_metric(name, MetricUnit.Count, count)
        self._metrics.add_metric("Seconds", MetricUnit.Seconds, sum(seen.seconds for seen in observations))
        self._metrics.flush_metrics()
