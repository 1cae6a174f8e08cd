"""A Service Bus that keeps nothing, and so is as fast as any on proton can be: what the emulator is measured against.

It accepts what it is sent, and forgets it; whoever receives gets one and the same message as often as it has credit.
It runs in a process of its own: `python -m tests.benchmarks.azure_proton --port N`.
"""

import argparse
from typing import Any
from uuid import uuid4

from proton import Delivery, Handler, Message, int32
from proton.reactor import Container

HOST = "127.0.0.1"
CREDIT = 500
BODY = b"x" * 1024
"""About as much as a message of the order flow has."""


class Bare(Handler):
    """All connections, sessions and links."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port
        self._answers: dict[Any, Any] = {}
        self._body = Message(body=BODY, inferred=True).encode()

    def on_reactor_init(self, event: Any) -> None:
        event.container.listen(f"{HOST}:{self._port}")

    def on_connection_bound(self, event: Any) -> None:
        event.transport.sasl().allowed_mechs("ANONYMOUS PLAIN EXTERNAL")

    def on_connection_remote_open(self, event: Any) -> None:
        event.connection.container = "bare"
        event.connection.open()

    def on_connection_remote_close(self, event: Any) -> None:
        event.connection.close()

    def on_session_remote_open(self, event: Any) -> None:
        event.session.open()

    def on_session_remote_close(self, event: Any) -> None:
        event.session.close()

    def on_link_remote_open(self, event: Any) -> None:
        link = event.link
        link.source.copy(link.remote_source)
        link.target.copy(link.remote_target)
        link.snd_settle_mode = link.remote_snd_settle_mode
        link.rcv_settle_mode = link.remote_rcv_settle_mode
        link.open()
        if link.is_receiver:
            link.flow(CREDIT)
        elif _is_greeting(link.remote_source):
            self._answers[link.session] = link

    def on_link_remote_close(self, event: Any) -> None:
        event.link.close()

    def on_link_remote_detach(self, event: Any) -> None:
        event.link.close()

    def on_link_flow(self, event: Any) -> None:
        link = event.link
        if link.is_sender and link not in self._answers.values():
            while link.credit > 0:
                link.delivery(uuid4().bytes_le)
                link.stream(self._body)
                link.advance()

    def on_delivery(self, event: Any) -> None:
        if event.link.is_receiver:
            self._take(event.link, event.delivery)
        elif event.delivery.updated and not event.delivery.settled:
            event.delivery.update(event.delivery.remote_state)
            event.delivery.settle()

    def _take(self, link: Any, delivery: Any) -> None:
        if delivery.partial or not delivery.readable:
            return
        raw = bytes(link.recv(delivery.pending))
        link.advance()
        delivery.update(Delivery.ACCEPTED)
        delivery.settle()
        if link.credit < CREDIT // 2:
            link.flow(CREDIT - link.credit)
        if _is_greeting(link.remote_target):
            self._greet(link.session, raw)

    def _greet(self, session: Any, raw: bytes) -> None:
        """Let the client in."""
        request = Message()
        request.decode(raw)
        answer = Message(properties={"status-code": int32(202), "status-description": "Accepted"})
        answer.correlation_id = request.id
        link = self._answers[session]
        delivery = link.delivery(uuid4().bytes)
        link.stream(answer.encode())
        link.advance()
        delivery.settle()


def _is_greeting(terminus: Any) -> bool:
    return (terminus.address or "").endswith("$cbs")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    Container(Bare(parser.parse_args().port)).run()
