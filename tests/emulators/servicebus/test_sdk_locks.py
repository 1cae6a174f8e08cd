"""The unmodified azure-servicebus SDK, sync and aio, after its locks have expired, and after its process was killed."""

import subprocess
import sys
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

pytest.importorskip("proton", reason="install python-qpid-proton")
pytest.importorskip("azure.servicebus", reason="install azure-servicebus")

from azure.servicebus import NEXT_AVAILABLE_SESSION, ServiceBusMessage
from azure.servicebus.exceptions import MessageLockLostError, SessionLockLostError

from tests.support.servicebus import ROOT
from tests.support.servicebus_sdk import drain, take, take_one


@pytest.fixture(scope="module")
def aged(sdk, servicebus):
    """Everything that was locked, a while later: one wait for all."""
    with ExitStack() as stack:
        sdk.sender("short").send_messages([ServiceBusMessage(each) for each in ("held", "a", "b", "c")])
        sdk.sender("short-sessions").send_messages(ServiceBusMessage("s1", session_id="s"))
        held = held_by_a_client_that_is_killed(servicebus, sdk.queue("short"))
        receiver = sdk.receiver("short")
        session = stack.enter_context(sdk.new_receiver("short-sessions", session_id="s"))
        messages, in_session = take(receiver, 3), take_one(session)
        wait_until(max(*(each.locked_until_utc for each in messages), session.session.locked_until_utc))
        yield SimpleNamespace(held=held, receiver=receiver, messages=messages, session=session, in_session=in_session)


def held_by_a_client_that_is_killed(connection: str, queue: str) -> str:
    command = [sys.executable, "-m", "tests.support.servicebus_clients", connection, queue]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as client:
        try:
            return client.stdout.readline().strip()
        finally:
            client.kill()


def wait_until(moment: datetime) -> None:
    while datetime.now(UTC) < moment + timedelta(seconds=0.5):
        time.sleep(0.1)


def test_an_expired_lock_settles_nothing(aged):
    seen_by_sdk, completed, renewed = aged.messages
    for each in (completed, renewed):
        # The SDK looks at its own clock first; this asks the broker.
        each._expiry = datetime.now(UTC) + timedelta(minutes=1)

    with pytest.raises(MessageLockLostError):
        aged.receiver.complete_message(seen_by_sdk)
    with pytest.raises(MessageLockLostError):
        aged.receiver.complete_message(completed)
    with pytest.raises(MessageLockLostError):
        aged.receiver.renew_message_lock(renewed)


def test_what_was_locked_comes_again_also_what_a_killed_client_held(aged):
    again = take(aged.receiver, 4)

    for each in again:
        aged.receiver.complete_message(each)
    assert aged.held == "held"
    assert [(str(each), each.delivery_count) for each in again] == [("held", 1), ("a", 1), ("b", 1), ("c", 1)]


def test_an_expired_session_settles_nothing_and_somebody_else_has_it(sdk, aged):
    with pytest.raises(SessionLockLostError):
        aged.session.complete_message(aged.in_session)

    with sdk.new_receiver("short-sessions", session_id=NEXT_AVAILABLE_SESSION) as receiver:
        assert drain(receiver, 1) == ["s1"]
