"""What a deployment's resources are called; Terraform and SAM use the same names."""

from collections.abc import Mapping

from infra.naming import Deployment, named


class Names(Deployment, frozen=True):
    """The names of one deployment: `{name}-{stage}-…`."""

    @property
    def topic(self) -> str:
        """The SNS topic that is the bus."""
        return f"{self.prefix}-bus"

    @property
    def commits(self) -> str:
        """The DynamoDB table of commits."""
        return f"{self.prefix}-commits"

    @property
    def timers(self) -> str:
        """The DynamoDB table of timers."""
        return f"{self.prefix}-timers"

    def queue(self, service: str) -> str:
        """A service's channel."""
        return f"{self.prefix}-{service}"

    def dead(self, service: str) -> str:
        """A service's dead-letter channel."""
        return f"{self.prefix}-{service}-dead"


def names(settings: Mapping[str, str]) -> Names:
    """The names under TREFOIL_NAME and TREFOIL_STAGE; raises ConfigurationError for one that no resource may have."""
    return Names(*named(settings))
