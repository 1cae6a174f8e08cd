"""What is said to and by the users service; the subject is the user's id."""

from shared.kernel.message import Payload, command, event
from shared.messages.values import Email, Text


@command("users.register-user.v1")
class RegisterUser(Payload, frozen=True):
    """Make somebody known."""

    name: Text
    email: Email


@event("users.user-registered.v1")
class UserRegistered(Payload, frozen=True):
    """Somebody is known now."""

    name: Text
    email: Email
