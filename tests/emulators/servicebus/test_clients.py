"""Clients that compete, and a broker that is killed."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

pytest.importorskip("proton", reason="install python-qpid-proton")
pytest.importorskip("azure.servicebus", reason="install azure-servicebus")

from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusSubQueue

from tests.conftest import DOES_NOT_APPLY
from tests.support.processes import run_together
from tests.support.servicebus import CONFIG, NAMED, running
from tests.support.servicebus_clients import consume
from tests.support.servicebus_sdk import drain, left


@contextmanager
def opened(connection: str) -> Iterator[tuple[ServiceBusClient, Callable[[Any], Any]]]:
    """A client, and a way to open a sender or receiver of it until the end; the SDK closes none that is let go."""
    with ExitStack() as stack:
        yield stack.enter_context(ServiceBusClient.from_connection_string(connection)), stack.enter_context


def test_competing_consumers_share_the_work_and_nothing_is_done_twice(servicebus):
    with opened(servicebus) as (client, opens):
        sender = opens(client.get_queue_sender("sync.competing"))
        sender.send_messages([ServiceBusMessage(str(number)) for number in range(300)])

    shares = run_together(consume, [[servicebus, "sync.competing", 1.0]] * 3)

    done = [body for share in shares for body in share]
    assert sorted(done, key=int) == [str(number) for number in range(300)]
    assert len([share for share in shares if share]) > 1


@pytest.fixture
def own(tmp_path):
    """An emulator of the test's own that keeps its messages."""
    if NAMED:
        pytest.skip(f"{DOES_NOT_APPLY}nobody kills a Service Bus that was named")
    with running(CONFIG, tmp_path, keeps=True) as emulator:
        yield emulator


def test_what_was_accepted_survives_a_kill_and_locks_dont(own):
    due = datetime.now(UTC) + timedelta(seconds=3)
    with opened(own.connection) as (client, opens):
        sender = opens(client.get_queue_sender("sync.orders"))
        receiver = opens(client.get_queue_receiver("sync.orders"))
        sender.send_messages(
            [ServiceBusMessage(each, message_id=each) for each in ("done", "locked", "put by", "dead")]
        )
        done, _, deferred, dead = receiver.receive_messages(4, max_wait_time=10)
        receiver.complete_message(done)
        receiver.defer_message(deferred)
        receiver.dead_letter_message(dead, reason="Bad")
        sender.schedule_messages(ServiceBusMessage("later"), due)
        with client.get_queue_receiver("sync.sessions", session_id="s") as session:
            session.session.set_state(b"step 1")

    own.kill()
    own.start()

    with opened(own.connection) as (client, opens):
        receiver = opens(client.get_queue_receiver("sync.orders"))
        (again,) = receiver.receive_deferred_messages(deferred.sequence_number)
        receiver.complete_message(again)
        last_number = max(each.sequence_number for each in left(receiver))
        assert drain(receiver, 2) == ["locked", "later"]
        opens(client.get_queue_sender("sync.orders")).send_messages(ServiceBusMessage("new"))
        (new,) = receiver.receive_messages(1, max_wait_time=10)
        dead_letters = opens(client.get_queue_receiver("sync.orders", sub_queue=ServiceBusSubQueue.DEAD_LETTER))
        (letter,) = dead_letters.receive_messages(1, max_wait_time=10)
        with client.get_queue_receiver("sync.sessions", session_id="s") as session:
            state = session.session.get_state()

    assert str(again) == "put by"
    assert new.sequence_number > last_number
    assert (str(letter), letter.dead_letter_reason) == ("dead", "Bad")
    assert bytes(state) == b"step 1"


def test_nothing_that_was_accepted_is_lost_however_often_the_broker_is_killed(own):
    accepted, done = [], []
    for life in range(3):
        with opened(own.connection) as (client, opens):
            sender = opens(client.get_queue_sender("sync.orders"))
            receiver = opens(client.get_queue_receiver("sync.orders"))
            for number in range(40):
                sender.send_messages(ServiceBusMessage(f"{life}-{number}"))
                accepted.append(f"{life}-{number}")
            done += drain(receiver, 15)
            receiver.receive_messages(5, max_wait_time=10)
        own.kill()
        own.start()

    with opened(own.connection) as (client, opens):
        done += drain(opens(client.get_queue_receiver("sync.orders")), len(accepted) - len(done))

    assert done == sorted(done, key=accepted.index)
    assert done == accepted
