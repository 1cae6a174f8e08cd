"""Requests and their answers: `$cbs`, where clients show who they are, and the entities' `$management`."""

import logging
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from proton import Delivery, Message, int32, symbol

from infra.emulators.servicebus.amqp.conditions import CONDITIONS
from infra.emulators.servicebus.amqp.inlets import replenish
from infra.emulators.servicebus.amqp.operations import Answer, perform
from infra.emulators.servicebus.amqp.sections import own
from infra.emulators.servicebus.broker.errors import BrokerError, InvalidRequest
from infra.emulators.servicebus.broker.namespace import Namespace

CBS = "$cbs"
MANAGEMENT = "$management"

_OK = 200
_ACCEPTED = 202
_NO_CONTENT = 204
_EMPTY_IS_NO_CONTENT = ("com.microsoft:peek-message", "com.microsoft:get-message-sessions")

_log = logging.getLogger(__name__)


class Replies:
    """The link by which a client gets its answers."""

    def __init__(self, link: Any) -> None:
        self._link = link

    def open(self) -> None:
        """Attach."""
        self._link.open()

    def send(self, answer: Message) -> None:
        """Send one answer; nobody says whether it arrived."""
        delivery = self._link.delivery(uuid4().bytes)
        self._link.stream(answer.encode())
        self._link.advance()
        delivery.settle()

    def on_delivery(self, delivery: Any) -> None:
        """Answers are settled already."""

    def on_flow(self) -> None:
        """Answers take their credit as it comes; proton keeps them until it does."""

    def on_close(self) -> None:
        """Nothing is left behind."""


class Requests:
    """The link by which a client asks; `replies` finds the link for the answer, if the client has one."""

    def __init__(self, link: Any, address: str, namespace: Namespace, replies: Callable[[], Replies | None]) -> None:
        self._link = link
        self._address = address
        self._namespace = namespace
        self._replies = replies

    def open(self) -> None:
        """Attach, and let the client ask."""
        self._link.open()
        replenish(self._link)

    def on_delivery(self, delivery: Any) -> None:
        """Answer a request, once all of it has arrived."""
        if delivery.aborted or delivery.partial or not delivery.readable:
            return
        request = Message()
        request.decode(bytes(self._link.recv(delivery.pending)))
        self._link.advance()
        delivery.update(Delivery.ACCEPTED)
        delivery.settle()
        replenish(self._link)
        replies = self._replies()
        if replies is not None:
            replies.send(self._answer(request))

    def on_flow(self) -> None:
        """Requests give no credit."""

    def on_close(self) -> None:
        """Nothing is left behind."""

    def _answer(self, request: Any) -> Message:
        answer = self._welcome() if self._address == CBS else self._performed(request)
        answer.correlation_id = own(request.id)
        return answer

    def _welcome(self) -> Message:
        """Whoever comes is let in: this runs on the developer's own machine."""
        return Message(properties={"status-code": int32(_ACCEPTED), "status-description": "Accepted"})

    def _performed(self, request: Any) -> Message:
        operation = str((request.properties or {}).get("operation"))
        try:
            entity = self._namespace.find(self._address.removesuffix(MANAGEMENT))
            found = _done(perform, entity, operation, own(request.body) or {})
        except BrokerError as error:
            _log.info("%s: %s was refused: %s", self._address, operation, error)
            name, status = CONDITIONS[type(error)]
            return _message(status, str(error), {}, errorCondition=symbol(name))
        if not found and operation in _EMPTY_IS_NO_CONTENT:
            return _message(_NO_CONTENT, "No content", {})
        return _message(_OK, "OK", found)


def _done(act: Callable[[Any, str, Any], Answer], entity: Any, operation: str, body: Any) -> Answer:
    """Perform an operation; a request that lacks something is the client's fault."""
    try:
        return act(entity, operation, body)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidRequest(f"The request for {operation} is incomplete: {error!r}.") from error


def _message(status: int, description: str, body: Answer, **more: Any) -> Message:
    properties = {"statusCode": int32(status), "statusDescription": description, **more}
    return Message(body=body, properties=properties)
