import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.kernel.backoff import CONFLICT, Backoff

ATTEMPTS = st.integers(1, 10**9)


def test_the_ceiling_doubles_with_each_attempt_until_the_cap():
    backoff = Backoff(base=1, cap=10)

    ceilings = [backoff.ceiling(attempt) for attempt in range(1, 7)]

    assert ceilings == [1, 2, 4, 8, 10, 10]


@pytest.mark.parametrize(("drawn", "waited"), [(0.0, 0.0), (0.5, 2.0), (0.75, 3.0)])
def test_the_jitter_is_full_it_spreads_the_wait_from_zero_to_the_ceiling(drawn, waited):
    backoff = Backoff(base=1, cap=10)

    wait = backoff.wait(3, lambda: drawn)

    assert wait == waited


@given(ATTEMPTS, st.floats(0, 1, exclude_max=True))
def test_a_wait_stays_between_zero_and_the_cap_at_any_attempt(attempt, drawn):
    backoff = Backoff(base=0.3, cap=300)

    wait = backoff.wait(attempt, lambda: drawn)

    assert 0 <= wait < 300
    assert wait <= 0.3 * 2 ** min(attempt - 1, 60)


@given(ATTEMPTS)
def test_waiting_never_grows_shorter_with_more_attempts(attempt):
    backoff = Backoff()

    ceilings = backoff.ceiling(attempt), backoff.ceiling(attempt + 1)

    assert ceilings[0] <= ceilings[1]


def test_five_conflicts_wait_less_than_a_second_together():
    ceilings = [CONFLICT.ceiling(attempt) for attempt in range(1, 6)]

    assert sum(ceilings) < 1
