"""What a deployment is called: the settings that every cloud's resources are named after."""

import re
from collections.abc import Mapping

from msgspec import Struct

from shared.kernel.errors import ConfigurationError

_PART = re.compile(r"[a-z][a-z0-9-]{0,19}")


class Deployment(Struct, frozen=True):
    """One deployment: `{name}-{stage}`."""

    name: str = "trefoil"
    stage: str = "dev"

    @property
    def prefix(self) -> str:
        """What its resources' names begin with."""
        return f"{self.name}-{self.stage}"


def named(settings: Mapping[str, str]) -> tuple[str, str]:
    """TREFOIL_NAME and TREFOIL_STAGE; raises ConfigurationError for one that no resource may have."""
    name, stage = settings.get("TREFOIL_NAME") or "trefoil", settings.get("TREFOIL_STAGE") or "dev"
    for setting, value in (("TREFOIL_NAME", name), ("TREFOIL_STAGE", stage)):
        if not _PART.fullmatch(value):
            raise ConfigurationError(f"{setting} is '{value}'; 1 to 20 characters of a-z 0-9 - are allowed, a-z first")
    return name, stage
