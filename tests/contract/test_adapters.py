"""The suites themselves: what adapters declare, and that nothing is skipped everywhere."""

import pytest

from tests.support.adapters import ADAPTERS, Capability


@pytest.mark.parametrize("capability", Capability)
def test_some_adapter_can_do_what_tests_ask_for(capability):
    able = [adapter.name for adapter in ADAPTERS if capability not in adapter.cannot]

    assert able, f"every test that needs '{capability}' is skipped"


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.name)
def test_an_adapter_gives_a_reason_for_each_capability_that_it_lacks(adapter):
    assert set(adapter.cannot) <= set(Capability)
    assert all(adapter.cannot.values())


def test_adapters_have_names_of_their_own():
    names = [adapter.name for adapter in ADAPTERS]

    assert len(set(names)) == len(names)
