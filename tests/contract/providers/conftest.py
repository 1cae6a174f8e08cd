"""SMTP servers on this machine: a good one (aiosmtpd) and one that misbehaves by a script."""

import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from aiosmtpd.controller import Controller

from shared.kernel.errors import ProviderUnavailable

POLITE = {
    "greeting": "220 scripted",
    "EHLO": "250-scripted\r\n250 8BITMIME",
    "HELO": "250 scripted",
    "MAIL": "250 sender ok",
    "RCPT": "250 recipient ok",
    "DATA": "354 go ahead",
    "content": "250 taken",
    "QUIT": "221 bye",
}


class Conversation(socketserver.StreamRequestHandler):
    """Says what the script says. "DROP" closes the connection, "HANG" says nothing until the test is over."""

    server: "ScriptedServer"

    def handle(self) -> None:
        going = self._answer("greeting")
        while going and (line := self.rfile.readline()):
            verb = line[:4].decode().upper().strip()
            going = self._answer(verb)
            if verb == "DATA" and self.server.script[verb].startswith("354"):
                going = self._take_content()

    def _take_content(self) -> bool:
        lines = []
        while line := self.rfile.readline():
            if line == b".\r\n":
                self.server.contents.append(b"".join(lines))
                return self._answer("content")
            lines.append(line)
        return False

    def _answer(self, verb: str) -> bool:
        self.server.verbs.append(verb)
        reply = self.server.script[verb]
        if reply == "HANG":
            self.server.over.wait()
        if reply in ("DROP", "HANG"):
            return False
        self.wfile.write(f"{reply}\r\n".encode())
        return not reply.startswith(("221", "421"))


class ScriptedServer(socketserver.ThreadingTCPServer):
    """Remembers the `verbs` it heard, and the `contents` that came with a final dot."""

    def __init__(self, changes: dict[str, str]) -> None:
        super().__init__(("127.0.0.1", 0), Conversation)
        self.script = {**POLITE, **changes}
        self.verbs: list[str] = []
        self.contents: list[bytes] = []
        self.over = threading.Event()

    @property
    def port(self) -> int:
        return self.server_address[1]


@pytest.fixture
def scripted_server() -> Iterator[Callable[..., ScriptedServer]]:
    """Start a server that is polite but for what is given: `scripted_server(RCPT="550 who?")`."""
    servers = []

    def start(**changes: str) -> ScriptedServer:
        server = ScriptedServer(changes)
        servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        return server

    yield start
    for server in servers:
        server.over.set()
        server.shutdown()
        server.server_close()


class Inbox:
    """Keeps what arrives."""

    def __init__(self) -> None:
        self.mails: list[bytes] = []
        self.recipients: list[str] = []

    async def handle_DATA(self, server, session, envelope) -> str:  # noqa: N802 - aiosmtpd's name
        self.mails.append(envelope.original_content)
        self.recipients += envelope.rcpt_tos
        return "250 taken"


class EphemeralController(Controller):
    """Listens on whatever port is free."""

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@pytest.fixture
def smtp_server() -> Iterator[Callable[..., Controller]]:
    """Start an aiosmtpd server; its `handler` is an Inbox."""
    controllers = []

    def start(**options) -> Controller:
        controller = EphemeralController(Inbox(), hostname="127.0.0.1", port=0, **options)
        controllers.append(controller)
        controller.start()
        return controller

    yield start
    for controller in controllers:
        controller.stop()


@pytest.fixture
def until_it_answers() -> Callable[[Callable[[], object]], object]:
    """Ask a provider again as long as it is down, as redeliveries do; not for ever."""

    def ask(call: Callable[[], object]) -> object:
        for _ in range(4):
            with suppress(ProviderUnavailable):
                return call()
        return call()

    return ask
