"""The receiver: one message, one commit (docs/design.md, section 4; Hohpe and Woolf, "Idempotent Receiver").

A batch goes through in phases, so that no stream's append waits inside another stream's transaction.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from shared.kernel.emission import Emitter
from shared.kernel.errors import PublishFailed, TransientError
from shared.kernel.group import Group
from shared.kernel.outcome import Outcome
from shared.kernel.planner import Context
from shared.kernel.ports import Bus, Clock, Delivery, Outgoing, Store, Timer, Timers
from shared.kernel.record import Record
from shared.kernel.service import Service
from shared.kernel.stream import Folder
from shared.kernel.telemetry import Telemetry, observation

SUSPECT_AFTER = 3
"""The receive from which a record is handled alone and last, so that it can't take others with it."""

Settle = Callable[[Sequence[tuple[Delivery, Outcome]]], None]
Run = Callable[[Callable[[Group], None], Iterable[Group]], None]


def one_after_the_other(step: Callable[[Group], None], groups: Iterable[Group]) -> None:
    """The plainest `Run`; clouds use a bounded thread pool."""
    for group in groups:
        step(group)


class Receiver:
    """Decodes, deduplicates, handles, commits and publishes the deliveries of one service."""

    def __init__(  # noqa: PLR0913 - the ports, all of them
        self,
        service: Service,
        *,
        store: Store,
        bus: Bus,
        timers: Timers,
        clock: Clock,
        random: Callable[[], float],
        telemetry: Telemetry,
        provider: Any = None,
        run: Run = one_after_the_other,
    ) -> None:
        self.service = service
        self._vocabulary = service.incoming()
        self._context = Context(service, Folder(service), Emitter(service), store, clock, random, provider)
        self._bus = bus
        self._timers = timers
        self._telemetry = telemetry
        self._run = run

    def receive(self, deliveries: Sequence[Delivery], settle: Settle, deadline: float | None = None) -> None:
        """Handle a batch; `settle` is given each record's outcome, after what it caused was published.

        `deadline` (seconds since 1970) defers what can't be started in time. Raises only what `settle` raises, or a
        bug of an adapter.
        """
        for batch in _isolated(deliveries, self._context.random):
            started = self._context.clock.now()
            records = [Record(delivery) for delivery in batch]
            self._handle(records, deadline)
            settle([(record.delivery, record.outcome) for record in records if record.outcome is not None])
            ended = self._context.clock.now()
            seconds = (ended - started) / len(records)
            self._telemetry.observe([observation(self.service.name, r, ended, seconds) for r in records])

    def _handle(self, records: Sequence[Record], deadline: float | None) -> None:
        groups = self._grouped(records, deadline)
        if self.service.at_most_once:
            self._run(Group.run_one_by_one, groups)
        else:
            self._run(Group.load, groups)
            self._run(Group.plan, groups)
            self._run(Group.commit, groups)
        self._publish(records)

    def _grouped(self, records: Sequence[Record], deadline: float | None) -> list[Group]:
        groups: dict[str, Group] = {}
        for record in records:
            try:
                stream = record.open(self.service, self._vocabulary)
            except Exception as error:  # noqa: BLE001 - a key function may have a bug, too
                self._fail(record, error)
                continue
            if stream not in groups:
                groups[stream] = Group(self._context, stream, deadline)
            groups[stream].records.append(record)
        return list(groups.values())

    def _fail(self, record: Record, error: Exception) -> None:
        record.error = error
        record.outcome = record.judge(error, self.service.limits, self._context.random())

    def _publish(self, records: Sequence[Record]) -> None:
        # By id, because twins in one batch cause the same messages.
        messages: dict[str, Outgoing] = {}
        timers: dict[str, Timer] = {}
        for record in records:
            for sent in record.sent:
                if isinstance(sent, Timer):
                    timers[sent.message.id] = sent
                else:
                    messages[sent.id] = sent
        unconfirmed = {**self._send(messages), **self._set(timers)}
        if unconfirmed:
            self._fail_unconfirmed(records, unconfirmed)

    def _send(self, messages: dict[str, Outgoing]) -> dict[str, TransientError]:
        if not messages:
            return {}
        try:
            lost = self._bus.publish(list(messages.values()))
        except TransientError as error:
            return dict.fromkeys(messages, error)
        return {id_: PublishFailed(f"the bus did not confirm '{id_}'") for id_ in lost}

    def _set(self, timers: dict[str, Timer]) -> dict[str, TransientError]:
        if not timers:
            return {}
        try:
            self._timers.set(list(timers.values()))
        except TransientError as error:
            return dict.fromkeys(timers, error)
        return {}

    def _fail_unconfirmed(self, records: Sequence[Record], unconfirmed: dict[str, TransientError]) -> None:
        for record in records:
            for sent in record.sent:
                id_ = sent.message.id if isinstance(sent, Timer) else sent.id
                if id_ in unconfirmed:
                    self._fail(record, unconfirmed[id_])


def is_suspect(delivery: Delivery) -> bool:
    """Whether it may have killed those who handled it."""
    return delivery.attempts >= SUSPECT_AFTER


def _isolated(deliveries: Sequence[Delivery], random: Callable[[], float]) -> Iterator[Sequence[Delivery]]:
    if fresh := [delivery for delivery in deliveries if not is_suspect(delivery)]:
        yield fresh
    # In another order each time, so that one that kills its worker does not always come before the same others.
    for suspect in sorted(filter(is_suspect, deliveries), key=lambda _: random()):
        yield [suspect]
