"""The simulation itself: it can be repeated, and it meets everything that it is meant to meet."""

import os
import subprocess
import sys
from pathlib import Path

from tests.support.faults import KINDS
from tests.support.simulation import Simulation
from tests.support.simulation_workload import schedule

OUTCOMES = {
    "Done", "Deferral", "CircuitOpen", "OutOfTime", "OutOfOrder", "StoreUnavailable", "PublishFailed", "RuntimeError",
    "ProviderUnavailable", "RuleViolation", "IdReused", "HopLimitExceeded", "Expired", "OutcomeUnknown",
    "TriesExhausted",
}  # fmt: skip
ROOT = Path(__file__).parents[2]
EVENTFUL_SEED = "3"
EVENTFUL = range(2_000)


def test_a_seed_tells_the_same_story_in_every_process():
    stories = [tell(EVENTFUL_SEED, hash_seed) for hash_seed in ("1", "2")]

    assert "FAULT" in stories[0]
    assert stories[0] == stories[1]


def tell(seed, hash_seed):
    """The story of a seed, told by a process whose sets have an order of their own."""
    command = [sys.executable, "-m", "tests.support.simulation", seed]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout


def test_every_fault_strikes_and_every_outcome_is_seen():
    missing = {*KINDS, *OUTCOMES}

    for seed in EVENTFUL:
        if not missing:
            break
        missing -= Simulation(schedule(seed)).run().seen

    assert missing == set()
