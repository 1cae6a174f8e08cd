"""Every rule of the protocol is needed: without it, a schedule that the real kernel survives breaks a promise."""

import pytest

from tests.support.faults_rules_deciding import DECIDING, EFFECTS
from tests.support.faults_rules_memory import MEMORY
from tests.support.faults_rules_publishing import PUBLISHING
from tests.support.simulation import broken_promises

RULES = {**PUBLISHING, **MEMORY, **DECIDING, **EFFECTS}
SEEDS = range(1_000)
"""The rarest is caught by one schedule in sixty, so that a change of the kernel leaves enough of them."""


@pytest.mark.parametrize("rule", RULES)
def test_without_this_rule_a_promise_is_broken(rule, monkeypatch):
    broken = RULES[rule]
    broken.break_it(monkeypatch)

    caught = next((seed for seed in SEEDS if broken_promises(broken.about(seed))), None)

    assert caught is not None, f"no schedule notices that this rule is broken: {rule}"
    monkeypatch.undo()
    assert [seed for seed in range(caught + 1) if broken_promises(broken.about(seed))] == []
