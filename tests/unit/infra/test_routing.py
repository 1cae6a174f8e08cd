"""Around a bus's sending: what is for all and what is for one, and which of it is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.routing import route, unconfirmed
from shared.kernel.errors import PublishFailed
from shared.kernel.ports import Outgoing

NO_FAULTS = {}


def message(number, to=None):
    return Outgoing(f"m{number}", "t", "s", b"{}", to)


class Sending:
    """Notes who is handed what, and loses what it is told to."""

    def __init__(self, *lost):
        self.handed = []
        self._lost = set(lost)

    def to_all(self, numbers):
        return self.to_one(None, numbers)

    def to_one(self, service, numbers):
        self.handed.append((service, list(numbers)))
        return {place: f"no {number}" for place, number in enumerate(numbers) if number in self._lost}


def test_what_is_for_all_goes_first_and_then_each_service_s_in_the_order_of_the_messages():
    sending = Sending()
    messages = [message(0, "payments"), message(1), message(2, "orders"), message(3, "payments"), message(4)]

    lost = route(messages, sending.to_all, sending.to_one)

    assert lost == set()
    assert sending.handed == [(None, [1, 4]), ("orders", [2]), ("payments", [0, 3])]


@pytest.mark.parametrize(
    ("messages", "handed"),
    [([], []), ([message(0)], [(None, [0])]), ([message(0, "orders")], [("orders", [0])])],
)
def test_nobody_is_asked_to_send_nothing(messages, handed):
    sending = Sending()

    route(messages, sending.to_all, sending.to_one)

    assert sending.handed == handed


def test_an_address_that_is_empty_is_for_nobody_and_not_for_all():
    """No service has an empty name; one is no address that anybody sends to."""
    sending = Sending()

    route([message(0, "")], sending.to_all, sending.to_one)

    assert sending.handed == []


def test_whoever_sends_says_where_in_its_own_part_something_was_lost():
    sending = Sending(1, 3)
    messages = [message(0, "orders"), message(1), message(2), message(3, "orders")]

    assert route(messages, sending.to_all, sending.to_one) == {"m1", "m3"}


def test_when_all_is_lost_that_is_an_error_which_tells_a_reason():
    sending = Sending(0, 1)

    with pytest.raises(PublishFailed, match="none of 2 messages was confirmed: no 1"):
        route([message(0, "orders"), message(1)], sending.to_all, sending.to_one)


def test_two_messages_of_one_id_are_lost_if_one_of_them_is():
    """The receiver knows a message by its id, so one too many is harmless."""
    assert unconfirmed([message(0), message(0)], {1: "no"}) == {"m0"}


@given(st.lists(st.tuples(st.sampled_from([None, "orders", "payments"]), st.booleans()), max_size=12))
def test_every_message_is_handed_over_once_and_what_is_lost_is_known(plan):
    messages = [message(number, to) for number, (to, _) in enumerate(plan)]
    lost = {number for number, (_, is_lost) in enumerate(plan) if is_lost}
    sending = Sending(*lost)

    if plan and len(lost) == len(plan):
        with pytest.raises(PublishFailed):
            route(messages, sending.to_all, sending.to_one)
    else:
        assert route(messages, sending.to_all, sending.to_one) == {f"m{number}" for number in lost}

    handed = [(to, number) for to, numbers in sending.handed for number in numbers]
    assert sorted(number for _, number in handed) == list(range(len(plan)))
    assert all(to == messages[number].to for to, number in handed)
