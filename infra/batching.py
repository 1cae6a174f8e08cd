"""Cutting what is to be sent into what one call may carry."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def batches(items: Iterable[T], size: Callable[[T], int], count: int, total: int) -> Iterator[list[T]]:
    """Batches of at most `count` items and `total` bytes; an item that is bigger by itself is a batch of its own."""
    batch: list[T] = []
    left = total
    for item in items:
        bytes_ = size(item)
        if batch and (len(batch) == count or bytes_ > left):
            yield batch
            batch, left = [], total
        batch.append(item)
        left -= bytes_
    if batch:
        yield batch
