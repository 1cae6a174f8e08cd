"""The fixtures of deployments."""

from tests.support.aws_emulators import ministack  # noqa: F401 - a fixture
from tests.support.sam import cloudformation, sam_stack  # noqa: F401 - fixtures
from tests.support.terraform import azure_provider, azure_stack, gcp_stack, google_provider, stack  # noqa: F401 - fixtures
