"""A user."""

from msgspec import Struct

from shared.messages.users import UserRegistered


class User(Struct, frozen=True):
    """Somebody who is known, or not yet."""

    name: str = ""
    email: str = ""

    def registered(self, event: UserRegistered) -> "User":
        return User(event.name, event.email)
