"""Pub/Sub's filter language as the stand-in understands it: our own filters, its grammar, and what it refuses."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.emulators.pubsub_filters import compiled
from infra.emulators.wiring import ROOT
from shared.kernel.errors import ConfigurationError
from shared.kernel.topology_filters import pubsub_filter

CONTRACT = json.loads((ROOT / "shared" / "asyncapi.json").read_text())["channels"]
OURS = {name: channel["x-trefoil"] for name, channel in CONTRACT.items() if channel["x-trefoil"]["role"] == "service"}
EVERYTHING = sorted({type_ for each in OURS.values() for type_ in each["types"]})

KEYS = st.sampled_from(["a", "b", "type", "to"])
TEXTS = st.text(st.sampled_from('ab"\\. '), max_size=3)
ATTRIBUTES = st.dictionaries(KEYS, TEXTS)


def quoted(text: str) -> str:
    return '"{}"'.format(text.replace("\\", "\\\\").replace('"', '\\"'))


def joined(word: str, how):
    """Two to three expressions joined by a word, and what they mean together."""

    def join(parts):
        expressions, meanings = zip(*parts, strict=True)
        return f"({f' {word} '.join(expressions)})", lambda given: how(meaning(given) for meaning in meanings)

    return lambda inner: st.lists(inner, min_size=2, max_size=3).map(join)


LEAVES = st.one_of(
    KEYS.map(lambda key: (f"attributes:{key}", lambda given: key in given)),
    st.tuples(KEYS, TEXTS).map(
        lambda pair: (f"attributes.{pair[0]} = {quoted(pair[1])}", lambda given: given.get(pair[0]) == pair[1])
    ),
    st.tuples(KEYS, TEXTS).map(
        lambda pair: (f"attributes.{pair[0]}!={quoted(pair[1])}", lambda given: given.get(pair[0]) != pair[1])
    ),
    st.tuples(KEYS, TEXTS).map(
        lambda pair: (
            f"hasPrefix(attributes.{pair[0]}, {quoted(pair[1])})",
            lambda given: pair[0] in given and given[pair[0]].startswith(pair[1]),
        )
    ),
)
EXPRESSIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        joined("AND", all)(inner),
        joined("OR", any)(inner),
        inner.map(lambda pair: (f"NOT {pair[0]}", lambda given: not pair[1](given))),
    ),
    max_leaves=8,
)


@given(EXPRESSIONS, ATTRIBUTES)
def test_an_expression_means_what_its_parts_mean(expression, attributes):
    text, meaning = expression

    assert compiled(text)(attributes) == meaning(attributes)


@pytest.mark.parametrize("service", OURS)
def test_the_contracts_filters_let_in_what_is_for_the_service_and_nobody_elses(service):
    passes = compiled(OURS[service]["pubsubFilter"])

    assert all(passes({"type": type_}) for type_ in OURS[service]["types"])
    assert passes({"type": "whatever", "to": service})
    assert not any(passes({"type": type_, "to": "another"}) for type_ in EVERYTHING)
    assert not passes({"type": "nobodys.type.v1"})
    assert not passes({})


@given(st.sets(st.sampled_from(EVERYTHING), min_size=1))
def test_every_filter_that_we_write_can_be_read(types):
    passes = compiled(pubsub_filter("orders", types, EVERYTHING))

    assert all(passes({"type": type_}) for type_ in types)


@pytest.mark.parametrize(
    ("expression", "attributes"),
    [
        ("", {}),
        ("  ", {"a": "b"}),
        ('attributes."ian a/tag"="x"', {"ian a/tag": "x"}),
        ("attributes:content-type", {"content-type": ""}),
        ('attributes.a="\\"\\\\"', {"a": '"\\'}),
        ("NOT NOT attributes:a", {"a": ""}),
        ("attributes:a AND NOT attributes:b", {"a": ""}),
        ("attributes:a AND (attributes:b OR attributes:c)", {"a": "", "c": ""}),
    ],
)
def test_this_passes(expression, attributes):
    assert compiled(expression)(attributes)


@pytest.mark.parametrize(
    ("expression", "there", "expected"),
    [
        ("attributes:a AND attributes:b OR attributes:c", "'OR' at character 31", "AND, or parentheses around"),
        ("attributes:a OR attributes:b AND attributes:c", "'AND' at character 30", "OR, or parentheses around"),
        ("attributes:a attributes:b", "'attributes' at character 14", "AND, OR or the end"),
        ("attributes.a", "its end at character 13", "= or !="),
        ("attributes.a=b", "'b' at character 14", "a text in quotation marks"),
        ('attributes.a="b', "'\"b' at character 14", "something known"),
        ('attributes.a="\\n"', "'\"\\n\"' at character 14", "something known"),
        ('attributes.a > "b"', "'>' at character 14", "something known"),
        ('attributes="b"', "'=' at character 11", ". or :"),
        ("(attributes:a", "its end at character 14", ")"),
        ("attributes:a)", "')' at character 13", "AND, OR or the end"),
        ("attributes:", "its end at character 12", "a key"),
        ("NOT", "its end at character 4", "an attribute, hasPrefix, NOT or ("),
        ("not attributes:a", "'not' at character 1", "an attribute, hasPrefix, NOT or ("),
        ('hasPrefix(attributes.a "b")', "'\"b\"' at character 24", ","),
        ('hasSuffix(attributes.a, "b")', "'hasSuffix' at character 1", "an attribute, hasPrefix, NOT or ("),
        ('data.a = "b"', "'data' at character 1", "an attribute, hasPrefix, NOT or ("),
    ],
)
def test_this_is_refused_and_the_place_is_named(expression, there, expected):
    with pytest.raises(ConfigurationError) as raised:
        compiled(expression)

    assert f"has {there}, where {expected}" in str(raised.value)


@given(st.text(st.sampled_from('attributes:.=!"\\()ANDORT ,b'), max_size=30))
def test_any_text_is_understood_or_refused(text):
    try:
        passes = compiled(text)
    except ConfigurationError:
        return

    assert passes({"b": "b"}) in (True, False)
