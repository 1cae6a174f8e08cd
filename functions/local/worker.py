"""The local worker: leases, handles and settles batches of every service, until told to stop or nothing is left."""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from infra.local.wiring import Local, process_is_alive
from shared.kernel.errors import StoreUnavailable
from shared.kernel.outcome import Outcome
from shared.kernel.ports import Delivery
from shared.kernel.receiver import Receiver
from shared.kernel.telemetry import Telemetry
from shared.kernel.timers import tick

BATCH = 100
LEASE_SECONDS = 60.0
"""A worker that dies frees its leases at the next worker's start; this is for one that hangs."""
NAP_SECONDS = 0.05
TROUBLE_NAP_SECONDS = 1.0
GIVE_UP_AFTER = 10


class Worker:
    """One process's share of the work."""

    def __init__(self, local: Local, telemetry: Telemetry, batch: int = BATCH) -> None:
        self._local = local
        self._receivers = local.receivers(telemetry)
        self._batch = batch
        self._troubles = 0

    def run(self, *, until_idle: bool, stopped: Callable[[], bool]) -> None:
        """Work until `stopped`, or, with `until_idle`, until no channel holds anything.

        Raises StoreUnavailable when the database keeps refusing.
        """
        broker, pid = self._local.broker, os.getpid()
        broker.retire(pid)  # whoever had this process's number before is gone
        broker.free_leases_of_the_dead(process_is_alive)
        broker.enlist(pid)
        try:
            while not stopped():
                if self._work_off(stopped):
                    continue
                if until_idle and broker.idle():
                    break
                self._local.clock.sleep(NAP_SECONDS)
        finally:
            with suppress(StoreUnavailable):  # the next worker to start sees that this one is gone
                broker.retire(pid)

    def _work_off(self, stopped: Callable[[], bool]) -> bool:
        """Work until nothing is to be had; return whether trouble cut it short."""
        try:
            if self._troubles:
                # What was leased before the trouble would be out of reach until its lease ends.
                self._local.broker.give_back(os.getpid())
            with self._local.database.unit_of_work():
                while self._round(stopped):
                    self._troubles = 0
        except StoreUnavailable:
            # Rolled back as a whole: every message is where it was. Disks get room again, locks are released.
            self._troubles += 1
            if self._troubles >= GIVE_UP_AFTER:
                raise
            self._local.clock.sleep(TROUBLE_NAP_SECONDS)
            return True
        return False

    def _round(self, stopped: Callable[[], bool]) -> bool:
        """Visit every service once; return whether there was anything to do."""
        busy = [self._visit(receiver) for receiver in self._receivers.values() if not stopped()]
        ticked = tick(self._local.broker, self._local.broker, self._local.clock)
        return any(busy) or ticked > 0

    def _visit(self, receiver: Receiver) -> bool:
        name = receiver.service.name
        lease = max(LEASE_SECONDS, 2 * receiver.service.limits.handler_seconds)
        deadline = self._local.clock.now() + lease  # the lease begins later, once the database is free
        batch = self._local.broker.lease(name, self._batch, lease)
        if batch:
            receiver.receive(batch, partial(self._settle, name, len(batch)), deadline)
        return bool(batch)

    def _settle(self, service: str, expected: int, settlements: Sequence[tuple[Delivery, Outcome]]) -> None:
        self._local.broker.settle(service, settlements)
        if len(settlements) < expected:
            # Records that took workers down before come one by one: what is settled must outlive the next one.
            self._local.database.flush()
