"""The whole order flow on Google's emulators: messages a second and latency, by pull and by push.

By pull, the real functions run in this process. By push, they run under functions-framework and gunicorn, behind the
stand-in for Cloud Run. Beside both: the same calls of Google's clients and nothing else, run in the same way, and the
emulator delivering the same messages to nobody in particular.
"""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from tests.benchmarks import gcp_push
from tests.benchmarks.gcp_bare import BareLoop
from tests.benchmarks.gcp_emulator import DELIVERIES, MESSAGES, fresh, output_to, running
from tests.benchmarks.gcp_limits import Alone, IdleLoop, pushing
from tests.benchmarks.gcp_loop import Loop
from tests.benchmarks.gcp_push import Pushed
from tests.benchmarks.gcp_shop import Deployment, Functions
from tests.benchmarks.latencies import measured
from tests.benchmarks.measure import MILLISECONDS, Case, Scale, Table, interleave
from tests.benchmarks.samples import purchases

EMULATOR, BARE, TREFOIL = "emulator alone", "bare loop", "Trefoil"
CONTENDERS: dict[str, Callable[[Deployment, int], Loop]] = {EMULATOR: IdleLoop, BARE: BareLoop, TREFOIL: Functions}
SHARES = {1: 80, 10: 40}
"""Messages of a service at once -> which fraction of the orders a turn has."""
PUSH_SHARE, LATENCY_SHARE = 80, 100
WARMING = 2
"""Orders before the first that is timed."""

NOTES = [
    "Emulators on the same cores: the ratios say what Trefoil adds, the rest is the emulators' speed.",
    "Emulator alone: the flow's messages delivered to all subscriptions, and nothing done with them.",
    "Bare loop: the same calls of Google's clients. No deduplication, state, retries, dead letters or logs.",
]


def measure(scale: Scale, folder: Path) -> list[Table]:
    """Start the emulators and measure."""
    with running(folder) as emulators:
        return compare(scale, folder, emulators)


def compare(scale: Scale, folder: Path, emulators: Mapping[str, str]) -> list[Table]:
    """By pull, then by push."""
    tables = pull(scale, folder)
    with ExitStack() as stack:
        sources = {BARE: gcp_push.BARE, TREFOIL: gcp_push.TREFOIL}
        places = {name: folder / f"functions-{number}" for number, name in enumerate(sources)}
        pushed = {
            name: stack.enter_context(gcp_push.deployed(emulators, places[name], source))
            for name, source in sources.items()
        }
        return [*tables, *push(scale, folder, pushed)]


def pull(scale: Scale, folder: Path) -> list[Table]:
    """What Pub/Sub can do, then speed and latency by pull; what functions log goes to a file."""
    with output_to(folder / "log.jsonl"):
        speeds = [_alone(scale, folder), *(_pulled(scale, folder, at_once) for at_once in SHARES)]
        return [*speeds, _pulled_latency(scale, folder)]


def _alone(scale: Scale, folder: Path) -> Table:
    alone = Alone(folder, scale.orders)
    cases = [
        Case("publish", alone.publish),
        Case("pull and acknowledge", alone.pull),
        Case("publish and push", alone.push),
    ]
    title = "The Pub/Sub emulator alone: one topic, one subscription"
    return Table(title=title, unit="messages/s", rows=interleave(cases, scale.rounds), digits=0)


def _pulled(scale: Scale, folder: Path, at_once: int) -> Table:
    orders = max(scale.orders // SHARES[at_once], 1)
    cases = [Case(name, partial(_speed, folder, make, at_once, orders)) for name, make in CONTENDERS.items()]
    title = f"Order flow by pull, {at_once} of a service at once"
    rows = interleave(cases, scale.rounds)
    return Table(title=title, unit="messages/s", rows=rows, against=[EMULATOR, BARE], digits=0)


def _speed(folder: Path, make: Callable[[Deployment, int], Loop], at_once: int, orders: int) -> float:
    """Messages a second, all orders waiting at the start."""
    loop = make(fresh(Deployment, folder), at_once)
    loop.send(purchases(orders))
    with loop:
        return orders * MESSAGES / (loop.wait(orders * DELIVERIES) - loop.started)


def _pulled_latency(scale: Scale, folder: Path) -> Table:
    orders = max(scale.orders // LATENCY_SHARE, 2)
    contenders = {name: partial(_latencies, folder, CONTENDERS[name], orders) for name in (BARE, TREFOIL)}
    rows = measured(contenders, scale.rounds)
    title = "One order at a time by pull: sent to last effect"
    return Table(title=title, unit="ms", rows=rows, against=[f"{BARE}, p50"])


def _latencies(folder: Path, make: Callable[[Deployment, int], Loop], orders: int) -> list[float]:
    with make(fresh(Deployment, folder), max(SHARES)) as loop:
        found = [loop.latency(order) * MILLISECONDS for order in purchases(WARMING + orders)]
    return found[WARMING:]


def push(scale: Scale, folder: Path, pushed: Mapping[str, Pushed]) -> list[Table]:
    """Speed and latency by push; the functions are warm."""
    orders = max(scale.orders // PUSH_SHARE, 1)
    cases = [Case(EMULATOR, partial(pushing, folder, orders))]
    cases += [Case(name, partial(_push_speed, each, orders)) for name, each in pushed.items()]
    speed = Table(
        title="Order flow by push, through functions-framework",
        unit="messages/s",
        rows=interleave(cases, scale.rounds),
        against=[EMULATOR, BARE],
        digits=0,
    )
    few = max(scale.orders // LATENCY_SHARE // 4, 2)
    rows = measured({name: partial(_push_latencies, each, few) for name, each in pushed.items()}, scale.rounds)
    title = "One order at a time by push: sent to last effect"
    return [speed, Table(title=title, unit="ms", rows=rows, against=[f"{BARE}, p50"], digits=0, notes=NOTES)]


def _push_speed(pushed: Pushed, orders: int) -> float:
    return orders * MESSAGES / pushed.run(orders)


def _push_latencies(pushed: Pushed, orders: int) -> list[float]:
    return [pushed.run(1) * MILLISECONDS for _ in range(orders)]
