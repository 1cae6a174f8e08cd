"""Both faces of the azure-servicebus SDK behind one, so that a test is written once and runs on each.

What is asynchronous is run to its end on a loop of its own, and looks synchronous. Each new client costs the SDK a
second, so senders and receivers are kept, one of each an entity.
"""

import asyncio
import inspect
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import azure.servicebus
import azure.servicebus.aio
import pytest

SDKS = ("sync", "aio")

PATIENCE = 10
"""Seconds to wait for a message that has to come."""


_NAPS = {
    "time": ("_servicebus_receiver", "_servicebus_sender", "_pyamqp.client"),
    "asyncio": ("aio._servicebus_receiver_async", "aio._servicebus_sender_async", "_pyamqp.aio._client_async"),
}
"""Where the SDK sleeps while it waits for a link to open, or before it sees that one was closed."""
_SHORTER = 20


class Hasty:
    """Stands for a module, and sleeps for shorter."""

    def __init__(self, module: Any) -> None:
        self._module = module

    def __getattr__(self, name):
        return getattr(self._module, name)

    def sleep(self, seconds):
        return self._module.sleep(seconds / _SHORTER)


@contextmanager
def hasty() -> Iterator[None]:
    """Have the SDK look more often whether what it waits for has come: a link takes it a second otherwise.

    All else of it is as it was installed. Fault tests and whole deployments run on it in its own time.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name, modules in _NAPS.items():
            for each in modules:
                module = import_module(f"azure.servicebus.{each}")
                patch.setattr(module, name, Hasty(getattr(module, name)))
        yield


class Blocking:
    """An asynchronous object of the SDK, whose methods wait."""

    def __init__(self, inner: Any, loop: asyncio.Runner) -> None:
        self._inner = inner
        self._loop = loop

    def __enter__(self):
        self._run(self._inner.__aenter__())
        return self

    def __exit__(self, *error):
        self._run(self._inner.__aexit__(*error))

    def __getattr__(self, name):
        return self._seen(getattr(self._inner, name))

    def _seen(self, value: Any) -> Any:
        if inspect.ismethod(value):
            return lambda *arguments, **named: self._seen(value(*arguments, **named))
        if inspect.isawaitable(value):
            return self._run(value)
        if type(value).__module__.startswith("azure.servicebus.aio"):
            return Blocking(value, self._loop)
        return value

    def _run(self, awaitable: Any) -> Any:
        async def whole():
            return await awaitable

        return self._loop.run(whole())


class Sdk:
    """One client, and what was made of it."""

    def __init__(self, kind: str, connection: str) -> None:
        self.kind = kind
        self._loop = asyncio.Runner()
        self._client = self._made(connection)
        self._kept: dict[Any, Any] = {}

    def queue(self, name: str) -> str:
        """A queue, topic or subscription of this SDK's own: each has its set, so that no two disturb one another."""
        return f"{self.kind}.{name}"

    def sender(self, name: str) -> Any:
        """The sender of a queue."""
        return self._once(("sender", name), lambda: self._client.get_queue_sender(self.queue(name)))

    def topic_sender(self, name: str) -> Any:
        """The sender of a topic."""
        return self._once(("topic", name), lambda: self._client.get_topic_sender(self.queue(name)))

    def receiver(self, name: str, **options: Any) -> Any:
        """The receiver of a queue."""
        key = ("receiver", name, *options.items())
        return self._once(key, lambda: self.new_receiver(name, **options))

    def subscriber(self, topic: str, subscription: str) -> Any:
        """The receiver of a subscription."""
        make = self._client.get_subscription_receiver
        return self._once((topic, subscription), lambda: make(self.queue(topic), subscription))

    def new_receiver(self, name: str, **options: Any) -> Any:
        """A receiver that is not kept."""
        return self._client.get_queue_receiver(self.queue(name), **options)

    def new_sender(self, name: str) -> Any:
        """A sender that is not kept."""
        return self._client.get_queue_sender(self.queue(name))

    def sessions(self, name: str) -> list[str]:
        """The sessions of a queue, as the SDK lists them."""
        found = self._client.list_queue_sessions(self.queue(name))
        if self.kind == "sync":
            return list(found)

        async def collected():
            return [each async for each in found]

        return self._loop.run(collected())

    def close(self) -> None:
        """Close everything at once: each takes the SDK half a second."""
        if self.kind == "sync":
            with ThreadPoolExecutor(len(self._kept) or 1) as pool:
                list(pool.map(lambda each: each.close(), self._kept.values()))
        else:
            self._loop.run(_together(each._inner.close() for each in self._kept.values()))
        self._client.close()
        self._loop.close()

    def _made(self, connection: str) -> Any:
        # An error is the answer here, so nothing is tried again.
        if self.kind == "sync":
            return azure.servicebus.ServiceBusClient.from_connection_string(connection, retry_total=0)
        client = azure.servicebus.aio.ServiceBusClient.from_connection_string(connection, retry_total=0)
        return Blocking(client, self._loop)

    def _once(self, key: Any, make: Callable[[], Any]) -> Any:
        if key not in self._kept:
            self._kept[key] = make().__enter__()
        return self._kept[key]


async def _together(waiting: Iterable[Any]) -> None:
    await asyncio.gather(*waiting)


def take(receiver: Any, count: int) -> list[Any]:
    """Receive this many messages, in as many calls as it takes."""
    found: list[Any] = []
    while len(found) < count:
        more = receiver.receive_messages(count - len(found), max_wait_time=PATIENCE)
        assert more, f"only {len(found)} of {count} messages came"
        found += more
    return found


def take_one(receiver: Any) -> Any:
    return take(receiver, 1)[0]


def drain(receiver: Any, count: int) -> list[str]:
    """Receive this many messages and complete them; their texts."""
    found = take(receiver, count)
    for each in found:
        receiver.complete_message(each)
    return [str(each) for each in found]


def left(receiver: Any) -> list[Any]:
    """What is in a queue, up to 100 messages; the SDK itself would begin where it last was."""
    return receiver.peek_messages(100, sequence_number=1)
