"""The audit, after runs with faults: silent when every promise was kept, exact when one was broken."""

import pytest

from shared.kernel.audit import find_missing, repair
from shared.kernel.history import History
from shared.kernel.ports import System
from tests.support.faults_rules_publishing import ignore_what_was_not_confirmed
from tests.support.simulation import Simulation
from tests.support.simulation_evidence import Evidence
from tests.support.simulation_focus import answers_lost
from tests.support.simulation_invariants import lost, violations
from tests.support.simulation_workload import schedule

KEPT = range(100)
BROKEN = range(20)


class Courier:
    """A bus that an operator uses when all is quiet."""

    def __init__(self, world):
        self._world = world

    def publish(self, messages):
        self._world.hand_over(messages)
        return set()


def system(world):
    """The deployment that a simulated world is."""
    broker = world.broker
    return System(world.store, Courier(world), broker, broker, broker, broker, None)


def audit(world):
    """What the audit names."""
    return list(find_missing(History(world.catalog, world.store), system(world)))


def test_the_audit_finds_nothing_when_every_promise_was_kept():
    found = {seed: audit(Simulation(schedule(seed)).run()) for seed in KEPT}

    assert not any(found.values()), found


@pytest.mark.parametrize("seed", BROKEN)
def test_the_audit_finds_exactly_what_a_bus_lost_and_repairs_it(seed, monkeypatch):
    ignore_what_was_not_confirmed(monkeypatch)
    simulation = Simulation(answers_lost(seed))
    world = simulation.run()

    found = audit(world)

    assert {(each.service, each.id) for each in found} == {(copy.service, copy.id) for copy in lost(Evidence(world))}
    assert found != []
    while missing := audit(world):
        repair(system(world), missing)
        simulation.run()
    # A message that no service handles is nobody's to miss.
    assert [each for each in violations(world) if "never published" not in each] == []
