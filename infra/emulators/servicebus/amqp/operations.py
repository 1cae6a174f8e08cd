"""What can be asked of an entity at its `$management` address, beside its links."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from proton import Array, Data, timestamp

from infra.emulators.servicebus.amqp.codec import delivered, unpack
from infra.emulators.servicebus.broker.errors import InvalidRequest, NotSupported
from infra.emulators.servicebus.broker.message import Entry
from infra.emulators.servicebus.broker.queue import Queue
from infra.emulators.servicebus.broker.session_queue import SessionQueue
from infra.emulators.servicebus.broker.topic import Topic

Body = Mapping[str, Any]
Answer = dict[str, Any]

_RECEIVE_AND_DELETE = 0
"""The settle mode of receivers that delete."""


def perform(entity: Queue | Topic, operation: str, body: Body) -> Answer:
    """Do it; an empty answer stands for "no content". Raises BrokerError."""
    name = operation.removeprefix("com.microsoft:")
    if name in _ENTITY:
        return _ENTITY[name](entity, body)
    if name in _QUEUE and isinstance(entity, Queue):
        return _QUEUE[name](entity, body)
    if name in _SESSION and isinstance(entity, SessionQueue):
        return _SESSION[name](entity, body)
    raise NotSupported(f"'{entity.path}' has no operation '{name}' here.")


def _schedule(entity: Queue | Topic, body: Body) -> Answer:
    numbers = entity.send([unpack(bytes(each["message"])) for each in body["messages"]])
    return {"sequence-numbers": Array(None, Data.LONG, *numbers)}


def _cancel(entity: Queue | Topic, body: Body) -> Answer:
    entity.cancel(_elements(body["sequence-numbers"]))
    return {}


def _peek(entity: Queue | Topic, body: Body) -> Answer:
    entries = entity.peek(body["from-sequence-number"], body["message-count"], body.get("session-id"))
    return {"messages": [{"message": delivered(each)} for each in entries]} if entries else {}


def _renew(queue: Queue, body: Body) -> Answer:
    until = [queue.renew(token) for token in _elements(body["lock-tokens"])]
    return {"expirations": Array(None, Data.TIMESTAMP, *map(timestamp, until))}


def _receive(queue: Queue, body: Body) -> Answer:
    deletes = body.get("receiver-settle-mode") == _RECEIVE_AND_DELETE
    session = None
    if isinstance(queue, SessionQueue):
        session = queue.sessions.held(str(body.get("session-id")))
    entries = queue.receive_deferred(_elements(body["sequence-numbers"]), session, delete=deletes)
    return {"messages": [_received(each) for each in entries]}


def _received(entry: Entry) -> Answer:
    locked = {} if entry.token is None else {"lock-token": entry.token}
    return {"message": delivered(entry), **locked}


def _settle(queue: Queue, body: Body) -> Answer:
    more = body.get("properties-to-modify") or {}
    reason, description = body.get("deadletter-reason") or "", body.get("deadletter-description") or ""
    ways: dict[str, Callable[[UUID], None]] = {
        "completed": queue.complete,
        "abandoned": lambda token: queue.abandon(token, more),
        "defered": lambda token: queue.defer(token, more),
        "suspended": lambda token: queue.dead_letter(token, reason, description, more),
    }
    status = body["disposition-status"]
    if status not in ways:
        raise InvalidRequest(f"A message can't be '{status}'.")
    for token in _elements(body["lock-tokens"]):
        ways[status](token)
    return {}


def _session_state(queue: SessionQueue, body: Body) -> Answer:
    return {"session-state": queue.session_state(body["session-id"])}


def _set_session_state(queue: SessionQueue, body: Body) -> Answer:
    state = body["session-state"]
    queue.set_session_state(body["session-id"], None if state is None else bytes(state))
    return {}


def _renew_session(queue: SessionQueue, body: Body) -> Answer:
    return {"expiration": timestamp(queue.renew_session(body["session-id"]))}


def _list_sessions(queue: SessionQueue, body: Body) -> Answer:
    after = int(body["last-updated-time"])
    sessions = queue.list_sessions() if after >= _ALWAYS else queue.sessions.with_state(after)
    skip = body["skip"]
    page = sessions[skip : skip + body["top"]]
    return {"skip": skip + len(page), "sessions-ids": Array(None, Data.STRING, *page)} if page else {}


_ALWAYS = 253_402_300_800_000
"""The year 10000: sessions are not asked for by the time of their state, but those with anything in them."""

_ENTITY: dict[str, Callable[[Queue | Topic, Body], Answer]] = {
    "schedule-message": _schedule,
    "cancel-scheduled-message": _cancel,
    "peek-message": _peek,
}
_QUEUE: dict[str, Callable[[Queue, Body], Answer]] = {
    "renew-lock": _renew,
    "receive-by-sequence-number": _receive,
    "update-disposition": _settle,
}
_SESSION: dict[str, Callable[[SessionQueue, Body], Answer]] = {
    "get-session-state": _session_state,
    "set-session-state": _set_session_state,
    "renew-session-lock": _renew_session,
    "get-message-sessions": _list_sessions,
}


def _elements(array: Any) -> list[Any]:
    """What an AMQP array, or a list, holds."""
    return list(array.elements if isinstance(array, Array) else array)
