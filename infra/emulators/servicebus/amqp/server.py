"""Proton's events, and what each means for the broker. One thread, so whatever an event does is done before the next.

Nothing is written to a socket before the handler of an event returns: so it commits last, and no client is ever told of
something that a crash could undo.
"""

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import Any, Protocol, TypeVar

from proton import Condition, Endpoint, Handler
from proton.reactor import ApplicationEvent, Container, EventInjector

from infra.emulators.servicebus.amqp.inlets import Inlet
from infra.emulators.servicebus.amqp.outlets import Outlet, Outlets, check_receiver, refuse
from infra.emulators.servicebus.amqp.requests import CBS, MANAGEMENT, Replies, Requests
from infra.emulators.servicebus.amqp.waiting import WaitingRoom
from infra.emulators.servicebus.broker.errors import BrokerError, NotAllowed
from infra.emulators.servicebus.broker.namespace import Namespace
from infra.emulators.servicebus.broker.queue import Queue
from infra.emulators.servicebus.broker.session_queue import SessionQueue
from infra.emulators.servicebus.broker.topic import Topic

HOST = "127.0.0.1"

_IDLE_SECONDS = 240
_LOCAL_OPEN = Endpoint.LOCAL_ACTIVE

_log = logging.getLogger(__name__)

T = TypeVar("T")


class LinkHandler(Protocol):
    """What a link is for."""

    def on_delivery(self, delivery: Any) -> None:
        """A delivery has arrived, or was settled."""

    def on_flow(self) -> None:
        """Credit has arrived."""

    def on_close(self) -> None:
        """The link has gone, and perhaps the client with it."""


class Server(Handler):
    """The AMQP side of one namespace.

    Proton's types say that an event may lack its link or connection, but those of a link or connection don't.
    """

    def __init__(self, namespace: Namespace, port: int, ready: Callable[[], None]) -> None:
        super().__init__()
        self._namespace = namespace
        self._port = port
        self._ready = ready
        self._outlets = Outlets()
        self._waiting = WaitingRoom(namespace, self._outlets.add)
        self._links: dict[Any, LinkHandler] = {}
        self._replies: dict[tuple[Any, str], Replies] = {}
        self._injector = EventInjector()
        self._timer: Any = None
        self._timer_due: int | None = None
        self._connections: set[Any] = set()
        self._container: Any = None
        self._acceptor: Any = None

    def run(self) -> None:
        """Serve until `stop`; raises OSError when the port can't be had."""
        Container(self).run()

    def stop(self) -> None:
        """End `run` soon; may be called from a signal handler.

        A thread of its own, because the one that a signal interrupts may hold the lock of the injector's queue.
        """
        Thread(target=self._injector.trigger, args=(ApplicationEvent("stop"),), daemon=True).start()

    def call(self, operation: Callable[[], T]) -> T:
        """Have an operation done between two events, and return what it returns, or raise what it raises.

        For other threads. What it did is committed before.
        """
        done: Future[T] = Future()
        self._injector.trigger(ApplicationEvent("called", subject=(operation, done)))
        return done.result()

    def on_called(self, event: Any) -> None:
        """Another thread asks for something."""
        operation, done = event.subject
        try:
            self._namespace.advance()
            try:
                found = operation()
            finally:
                self._after()
        except Exception as error:  # noqa: BLE001 - it is for whoever asked
            done.set_exception(error)
        else:
            done.set_result(found)

    def on_reactor_init(self, event: Any) -> None:
        """Listen."""
        self._container = event.container
        self._container.selectable(self._injector)
        self._acceptor = self._container.listen(f"{HOST}:{self._port}")
        self._after()
        self._ready()

    def on_stop(self, _event: Any) -> None:
        """Say goodbye to everybody."""
        self._acceptor.close()
        self._injector.close()
        if self._timer is not None:
            self._timer.cancel()
        for connection in self._connections:
            connection.close()
        self._container.stop()

    def on_timer_task(self, _event: Any) -> None:
        """Something is due."""
        self._timer_due = None
        self._namespace.advance()
        self._after()

    def on_connection_bound(self, event: Any) -> None:
        """Let anybody in, as Microsoft's emulator does."""
        event.transport.sasl().allowed_mechs("ANONYMOUS PLAIN EXTERNAL")
        event.transport.idle_timeout = _IDLE_SECONDS

    def on_connection_remote_open(self, event: Any) -> None:
        """A client has come."""
        self._connections.add(event.connection)
        _log.info("a client has connected: %s", event.connection.remote_container)
        event.connection.container = "trefoil-servicebus"
        event.connection.open()

    def on_connection_remote_close(self, event: Any) -> None:
        """A client takes its leave."""
        event.connection.close()

    def on_session_remote_open(self, event: Any) -> None:
        """A client opens a session, in AMQP's sense. It takes no window of its own, which would be one frame more."""
        event.session.open()

    def on_session_remote_close(self, event: Any) -> None:
        """All its links go with it."""
        self._drop(lambda link: link.session == event.session)
        event.session.close()

    def on_transport_closed(self, event: Any) -> None:
        """A client has gone, perhaps without a word."""
        if event.connection in self._connections:
            self._connections.discard(event.connection)
            _log.info("a client has gone: %s", event.connection.remote_container)
        self._drop(lambda link: link.connection == event.connection)

    def on_link_remote_open(self, event: Any) -> None:
        """Find what the link is for."""
        link = event.link
        link.source.copy(link.remote_source)
        link.target.copy(link.remote_target)
        link.snd_settle_mode = link.remote_snd_settle_mode
        link.rcv_settle_mode = link.remote_rcv_settle_mode
        terminus = link.remote_source if link.is_sender else link.remote_target
        try:
            self._attach(link, _path(terminus.address or ""))
        except BrokerError as error:
            refuse(link, error)
        self._after()

    def on_link_remote_close(self, event: Any) -> None:
        """A client no longer needs the link."""
        self._drop(lambda link: link == event.link)
        event.link.close()

    def on_link_remote_detach(self, event: Any) -> None:
        """The same: links can't be attached again."""
        self.on_link_remote_close(event)

    def on_link_flow(self, event: Any) -> None:
        """A receiver wants messages."""
        if event.link in self._links and event.link.state & _LOCAL_OPEN:
            self._links[event.link].on_flow()
            self._after()

    def on_delivery(self, event: Any) -> None:
        """A message has arrived, or one was settled."""
        if event.link not in self._links:
            return
        try:
            self._links[event.link].on_delivery(event.delivery)
        except Exception as error:  # noqa: BLE001 - it is logged
            # A bug here, or a client unlike any seen before: it is told, and the others go on.
            _log.exception("a client is sent away")
            event.connection.condition = Condition("amqp:internal-error", repr(error))
            event.connection.close()
        self._after()

    def _attach(self, link: Any, path: str) -> None:
        handler: Inlet | Outlet | Requests | Replies
        if path == CBS or path.endswith(MANAGEMENT):
            handler = self._service(link, path)
            handler.open()
        elif link.is_receiver:
            handler = Inlet(link, self._namespace.find(path))
            handler.open()
        else:
            handler = self._outlet(link, path)
        self._links[link] = handler

    def _service(self, link: Any, path: str) -> Requests | Replies:
        key = (link.session, path)
        if link.is_sender:
            self._replies[key] = Replies(link)
            return self._replies[key]
        return Requests(link, path, self._namespace, lambda: self._replies.get(key))

    def _outlet(self, link: Any, path: str) -> Outlet:
        queue = self._namespace.find(path)
        if isinstance(queue, Topic):
            raise NotAllowed(f"'{path}' is a topic: receive from one of its subscriptions.")
        check_receiver(link, queue)
        outlet = Outlet(link, queue, self._forget)
        _log.info("%s: a receiver has come", queue.path)
        if isinstance(queue, SessionQueue):
            self._waiting.enter(outlet, link, queue)
        else:
            outlet.open()
            self._outlets.add(outlet)
        return outlet

    def _forget(self, outlet: Outlet) -> None:
        _log.info("%s: a receiver has gone", outlet.queue.path)
        self._outlets.remove(outlet)
        self._waiting.leave(outlet)

    def _drop(self, goes: Callable[[Any], bool]) -> None:
        for link in [each for each in self._links if goes(each)]:
            self._links.pop(link).on_close()
        self._replies = {key: each for key, each in self._replies.items() if each in self._links.values()}
        self._after()

    def _after(self) -> None:
        """Hand out what has become available, make it last, and see when there is more to do."""
        while stirred := self._namespace.take_stirred():
            for queue in stirred:
                self._serve(queue)
        self._namespace.commit()
        self._schedule()

    def _serve(self, queue: Queue) -> None:
        if isinstance(queue, SessionQueue):
            self._waiting.look(queue)
        self._outlets.pump(queue)

    def _schedule(self) -> None:
        due = self._namespace.next_due
        if due is None or (self._timer_due is not None and self._timer_due <= due):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_due = due
        self._timer = self._container.schedule(max(0, due / 1000 - time.time()) + _TICK, self)


_TICK = 0.001
"""A moment later than due, so that what is due is over and not just ending."""


def _path(address: str) -> str:
    """The path of an address; clients give whole ones, with the host in front."""
    return address.split("://", 1)[-1].split("/", 1)[-1] if "://" in address else address
