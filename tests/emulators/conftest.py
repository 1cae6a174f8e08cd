"""The emulators' fixtures."""

from tests.support.aws_emulators import localstack, ministack  # noqa: F401 - fixtures
