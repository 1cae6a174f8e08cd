import pytest

from shared.kernel.errors import RuleViolation
from shared.messages.users import RegisterUser, UserRegistered
from shared.users.handlers import SERVICE, register_user
from shared.users.model import User
from tests.support.kernel_fakes import folded, message

ADA = RegisterUser("Ada", "ada@example.com")
KNOWN = folded(SERVICE, UserRegistered("Ada", "ada@example.com"))


def test_a_new_user_is_registered():
    assert register_user(User(), message(ADA)) == [UserRegistered("Ada", "ada@example.com")]


def test_the_same_user_once_more_is_no_news():
    assert register_user(KNOWN, message(ADA, id="m2")) == []


@pytest.mark.parametrize(
    "other", [RegisterUser("Bob", "ada@example.com"), RegisterUser("Ada", "bob@example.com")], ids=str
)
def test_another_user_under_the_same_id_is_refused(other):
    with pytest.raises(RuleViolation, match="user 'u1' was registered before, with another name or address"):
        register_user(KNOWN, message(other, subject="u1"))


def test_the_refusal_does_not_tell_who_it_is():
    with pytest.raises(RuleViolation) as caught:
        register_user(KNOWN, message(RegisterUser("Bob", "bob@example.com")))

    assert "@" not in str(caught.value)
    assert "Ada" not in str(caught.value)
