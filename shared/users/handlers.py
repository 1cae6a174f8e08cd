"""The users service: each user is registered once."""

from collections.abc import Iterable

from shared.kernel.errors import RuleViolation
from shared.kernel.message import Emission, Message
from shared.kernel.service import Service
from shared.messages.users import RegisterUser, UserRegistered
from shared.users.model import User


def register_user(user: User, message: Message[RegisterUser]) -> Iterable[Emission]:
    """Make a user known; the same once more is no news, another under the same id is refused."""
    event = UserRegistered(message.data.name, message.data.email)
    if user == User():
        return [event]
    if user != user.registered(event):
        raise RuleViolation(f"user '{message.subject}' was registered before, with another name or address")
    return []


SERVICE = Service(
    name="users",
    state=User,
    handles={RegisterUser: register_user},
    emits={UserRegistered: User.registered},
)
