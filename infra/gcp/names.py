"""What a deployment's resources are called; Terraform and the emulators use the same names."""

from collections.abc import Mapping
from hashlib import sha256

from infra.naming import Deployment, named


class Names(Deployment, frozen=True):
    """The names of one deployment: `{name}-{stage}-…`."""

    @property
    def topic(self) -> str:
        """The Pub/Sub topic that is the bus."""
        return f"{self.prefix}-bus"

    @property
    def database(self) -> str:
        """The Firestore database of commits and timers."""
        return f"{self.prefix}-store"

    def subscriptions(self, service: str) -> str:
        """What the names of a service's subscriptions to the bus begin with; no service's name has a dash."""
        return f"{self.prefix}-{service}-"

    def subscription(self, service: str, expression: str) -> str:
        """A service's channel. A filter can't be changed, so a changed one makes another subscription."""
        return f"{self.subscriptions(service)}{sha256(expression.encode()).hexdigest()[:8]}"

    def dead(self, service: str) -> str:
        """A service's dead-letter channel: a topic, and the subscription that keeps what is published to it."""
        return f"{self.prefix}-{service}-dead"


def names(settings: Mapping[str, str]) -> Names:
    """The names under TREFOIL_NAME and TREFOIL_STAGE; raises ConfigurationError for one that no resource may have."""
    return Names(*named(settings))
