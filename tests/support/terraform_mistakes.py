"""Mistakes in a stack, made on purpose: whether they are found, and for their own reasons.

Nobody here can apply the stacks for Google Cloud and Azure, so what finds mistakes is the provider's schema and the
stack's own tests.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest

from tests.support.terraform import Stack, failures


class Mistake(NamedTuple):
    """A text in a file, what is written instead, and how what is said of it begins."""

    file: str
    text: str
    instead: str
    said: str


def by_file(mistakes: Mapping[str, Mapping[str, Mistake]]) -> list[Any]:
    """Parameters: which file of the stack's tests finds what."""
    return [pytest.param(file, mistake, id=name) for file, each in mistakes.items() for name, mistake in each.items()]


@contextmanager
def made(copy: Stack, mistake: Mistake) -> Iterator[None]:
    """Make a mistake in a copy, and then unmake it."""
    path = copy.folder.parents[1] / mistake.file
    right = path.read_text()
    assert mistake.text in right
    path.write_text(right.replace(mistake.text, mistake.instead))
    try:
        yield
    finally:
        path.write_text(right)


def said_by_validation(copy: Stack, mistake: Mistake) -> str:
    """What `terraform validate` says of a mistake: one thing."""
    with made(copy, mistake):
        told = json.loads(copy.run("validate", "-json", check=False).stdout)
    (found,) = {each["summary"] for each in told["diagnostics"]}
    return str(found)


def said_by_tests(copy: Stack, file: str, mistake: Mistake) -> str:
    """What the stack's own tests say of a mistake first; others follow from it."""
    with made(copy, mistake):
        found = failures(copy.test(f"-filter=tests/{file}.tftest.hcl"))
    return next(iter(found), "nothing")
