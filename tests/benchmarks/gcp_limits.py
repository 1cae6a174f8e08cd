"""What the Pub/Sub emulator itself can do: publish, be pulled from, push into a server that answers at once."""

import asyncio
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from queue import Queue
from threading import Condition, Thread
from time import perf_counter, time
from typing import Any

from infra.emulators.emulator import HOST
from shared.kernel.ports import Outgoing
from tests.benchmarks.gcp_emulator import MESSAGES, SCRIPT, fresh, is_published
from tests.benchmarks.gcp_loop import LIMIT, Loop
from tests.benchmarks.gcp_shop import Deployment
from tests.benchmarks.measure import check
from tests.benchmarks.playback import encode, read
from tests.benchmarks.samples import purchases
from tests.support.gcp import make_topic, subscribe

PULL = 100
"""Messages a call, where nothing but Pub/Sub is measured."""

_HEAD = re.compile(rb"\r\n\r\n")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"


def following(order: Outgoing) -> Iterator[Outgoing]:
    """An order's command, and all that is published when it is handled."""
    yield order
    cause, now = read(order.body), time()
    for version, ((service, _), answer) in enumerate(SCRIPT.items(), 1):
        for index, step in enumerate(answer.steps):
            if is_published(step):
                envelope = step.envelope(cause, f"{service}/{order.subject}", version, index, now)
                yield Outgoing(envelope.id, envelope.type, order.subject, encode(envelope))


class IdleLoop(Loop):
    """Only pulls and acknowledges; all that an order leads to is published with it."""

    def send(self, messages: Sequence[Outgoing]) -> None:
        super().send([each for message in messages for each in following(message)])

    def handle(self, service: str, message: Any) -> None:
        pass


class Sink:
    """Counts pushes and answers them at once; speaks as much HTTP as the emulator does."""

    def __init__(self) -> None:
        self.endpoint = ""
        self.received = 0
        self.opened: set[asyncio.Transport] = set()
        self._changed = Condition()

    def take(self, count: int) -> None:
        """So many pushes were answered."""
        with self._changed:
            self.received += count
            self._changed.notify_all()

    def wait(self, received: int) -> None:
        """Wait until so many pushes came."""
        with self._changed:
            self._changed.wait_for(lambda: self.received >= received, LIMIT)
        check("pushes", self.received, received)


class _Connection(asyncio.Protocol):
    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._left = b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._sink.opened.add(transport)

    def connection_lost(self, _: Exception | None) -> None:
        self._sink.opened.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        self._left += data
        answered = 0
        while head := _HEAD.search(self._left):
            length = _LENGTH.search(self._left, 0, head.end())
            end = head.end() + int(length[1] if length else 0)
            if len(self._left) < end:
                break
            self._left = self._left[end:]
            answered += 1
        if answered:
            self._transport.write(_NO_CONTENT * answered)
            self._sink.take(answered)


@contextmanager
def sink() -> Iterator[Sink]:
    """A server in a thread of its own."""
    started: Queue[tuple[Sink, Callable[[], object]]] = Queue()
    thread = Thread(target=lambda: asyncio.run(_serve(started)))
    thread.start()
    opened, stop = started.get()
    try:
        yield opened
    finally:
        stop()
        thread.join()


async def _serve(started: "Queue[tuple[Sink, Callable[[], object]]]") -> None:
    loop, stopped, opened = asyncio.get_running_loop(), asyncio.Event(), Sink()
    server = await loop.create_server(lambda: _Connection(opened), HOST, 0)
    opened.endpoint = f"http://{HOST}:{server.sockets[0].getsockname()[1]}/"
    started.put((opened, partial(loop.call_soon_threadsafe, stopped.set)))
    await stopped.wait()
    server.close()
    for transport in list(opened.opened):
        transport.abort()
    await asyncio.sleep(0)  # they close in the loop's next turn


def pushing(folder: Path, orders: int) -> float:
    """Messages of the order flow a second, if handling them cost nothing: pushed to every subscription."""
    commands = purchases(orders)
    with sink() as server:
        gcp = fresh(Deployment, folder, push_to=server.endpoint)
        messages = [each for order in commands for each in following(order)]
        subscriptions = len(list(gcp.clients.publisher.list_topic_subscriptions(topic=_bus(gcp))))
        started = perf_counter()
        check("messages that were not confirmed", len(gcp.bus.publish(messages)), 0)
        server.wait(len(messages) * subscriptions)
        return orders * MESSAGES / (perf_counter() - started)


def _bus(gcp: Deployment) -> str:
    return gcp.topics.path(gcp.names.topic)


class Alone:
    """A topic with one subscription, and no shop."""

    def __init__(self, folder: Path, count: int) -> None:
        self._folder = folder
        self._messages = [each for order in purchases(count // MESSAGES + 1) for each in following(order)][:count]

    def publish(self) -> float:
        """Messages a second, as many a call as one may carry."""
        gcp, _ = self._made()
        return self._rate(lambda: self._send(gcp))

    def pull(self) -> float:
        """Messages a second, pulled and acknowledged by one client."""
        gcp, subscription = self._made()
        self._send(gcp)
        return self._rate(lambda: self._take(gcp, subscription))

    def push(self) -> float:
        """Messages a second, pushed into a server that answers at once."""
        with sink() as server:
            gcp, _ = self._made(push_config={"push_endpoint": server.endpoint})
            return self._rate(lambda: (self._send(gcp), server.wait(len(self._messages))))

    def _made(self, **settings: Any) -> tuple[Deployment, str]:
        gcp = fresh(Deployment, self._folder, deployed=False)
        make_topic(gcp, gcp.names.topic)
        subscribe(gcp, gcp.names.topic, gcp.names.topic, **settings)
        return gcp, gcp.subscriptions.path(gcp.names.topic)

    def _send(self, gcp: Deployment) -> None:
        check("messages that were not confirmed", len(gcp.bus.publish(self._messages)), 0)

    def _take(self, gcp: Deployment, subscription: str) -> None:
        left = len(self._messages)
        while left and (found := gcp.subscriptions.pull(subscription, PULL, LIMIT)):
            gcp.subscriptions.acknowledge((subscription, each.ack_id) for each in found)
            left -= len(found)

    def _rate(self, work: Callable[[], object]) -> float:
        started = perf_counter()
        work()
        return len(self._messages) / (perf_counter() - started)
