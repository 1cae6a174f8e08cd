"""What the Service Bus emulator can do: send, receive and complete, by the SDK, beside a server that keeps nothing.

Both are processes of their own; the SDK's is this one. `azure_proton` is the other server: what it does not reach is
proton's and the SDK's limit, and no broker's. Beside both: as many bytes through a bare socket, there and back.
"""

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient as AsyncClient
from msgspec import Struct

from infra.emulators.emulator import HOST
from infra.emulators.process import wait
from infra.emulators.supervisor import free_port
from tests.benchmarks.azure_proton import BODY
from tests.benchmarks.measure import Case, Row, Scale, Table, interleave
from tests.support.servicebus import ROOT, connection_string

QUEUE = "queue"
BATCH = 100
"""Messages a send, and a receive."""
SHARE = 10
"""A tenth of the records is sent a turn."""
HELD = 10
"""Turns' worth of messages that the queue holds when its memory is read."""
LIMIT = 60
"""Seconds, after which a message that does not come is an error."""

BARE, EMULATOR, KEEPING = "bare proton server", "emulator, in memory", "emulator, in a file"
ECHO = "bare socket"

NOTES = [
    f"Messages of {len(BODY):,} bytes, {BATCH} a send and a receive; each is completed by itself.",
    "Bare proton server: accepts and forgets, hands out one message for ever; the rest is the SDK's own time.",
    "Bare socket: a message's bytes there and back, one after the other; Python on both sides.",
]


_ECHO = f"""
import socket
with socket.create_server(({HOST!r}, 0)) as server:
    print(server.getsockname()[1], flush=True)
    while True:
        with server.accept()[0] as client:
            while found := client.recv(65536):
                client.sendall(found)
"""


class Server(Struct, frozen=True):
    """A process that listens."""

    port: int
    pid: int

    @property
    def memory(self) -> float:
        """MiB that are resident."""
        status = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return int(next(line for line in status if line.startswith("VmRSS:")).split()[1]) / 1024


class Client:
    """The SDK's clients of one server, whose queue is empty before and after each turn."""

    def __init__(self, port: int, count: int) -> None:
        self._connection = connection_string(port)
        self._count = count
        client = ServiceBusClient.from_connection_string(self._connection)
        self._sender = client.get_queue_sender(QUEUE).__enter__()
        self._receiver = client.get_queue_receiver(QUEUE).__enter__()
        self._client = client

    def close(self) -> None:
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda each: each.close(), (self._sender, self._receiver)))
        self._client.close()

    def send(self) -> float:
        """Messages a second, sent in batches; they are taken away again."""
        took = self._timed(self.fill)
        self.empty()
        return took

    def receive(self) -> float:
        """Messages a second, received and completed."""
        self.fill()
        return self._timed(self.empty)

    def send_async(self) -> float:
        """The same by asyncio's client."""
        took = asyncio.run(self._sent())
        self.empty()
        return took

    def receive_async(self) -> float:
        """The same by asyncio's client."""
        self.fill()
        return asyncio.run(self._received())

    def _timed(self, work: Callable[[], object]) -> float:
        started = perf_counter()
        work()
        return self._count / (perf_counter() - started)

    def fill(self, turns: int = 1) -> int:
        """Send what a turn takes, or several; how many that is."""
        for _ in range(0, self._count * turns, BATCH):
            self._sender.send_messages(_batch())
        return self._count * turns

    def empty(self, turns: int = 1) -> None:
        """Receive and complete as many."""
        left = self._count * turns
        while left > 0:
            found = self._receiver.receive_messages(max_message_count=min(BATCH, left), max_wait_time=LIMIT)
            for message in _came(found):
                self._receiver.complete_message(message)
            left -= len(found)

    async def _sent(self) -> float:
        client = AsyncClient.from_connection_string(self._connection)
        async with client, client.get_queue_sender(QUEUE) as sender:
            started = perf_counter()
            for _ in range(0, self._count, BATCH):
                await sender.send_messages(_batch())
            return self._count / (perf_counter() - started)

    async def _received(self) -> float:
        client = AsyncClient.from_connection_string(self._connection)
        async with client, client.get_queue_receiver(QUEUE) as receiver:
            started, left = perf_counter(), self._count
            while left > 0:
                found = await receiver.receive_messages(max_message_count=min(BATCH, left), max_wait_time=LIMIT)
                for message in _came(found):  # at once, they take the SDK 200 ms
                    await receiver.complete_message(message)
                left -= len(found)
            return self._count / (perf_counter() - started)


WAYS: Mapping[str, Callable[[Client], float]] = {
    "send": Client.send,
    "receive and complete": Client.receive,
    "send, asyncio": Client.send_async,
    "receive and complete, asyncio": Client.receive_async,
}


def _batch() -> list[ServiceBusMessage]:
    return [ServiceBusMessage(BODY) for _ in range(BATCH)]


def _came(found: Sequence[Any]) -> Sequence[Any]:
    if not found:
        raise RuntimeError("a message did not come; nothing was measured")
    return found


def measure(scale: Scale, folder: Path) -> list[Table]:
    """Start the servers and measure."""
    with ExitStack() as stack:
        servers = {name: stack.enter_context(serving(*command)) for name, command in commands(folder).items()}
        return compare(scale, servers)


def commands(folder: Path) -> dict[str, list[str]]:
    """The servers, each with one queue."""
    config = folder / "config.json"
    queues = [{"Name": QUEUE, "Properties": {"LockDuration": "PT5M"}}]
    config.write_text(json.dumps({"UserConfig": {"Namespaces": [{"Name": "sbemulatorns", "Queues": queues}]}}))
    emulator = ["infra.emulators.servicebus", "--config", str(config)]
    return {
        BARE: ["tests.benchmarks.azure_proton"],
        EMULATOR: emulator,
        KEEPING: [*emulator, "--data", str(folder / "messages.sqlite")],
    }


def compare(scale: Scale, servers: Mapping[str, Server]) -> list[Table]:
    """Every way to send and to receive, the bare socket, and the memory that messages take."""
    count = max(scale.records // SHARE // BATCH, 1) * BATCH
    with ExitStack() as stack:
        clients = {name: stack.enter_context(closing(Client(each.port, count))) for name, each in servers.items()}
        tables = [_speeds(scale, clients, what, turn) for what, turn in WAYS.items()]
        return [*tables, _echoes(scale, count), _memory(clients, servers)]


def _speeds(scale: Scale, clients: Mapping[str, Client], what: str, turn: Callable[[Client], float]) -> Table:
    cases = [Case(name, partial(turn, client)) for name, client in clients.items()]
    title = f"The Service Bus emulator alone: {what}"
    return Table(title=title, unit="messages/s", rows=interleave(cases, scale.rounds), against=[BARE], digits=0)


def _echoes(scale: Scale, count: int) -> Table:
    with echoing() as port:
        rows = interleave([Case(ECHO, partial(_echoed, port, count))], scale.rounds)
    return Table(title="A message's bytes, there and back", unit="messages/s", rows=rows, digits=0)


def _echoed(port: int, count: int) -> float:
    with socket.create_connection((HOST, port)) as client:
        started = perf_counter()
        for _ in range(count):
            client.sendall(BODY)
            client.recv(len(BODY), socket.MSG_WAITALL)
        return count / (perf_counter() - started)


def _memory(clients: Mapping[str, Client], servers: Mapping[str, Server]) -> Table:
    """After all that has been measured, and with messages in the queue."""
    rows = []
    for name in (EMULATOR, KEEPING):
        before = servers[name].memory
        held = clients[name].fill(HELD)
        after = servers[name].memory
        clients[name].empty(HELD)
        rows += [Row(f"{name}, empty", [before]), Row(f"{name}, {held:,} messages", [after])]
    return Table(title="Memory of the Service Bus emulator", unit="MiB", rows=rows, notes=NOTES)


@contextmanager
def serving(module: str, *options: str) -> Iterator[Server]:
    """A server as a process, which is ended whatever happens."""
    port = free_port()
    command = [sys.executable, "-m", module, "--port", str(port), *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        try:
            wait(lambda: process.poll() is not None or _listens(port), LIMIT)
            yield Server(port, process.pid)
        finally:
            process.kill()


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return not client.connect_ex((HOST, port))


@contextmanager
def echoing() -> Iterator[int]:
    """A server that sends back what it gets, in a process of its own; its port."""
    with subprocess.Popen([sys.executable, "-c", _ECHO], stdout=subprocess.PIPE) as process:
        try:
            yield int(process.stdout.readline())  # type: ignore[union-attr]
        finally:
            process.kill()
