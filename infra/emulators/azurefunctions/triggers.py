"""What calls functions: a listener for each Service Bus trigger, a clock for each timer trigger."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from azure.core.exceptions import AzureError

from infra.emulators.azurefunctions.bindings import bodies, body, of_batch, of_one
from infra.emulators.azurefunctions.functions import Function, Queue, Timer
from infra.emulators.azurefunctions.hostjson import ServiceBusOptions
from infra.emulators.azurefunctions.rpc import TypedData

if TYPE_CHECKING:
    from azure.servicebus import ServiceBusReceivedMessage as Received
    from azure.servicebus.aio import AutoLockRenewer, ServiceBusClient, ServiceBusReceiver

FAULTS = (AzureError, OSError, ValueError)
"""What a receiver raises when the broker is gone; a ValueError when it has been closed underneath."""

_PATIENCE = 1.0
"""Seconds that a receiver waits for a first message before it looks whether it is to end."""
_PAUSE = 0.5
"""Seconds before a broker that was gone is asked again."""

log = logging.getLogger(__name__)


class Call(Protocol):
    """Calls a function."""

    def __call__(self, function: Function, data: TypedData, metadata: dict[str, TypedData]) -> Awaitable[bool]:
        """Whether it succeeded."""


class Listener:
    """Receives, calls, settles: one batch at a time, or so many single messages at once."""

    def __init__(self, trigger: Queue, options: ServiceBusOptions, call: Call, *, include_empty: bool) -> None:
        self._trigger = trigger
        self._options = options
        self._call = call
        self._include_empty = include_empty
        self._free = 1 if trigger.many else options.max_concurrent_calls
        self._tasks = asyncio.TaskGroup()
        self._stopping = False

    async def run(self) -> None:
        """Until it is told to stop."""
        async with self._tasks:
            self._listen()

    def stop(self) -> None:
        """Receive nothing more; what is under way is carried through."""
        self._stopping = True

    def _listen(self) -> None:
        """Have one more receiver, if that is allowed: there is always one more than have something to do."""
        if self._free:
            self._free -= 1
            self._tasks.create_task(self._loop())

    async def _loop(self) -> None:
        from azure.servicebus.aio import AutoLockRenewer, ServiceBusClient  # noqa: PLC0415 - only where there are queues

        while not self._stopping:
            client = ServiceBusClient.from_connection_string(self._trigger.connection, retry_total=0)
            renewer = AutoLockRenewer(max_lock_renewal_duration=self._options.renewal_seconds)
            try:
                async with client, renewer, self._receiver(client) as receiver:
                    while not self._stopping:
                        await self._turn(receiver, renewer)
            except FAULTS as error:
                log.warning("%s: %r", self._trigger.entity, error)
                await asyncio.sleep(_PAUSE)

    def _receiver(self, client: "ServiceBusClient") -> "ServiceBusReceiver":
        its, prefetch = self._trigger, self._options.prefetch_count
        if its.queue:
            return client.get_queue_receiver(its.queue, prefetch_count=prefetch)
        return client.get_subscription_receiver(its.topic, its.subscription, prefetch_count=prefetch)

    async def _turn(self, receiver: "ServiceBusReceiver", renewer: "AutoLockRenewer") -> None:
        many = self._trigger.many
        most = self._options.max_message_batch_size if many else 1
        messages = await receiver.receive_messages(max_message_count=most, max_wait_time=_PATIENCE)
        if messages and many:
            metadata = of_batch(messages, include_empty=self._include_empty)
            await self._settle(receiver, messages, await self._call(self._trigger.function, bodies(messages), metadata))
        elif messages:
            self._listen()
            renewer.register(receiver, messages[0])
            await self._settle(receiver, messages, await self._single(messages[0]))

    async def _single(self, message: "Received") -> bool:
        found = body(message)
        data = TypedData(bytes=found) if self._trigger.binary else TypedData(string=found.decode(errors="replace"))
        return await self._call(self._trigger.function, data, of_one(message))

    async def _settle(self, receiver: "ServiceBusReceiver", messages: "Sequence[Received]", succeeded: bool) -> None:  # noqa: FBT001 - one outcome of two
        if succeeded and not self._options.auto_complete_messages:
            return
        settle = receiver.complete_message if succeeded else receiver.abandon_message
        for message in messages:
            try:
                await settle(message)
            except AzureError as error:  # its lock is lost: it comes again
                log.warning("%s: message %s: %r", self._trigger.entity, message.message_id, error)


class Clock:
    """Rings for a timer trigger when it is due; never twice at once."""

    def __init__(self, trigger: Timer, call: Call) -> None:
        self._trigger = trigger
        self._call = call
        self._ringing = asyncio.Lock()
        self._ended = asyncio.Event()

    async def run(self) -> None:
        """Until it is told to stop."""
        while not self._ended.is_set():
            now = datetime.now(UTC)
            wait = (self._trigger.schedule.after(now) - now).total_seconds()
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._ended.wait()
                    return
            await self.ring()

    async def ring(self) -> bool:
        """Call the function now; whether it succeeded."""
        async with self._ringing:
            told = {"Schedule": {"AdjustForDST": True}, "ScheduleStatus": None, "IsPastDue": False}
            return await self._call(self._trigger.function, TypedData(json=json.dumps(told)), {})

    def stop(self) -> None:
        """Ring no more."""
        self._ended.set()
