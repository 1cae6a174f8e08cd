"""What is seen of a function: a line a record, as JSON in the host's log, which goes to Application Insights."""

import logging
from collections.abc import Sequence

import msgspec

from shared.kernel.telemetry import Observation

_encoder = msgspec.json.Encoder()
_LEVELS = {"INFO": logging.INFO, "WARNING": logging.WARNING, "ERROR": logging.ERROR}
_SDKS = ("azure.core", "azure.data", "azure.identity", "azure.servicebus", "urllib3")


def quieten() -> None:
    """Have the SDKs say only what went wrong: the worker hands over all, and they write a dozen lines of every call."""
    for name in _SDKS:
        logging.getLogger(name).setLevel(logging.ERROR if name == "urllib3" else logging.WARNING)


class HostLogging:
    """The worker hands over what Python's logging is given, with the invocation that it belongs to."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._logger.setLevel(logging.INFO)

    def warn(self, text: str) -> None:
        """Say what an operator should know of this function."""
        self._logger.warning(text)

    def observe(self, observations: Sequence[Observation]) -> None:
        """See Telemetry."""
        for seen in observations:
            self._logger.log(_LEVELS[seen.level], "%s", _encoder.encode(seen).decode())
