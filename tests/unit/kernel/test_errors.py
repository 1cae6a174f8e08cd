"""The tree in the module's docstring is the tree of the classes."""

import inspect
import re
from collections.abc import Iterator

from shared.kernel import errors


def drawn() -> Iterator[tuple[str, str]]:
    """Each class of the drawing with its parent: every four columns to the right are a generation."""
    lines = (errors.__doc__ or "").splitlines()
    ancestors = [next(line for line in lines if line == "TrefoilError")]
    yield ancestors[0], "Exception"
    for line in lines:
        if found := re.match(r"(?P<branch>[│ ]*[├└]── )(?P<name>\w+)", line):
            depth = len(found["branch"]) // 4
            ancestors[depth:] = [found["name"]]
            yield found["name"], ancestors[depth - 1]


def written() -> Iterator[tuple[str, str]]:
    """Each class of the module with its parent."""
    for name, found in inspect.getmembers(errors, inspect.isclass):
        yield name, found.__base__.__name__


def test_the_docstring_draws_the_classes_as_they_are():
    assert sorted(drawn()) == sorted(written())


def test_every_error_says_in_a_sentence_what_happened():
    lacking = [name for name, found in inspect.getmembers(errors, inspect.isclass) if "." not in (found.__doc__ or "")]

    assert lacking == []


def test_a_deferral_carries_the_wait_that_its_cause_suggests():
    suggested, left_open = errors.CircuitOpen("the gateway is down", after=30), errors.CircuitOpen("it is down")

    assert (str(suggested), suggested.after) == ("the gateway is down", 30)
    assert left_open.after is None
