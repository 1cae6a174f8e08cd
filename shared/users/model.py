"""A user."""

from msgspec import Struct

from shared.messages.users import UserRegistered
from shared.messages.values import Secret


class User(Struct, frozen=True):
    """Somebody who is known, or not yet."""

    name: str = ""
    email: Secret = ""

    def registered(self, event: UserRegistered) -> "User":
        return User(event.name, event.email)
