"""Batches of what one call may carry."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.batching import batches


def cut(sizes, count=3, total=10):
    return list(batches(sizes, lambda size: size, count, total))


@pytest.mark.parametrize(
    ("sizes", "found"),
    [
        ([], []),
        ([1, 1, 1, 1], [[1, 1, 1], [1]]),
        ([5, 5, 1], [[5, 5], [1]]),
        ([6, 5], [[6], [5]]),
        ([1, 30, 1], [[1], [30], [1]]),
        ([30, 0], [[30], [0]]),
        ([10, 0], [[10, 0]]),
    ],
)
def test_a_batch_ends_before_it_holds_too_much(sizes, found):
    assert cut(sizes) == found


@given(st.lists(st.integers(0, 15)), st.integers(1, 5), st.integers(0, 12))
def test_every_batch_keeps_both_limits_and_nothing_is_lost_or_moved(sizes, count, total):
    found = cut(sizes, count, total)

    assert [size for batch in found for size in batch] == sizes
    assert all(1 <= len(batch) <= count for batch in found)
    assert all(sum(batch) <= total for batch in found if len(batch) > 1)


@given(st.lists(st.integers(0, 15)))
def test_no_batch_could_have_taken_the_next_item(sizes):
    found = cut(sizes)

    assert all(len(batch) == 3 or sum(batch) + following[0] > 10 for batch, following in pairwise(found))


def test_a_batch_is_handed_out_before_the_rest_is_read():
    read = []

    first = next(batches((read.append(n) or n for n in range(100)), lambda _: 1, 2, 10))

    assert first == [0, 1]
    assert read == [0, 1, 2]
