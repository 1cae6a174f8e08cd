"""What a deployment's resources are called; Terraform and SAM use the same names."""

import re
from collections.abc import Mapping

from msgspec import Struct

from shared.kernel.errors import ConfigurationError

_PART = re.compile(r"[a-z][a-z0-9-]{0,19}")


class Names(Struct, frozen=True):
    """The names of one deployment: `{name}-{stage}-…`."""

    name: str = "trefoil"
    stage: str = "dev"

    @property
    def topic(self) -> str:
        """The SNS topic that is the bus."""
        return f"{self.name}-{self.stage}-bus"

    @property
    def commits(self) -> str:
        """The DynamoDB table of commits."""
        return f"{self.name}-{self.stage}-commits"

    @property
    def timers(self) -> str:
        """The DynamoDB table of timers."""
        return f"{self.name}-{self.stage}-timers"

    def queue(self, service: str) -> str:
        """A service's channel."""
        return f"{self.name}-{self.stage}-{service}"

    def dead(self, service: str) -> str:
        """A service's dead-letter channel."""
        return f"{self.name}-{self.stage}-{service}-dead"


def names(settings: Mapping[str, str]) -> Names:
    """The names under TREFOIL_NAME and TREFOIL_STAGE; raises ConfigurationError for one that no resource may have."""
    chosen = Names(settings.get("TREFOIL_NAME") or "trefoil", settings.get("TREFOIL_STAGE") or "dev")
    for setting, value in (("TREFOIL_NAME", chosen.name), ("TREFOIL_STAGE", chosen.stage)):
        if not _PART.fullmatch(value):
            raise ConfigurationError(f"{setting} is '{value}'; 1 to 20 characters of a-z 0-9 - are allowed, a-z first")
    return chosen
