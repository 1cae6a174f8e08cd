"""Whatever goes wrong, in whatever order: every promise is kept.

A failure names the command that tells its story. CI tries tens of thousands of schedules, a laptop hundreds.
"""

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor

import msgspec
from hypothesis import given, note, settings
from hypothesis import strategies as st

from tests.support.faults import KINDS, Fault
from tests.support.simulation import broken_promises, first_failure
from tests.support.simulation_workload import CANCELLINGS, FATES, LENGTH, MEMORIES, OrderPlan, Schedule

IN_CI = os.environ.get("CI") == "true"
EXAMPLES = 5_000 if IN_CI else 300
SEEDS = 30_000 if IN_CI else 400
SHARD = 200

ORDERS = st.builds(
    OrderPlan,
    fate=st.sampled_from(FATES),
    cancelled=st.sampled_from(CANCELLINGS),
    placed_twice=st.booleans(),
    captured_again=st.booleans(),
)
FAULTS = st.builds(Fault, turn=st.integers(0, LENGTH), what=st.sampled_from(KINDS))
SCHEDULES = st.builds(
    Schedule,
    seed=st.integers(0, 2**32 - 1),
    orders=st.lists(ORDERS, max_size=3).map(tuple),
    readings=st.integers(0, 5),
    users=st.integers(0, 4),
    id_reused=st.booleans(),
    faults=st.lists(FAULTS, max_size=8).map(tuple),
    memory=st.sampled_from(MEMORIES),
    snapshot_every=st.sampled_from((50, 3, 2, 1)),
    group_limit=st.sampled_from((100, 2)),
    batch=st.sampled_from((1, 4, 10)),
    pace=st.sampled_from((0.0, 0.01, 1.0)),
)


@settings(max_examples=EXAMPLES)
@given(plan=SCHEDULES)
def test_every_promise_is_kept_whatever_goes_wrong(plan):
    note(f"To see it: python -m tests.support.simulation '{msgspec.json.encode(plan).decode()}'")

    broken = broken_promises(plan)

    assert broken == []


def test_every_promise_is_kept_in_the_same_schedules_as_always():
    shards = [range(first, first + SHARD) for first in range(0, SEEDS, SHARD)]

    # Spawned, because a fork would take Hypothesis's and pytest's threads for its own.
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as processes:
        failures = [failure for failure in processes.map(first_failure, shards) if failure]

    assert failures == []
