"""What is said by the notifications service; the subject is that of the message that was worth a mail."""

from shared.kernel.message import Payload, event
from shared.messages.values import Email, Text


@event("notifications.mail-sent.v1")
class MailSent(Payload, frozen=True):
    """A mail left."""

    kind: Text
    to: Email
