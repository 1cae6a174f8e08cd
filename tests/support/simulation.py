"""A deterministic simulation: several workers, interleaved at every call of a port, while things go wrong.

Each worker is a greenlet: the kernel is synchronous, and at a port's call another worker may go on instead. One seed
decides everything, so a run can be repeated: `python -m tests.support.simulation SEED` tells it step by step.
"""

import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

import msgspec
from greenlet import greenlet

from shared.kernel import draft, stream
from shared.kernel.errors import TransientError
from shared.kernel.ports import Delivery, Parked
from shared.kernel.timers import tick
from tests.support import faults
from tests.support.faults import BETWEEN, Crash, Fault
from tests.support.simulation_invariants import violations
from tests.support.simulation_stage import stage
from tests.support.simulation_story import told
from tests.support.simulation_workload import Schedule, schedule
from tests.support.simulation_world import Say, World

WORKERS = 3
LEASE_SECONDS = 300.0
"""More than the slowest batch takes, or its copies would multiply: what is settled too late was published again."""
MOST_TURNS = 10_000
"""A run that takes more will never end: ten times the longest that was seen to end."""

_REPLAYS = 4

_OVERTAKEN = frozenset({"Expired", "OutcomeUnknown"})
"""Verdicts on a copy that another worker's commit, of the same message, may still overtake."""


class Simulation:
    """One run of a schedule."""

    def __init__(self, plan: Schedule, say: Say | None = None) -> None:
        self._plan = plan
        self._stage = stage(plan.memory)
        self.world = World(plan, self._stage.catalog, self._stage.clock, say)
        self.turns = 0
        self._random = self.world.rng.random
        self._clients = list(self.world.sent)
        self._history: list[tuple[str, bytes]] = []
        self._faults = sorted(plan.faults, key=lambda fault: fault.turn, reverse=True)
        self._workers: list[greenlet | None] = [None] * WORKERS
        self._verdicts: dict[tuple[str, bytes], str] = {}

    def run(self) -> World:
        """Run until nothing is left to do, and replaying what was given up changes nothing any more."""
        before = stream.SNAPSHOT_EVERY, draft.GROUP_LIMIT
        stream.SNAPSHOT_EVERY, draft.GROUP_LIMIT = self._plan.snapshot_every, self._plan.group_limit
        self._stage.enter(self.world)
        try:
            self._until_quiet()
            for _ in range(_REPLAYS):
                if not self._replay_all():
                    break
                self._until_quiet()
            self._check_verdicts()
        finally:
            stream.SNAPSHOT_EVERY, draft.GROUP_LIMIT = before
        return self.world

    def _until_quiet(self) -> None:
        world = self.world
        while self.turns < MOST_TURNS:
            self.turns += 1
            world.time += self._plan.pace
            if self._faults and self._faults[-1].turn <= self.turns:
                self._begin(self._faults.pop())
            world.current = int(self._random() * WORKERS)
            worker = self._workers[world.current]
            if worker is not None:
                self._go_on(worker)
            elif not self._start_something() and not any(self._workers) and not self._wait():
                return
        world.broken.append(f"still busy after {MOST_TURNS} turns")

    def _go_on(self, worker: greenlet) -> None:
        worker.switch()
        if worker.dead:
            self._workers[self.world.current] = None

    # -- what a worker without work may begin

    def _start_something(self) -> bool:
        chance, world = self._random(), self.world
        if self._clients and chance < 0.3:
            self._client_sends()
        elif world.held and chance < 0.5:
            held = world.held.pop(int(self._random() * len(world.held)))
            world.say("the bus delivers", held)
            world.deliver([held])
        elif chance > 0.9 and world.broker.due(world.time, 1):
            self._work(self._tick)
        else:
            return self._receive_something()
        return True

    def _client_sends(self) -> None:
        sent = self._clients.pop()
        self.world.say("a client sends", sent)
        self.world.deliver([sent.outgoing()])

    def _receive_something(self) -> bool:
        names = list(self.world.stirring)
        first = int(self._random() * len(names))
        limit = 1 + int(self._random() * self._plan.batch)
        for index in range(first - len(names), first):
            name = names[index]
            if deliveries := self.world.lease(name, limit, LEASE_SECONDS):
                self._history += [(name, delivery.body) for delivery in deliveries]
                self._work(partial(self._receive, name, deliveries, self._deadline(name)))
                return True
        return False

    def _deadline(self, service: str) -> float | None:
        if not self.world.strikes("lease"):
            return None
        seconds = self._stage.receivers[service].service.limits.handler_seconds
        return self.world.time + seconds + 3 * self._plan.pace

    def _work(self, activity: Callable[[], None]) -> None:
        self.world.unflushed.discard(self.world.current)
        worker = self._workers[self.world.current] = greenlet(partial(_until_death, activity))
        self._go_on(worker)

    def _receive(self, service: str, deliveries: Sequence[Delivery], deadline: float | None) -> None:
        self.world.say(f"worker {self.world.current} receives at {service}", *deliveries)
        settle = partial(self._stage.channels.settle, service)
        self._stage.receivers[service].receive(deliveries, settle, deadline)

    def _tick(self) -> None:
        self.world.say(f"worker {self.world.current} ticks")
        try:
            tick(self._stage.timers, self._stage.bus, self._stage.clock, 1 + int(self._random() * 5))
        except TransientError as error:
            self.world.say(f"the tick fails: {error}")

    # -- when nobody has anything to do

    def _wait(self) -> bool:
        """Let time pass until something is due; return False when nothing ever will be."""
        world = self.world
        if self._clients:
            self._client_sends()
        elif world.held or world.stirring:
            world.deliver(world.held)
            world.held.clear()
            world.time += world.rng.choice((0.5, 5.0, LEASE_SECONDS + 1))
        elif timers := world.broker.pending():
            world.time = max(world.time, min(timer.due for timer in timers))
        elif self._faults:
            self._begin(self._faults.pop())
        else:
            return False
        return True

    # -- faults

    def _begin(self, fault: Fault) -> None:
        if fault.what in BETWEEN:
            _STRIKE[fault.what](self)
        else:
            self.world.arm(fault.what)

    def _crash(self) -> None:
        alive = [number for number, worker in enumerate(self._workers) if worker is not None]
        if alive:
            number = self.world.rng.choice(alive)
            self.world.note(faults.CRASH, f"(worker {number})")
            self._workers[number].throw(Crash)
            self._workers[number] = None

    def _leases_expire(self) -> None:
        self.world.note(faults.LEASES_EXPIRE)
        self.world.time += LEASE_SECONDS + 1

    def _half_an_hour_passes(self) -> None:
        self.world.note(faults.HALF_AN_HOUR)
        self.world.time += 1801.0

    def _late_copy(self) -> None:
        if self._history:
            service, body = self.world.rng.choice(self._history)
            self.world.note(faults.LATE_COPY, f"(at {service})", body)
            self.world.copy(service, body)

    def _operator_replays(self) -> None:
        if letters := self.world.letters():
            letter = self.world.rng.choice(letters)
            self.world.note(faults.REPLAY, f"(at {letter.service})", letter)
            self.world.replay(letter)

    # -- dead letters

    def _replay_all(self) -> bool:
        """Replay what another try may help, and once what it can't help; whether there was anything.

        Even that is safe: no mail leaves twice. And it is needed where a worker was given up for dead, committed all
        the same, and died: what it committed is published when the letter comes back.
        """
        self.world.disarm()
        first_time = not self._verdicts
        again = [letter for letter in self.world.letters() if first_time or _was_exhausted(letter)]
        for letter in again:
            if not _was_exhausted(letter):
                self._verdicts[letter.service, letter.body] = letter.failure.reason
            self.world.say(f"{letter.service} is sent its dead letter", letter)
            self.world.replay(letter)
        return bool(again)

    def _check_verdicts(self) -> None:
        """A permanent error is one however often one tries, so a letter that was replayed must be back."""
        letters = self.world.letters()
        found = {(letter.service, letter.body): letter.failure.reason for letter in letters}
        for (service, body), reason in self._verdicts.items():
            if found.get((service, body)) != reason and reason not in _OVERTAKEN:
                self.world.broken.append(f"{service} dead-lettered {told(body)} as {reason}, and handled its replay")
        exhausted = [letter for letter in letters if _was_exhausted(letter)]
        self.world.broken += [f"{letter.service} can't handle {told(letter)}" for letter in exhausted]


_STRIKE: dict[str, Callable[[Simulation], None]] = {
    faults.CRASH: Simulation._crash,
    faults.LEASES_EXPIRE: Simulation._leases_expire,
    faults.HALF_AN_HOUR: Simulation._half_an_hour_passes,
    faults.LATE_COPY: Simulation._late_copy,
    faults.REPLAY: Simulation._operator_replays,
}


def _until_death(activity: Callable[[], None]) -> None:
    with suppress(Crash):  # what the worker held in memory is gone; what it did is done
        activity()


def _was_exhausted(letter: Parked) -> bool:
    return letter.failure.reason.endswith("Exhausted")


def broken_promises(plan: Schedule, say: Say | None = None) -> list[str]:
    """Run a schedule; return every way in which it broke a promise."""
    world = Simulation(plan, say).run()
    return world.broken + list(violations(world))


def first_failure(seeds: range) -> str | None:
    """The first seed whose schedule breaks a promise, with how to see it; None when none does."""
    for seed in seeds:
        hint = f"To see it: python -m tests.support.simulation {seed}"
        try:
            broken = broken_promises(schedule(seed))
        except Exception as error:
            error.add_note(hint)
            raise
        if broken:
            return f"{'; '.join(broken)}. {hint}"
    return None


def main(argument: str) -> None:
    """Tell the run of a seed, or of a schedule in JSON."""
    plan = schedule(int(argument)) if argument.isdigit() else msgspec.json.decode(argument, type=Schedule)
    _print(str(plan))
    for promise in broken_promises(plan, _print):
        _print(f"BROKEN: {promise}")


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main(sys.argv[1])
