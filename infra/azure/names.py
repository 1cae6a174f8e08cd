"""What a deployment's resources are called; Terraform and the emulators use the same names."""

from collections.abc import Mapping

from infra.naming import Deployment, named


class Names(Deployment, frozen=True):
    """The names of one deployment: `{name}-{stage}-…`; a table's has no dashes, because it can't."""

    @property
    def topic(self) -> str:
        """The Service Bus topic that is the bus; a service's subscription to it has the service's name."""
        return f"{self.prefix}-bus"

    @property
    def commits(self) -> str:
        """The table of commits."""
        return f"{self.prefix.replace('-', '')}commits"

    @property
    def timers(self) -> str:
        """The table of timers."""
        return f"{self.prefix.replace('-', '')}timers"

    def queue(self, service: str) -> str:
        """A service's channel, which its subscription forwards to."""
        return f"{self.prefix}-{service}"

    def dead(self, service: str) -> str:
        """A service's dead-letter channel: a queue like others; what the channel itself gives up is forwarded to it."""
        return f"{self.prefix}-{service}-dead"


def names(settings: Mapping[str, str]) -> Names:
    """The names under TREFOIL_NAME and TREFOIL_STAGE; raises ConfigurationError for one that no resource may have."""
    return Names(*named(settings))
