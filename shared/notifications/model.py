"""A mail, and the mailer that sends it."""

from typing import Protocol

from msgspec import Struct


class Mail(Struct, frozen=True):
    """A plain-text mail to one person."""

    to: str
    subject: str
    text: str


class Mailer(Protocol):
    """Sends mail. Not idempotent: mail has no key, so the caller claims the right to send first.

    Raises ProviderUnavailable or CircuitOpen when the mail has not left for certain, RuleViolation when the mailbox is
    refused for good, OutcomeUnknown when it may or may not have left.
    """

    def send(self, key: str, mail: Mail) -> None:
        """Send `mail`; `key` names the effect in headers and file names, for people and for counting."""
        ...
