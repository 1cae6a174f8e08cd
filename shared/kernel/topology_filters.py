"""Filters for a broker that bounds their length: what a Pub/Sub subscription lets through.

A filter has at most 256 bytes, and can't be changed (Pub/Sub, "Filter messages from a subscription"). Exact types are
named while they fit; then types that begin alike are named by their beginning. What gets in beside them is `Ignored` by
the receiver: a filter that is too wide costs calls, never correctness.
"""

from collections.abc import Iterable, Iterator
from itertools import combinations, takewhile

from shared.kernel.errors import ConfigurationError

FILTER_LIMIT = 256
"""Bytes."""

Terms = tuple[str, ...]
"""Types, and beginnings of types with a star at their end; in order."""


def pubsub_filter(service: str, types: Iterable[str], everything: Iterable[str]) -> str:
    """Let in what is sent `to` the service, and those of its types that are sent to nobody in particular.

    `everything` holds all types that are published: of the filters that fit, one that lets few others in is taken.
    Raises ConfigurationError when none fits.
    """
    terms: Terms = tuple(sorted(set(types)))
    others = set(everything).difference(terms)
    while len(text := _text(service, terms)) > FILTER_LIMIT:
        if not (shorter := list(_shorter(terms))):
            raise ConfigurationError(
                f"service '{service}' handles types of so many services that no Pub/Sub filter of {FILTER_LIMIT} bytes"
                " can name them: handle fewer, or split the service"
            )
        terms = min(shorter, key=lambda some: (_admitted(some, others), len(_text(service, some)), some))
    return text


def _shorter(terms: Terms) -> Iterator[Terms]:
    """The terms with any two, and what else begins like both, in one."""
    for one, other in combinations(terms, 2):
        beginning = "".join(a for a, _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
        beginning = beginning.removesuffix("*")
        if beginning:
            yield tuple(sorted([f"{beginning}*", *(term for term in terms if not term.startswith(beginning))]))


def _admitted(terms: Terms, types: Iterable[str]) -> int:
    beginnings = tuple(term[:-1] for term in terms if term.endswith("*"))
    return sum(type_.startswith(beginnings) for type_ in types)


def _text(service: str, terms: Terms) -> str:
    addressed = f'attributes.to="{service}"'
    if not terms:
        return addressed
    named = " OR ".join(_term(term) for term in terms)
    return f"{addressed} OR (NOT attributes:to AND {f'({named})' if terms[1:] else named})"


def _term(term: str) -> str:
    if term.endswith("*"):
        return f'hasPrefix(attributes.type,"{term[:-1]}")'
    return f'attributes.type="{term}"'
