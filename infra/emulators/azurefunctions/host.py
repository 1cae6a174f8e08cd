"""The host: workers that know an app's functions, and whatever triggers them."""

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from infra.emulators.azurefunctions.bindings import INCLUDES_EMPTY
from infra.emulators.azurefunctions.functions import Function, Queue, Timer, trigger
from infra.emulators.azurefunctions.hostjson import HostJson
from infra.emulators.azurefunctions.rpc import InvocationRequest, ParameterBinding, StatusResult, TypedData
from infra.emulators.azurefunctions.triggers import Clock, Listener
from infra.emulators.azurefunctions.wire import Indexed
from infra.emulators.azurefunctions.workers import WorkerLost, Workers

_STOP_SECONDS = 3.0

log = logging.getLogger(__name__)


class Host:
    """Lives in one event loop."""

    def __init__(self, workers: Workers, options: HostJson, settings: Mapping[str, str], *, schedules: bool) -> None:
        self._workers = workers
        self._options = options
        self._settings = settings
        self._schedules = schedules
        self._triggers: list[Queue | Timer] = []
        self._clocks: list[Clock] = []
        self._running: list[Listener | Clock] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._counts: dict[str, Counter[str]] = {}

    async def start(self) -> None:
        """Start workers and listen; raises DidNotIndex and ConfigurationError, for an app that can't be run."""
        indexed = await self._workers.start()
        self._triggers = [trigger(each, self._settings) for each in indexed.functions]
        self._counts = {each.function.name: Counter() for each in self._triggers}
        listeners = [self._listener(each, indexed) for each in self._triggers if isinstance(each, Queue)]
        self._clocks = [Clock(each, self._call) for each in self._triggers if isinstance(each, Timer)]
        self._running = [*listeners, *(self._clocks if self._schedules else ())]
        self._tasks = [asyncio.create_task(each.run()) for each in self._running]
        log.info("%d functions: %s", len(self._triggers), ", ".join(self._counts))

    async def stop(self) -> None:
        """Listen no more, give what is under way a moment, and end the workers."""
        for each in self._running:
            each.stop()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_STOP_SECONDS)
        await self._workers.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def ring(self) -> bool:
        """Call every function that has a timer; whether all succeeded."""
        return all(await asyncio.gather(*(clock.ring() for clock in self._clocks)))

    def functions(self) -> dict[str, dict[str, Any]]:
        """What triggers each function, and how often it was called and has failed."""
        return {each.function.name: {**_shown(each), **self._count(each.function)} for each in self._triggers}

    def running(self) -> list[dict[str, Any]]:
        """The worker processes."""
        return self._workers.running()

    def _listener(self, found: Queue, indexed: Indexed) -> Listener:
        options = self._options.extensions.service_bus
        return Listener(found, options, self._call, include_empty=bool(indexed.capabilities.get(INCLUDES_EMPTY)))

    def _count(self, function: Function) -> dict[str, int]:
        counted = self._counts[function.name]
        return {name: counted[name] for name in ("calls", "failures")}

    async def _call(self, function: Function, data: TypedData, metadata: dict[str, TypedData]) -> bool:
        request = InvocationRequest(str(uuid4()), function.id, [ParameterBinding(function.parameter, data)], metadata)
        self._counts[function.name]["calls"] += 1
        if why := await self._failure(request):
            self._counts[function.name]["failures"] += 1
            log.error("%s failed: %s", function.name, why)
        return not why

    async def _failure(self, request: InvocationRequest) -> str:
        """Why a call failed; empty when it did not."""
        try:
            result = (await self._workers.invoke(request)).result
        except WorkerLost as error:
            return str(error)
        if result.status == StatusResult.Success:
            return ""
        raised = result.exception
        return f"{raised.message}\n{raised.stack_trace}".rstrip() if raised else "the worker does not say why"


def _shown(found: Queue | Timer) -> dict[str, Any]:
    if isinstance(found, Timer):
        return {"trigger": "timerTrigger"}
    return {"trigger": "serviceBusTrigger", "entity": found.entity}
