"""Rules' filters: values that have to be there, and SQL as far as it is understood."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.emulators.servicebus.broker.filters import correlation
from infra.emulators.servicebus.broker.sql import compiled
from shared.kernel.errors import ConfigurationError
from tests.support.servicebus_broker import message

NAMES = st.sampled_from(["a", "b", "to"])
VALUES = st.sampled_from(["x", "y'z", "", 1, 2.5, True])
PROPERTIES = st.dictionaries(NAMES, VALUES, max_size=3)


def written(value) -> str:
    if isinstance(value, str):
        return "'{}'".format(value.replace("'", "''"))
    return str(value).upper()


def equal(name, value):
    return lambda properties: None if name not in properties else properties[name] == value


def negated(test):
    return lambda properties: None if test(properties) is None else not test(properties)


def conjunction(tests):
    def test(properties):
        found = [each(properties) for each in tests]
        return False if False in found else None if None in found else True

    return test


def disjunction(tests):
    return negated(conjunction([negated(each) for each in tests]))


def joined(word, how):
    def join(parts):
        return f"({f' {word} '.join(text for text, _ in parts)})", how([test for _, test in parts])

    return lambda inner: st.lists(inner, min_size=2, max_size=3).map(join)


LEAVES = st.one_of(
    st.tuples(NAMES, VALUES).map(lambda pair: (f"{pair[0]} = {written(pair[1])}", equal(*pair))),
    st.tuples(NAMES, VALUES).map(lambda pair: (f"user.{pair[0]}<>{written(pair[1])}", negated(equal(*pair)))),
    st.tuples(NAMES, st.lists(VALUES, min_size=1, max_size=3)).map(
        lambda pair: (
            f"{pair[0]} IN ({', '.join(map(written, pair[1]))})",
            disjunction([equal(pair[0], each) for each in pair[1]]),
        )
    ),
    NAMES.map(lambda name: (f"{name} IS NULL", lambda properties: name not in properties)),
    NAMES.map(lambda name: (f"[{name}] is not null", lambda properties: name in properties)),
    NAMES.map(lambda name: (f"EXISTS({name})", lambda properties: name in properties)),
)
EXPRESSIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        joined("AND", conjunction)(inner),
        joined("OR", disjunction)(inner),
        inner.map(lambda pair: (f"NOT {pair[0]}", negated(pair[1]))),
    ),
    max_leaves=8,
)


@given(EXPRESSIONS, PROPERTIES)
def test_an_expression_means_what_its_parts_mean(expression, properties):
    text, meaning = expression

    assert compiled(text)(message(properties=properties)) is (meaning(properties) is True)


@pytest.mark.parametrize(
    ("expression", "fields"),
    [
        ("type IN ('orders.a.v1', 'orders.b.v1') AND to IS NULL OR to = 'x'", {"type": "orders.b.v1"}),
        ("type IN ('a') AND to IS NULL OR to = 'x'", {"type": "zzz", "to": "x"}),
        ("TYPE = 'a'", {"type": "a"}),
        ("type='it''s'", {"type": "it's"}),
        ("type = N'a'", {"type": "a"}),
        ('"a b" = 1 AND [a]]b] = 2', {"a b": 1, "a]b": 2}),
        ("amount >= -1 AND amount < 2.5e1", {"amount": 3}),
        ("NOT (a = 1) AND NOT NOT a = 2", {"a": 2}),
        ("a NOT IN (1, 2)", {"a": 3}),
        ("'x' = a", {"a": "x"}),
        ("a = b", {"a": 1, "b": 1}),
        ("1=1", {}),
        ("flag = true AND other = FALSE", {"flag": True, "other": False}),
        ("sys = 1 AND user = 2", {"sys": 1, "user": 2}),
        ("größe = 'L'", {"größe": "L"}),
    ],
)
def test_this_passes(expression, fields):
    assert compiled(expression)(message(properties=fields))


@pytest.mark.parametrize(
    ("expression", "fields"),
    [
        ("a <> 1", {}),
        ("NOT a = 1", {}),
        ("a NOT IN (1)", {}),
        ("a > 1", {"a": "2"}),
        ("a = 'X'", {"a": "x"}),
        ("a = 1 AND b = 2", {"a": 1}),
        ("1 = 0", {}),
        ("NOT (a = 1 AND b = 1)", {"b": 1}),
        ("NOT (a = 1 OR b = 1)", {"b": 2}),
        ("to IS NULL", {"to": ""}),
    ],
)
def test_this_does_not_pass(expression, fields):
    assert not compiled(expression)(message(properties=fields))


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("ContentType", "content_type"),
        ("CorrelationId", "correlation_id"),
        ("Label", "subject"),
        ("label", "subject"),
        ("Subject", "subject"),
        ("MessageId", "message_id"),
        ("ReplyTo", "reply_to"),
        ("ReplyToSessionId", "reply_to_session_id"),
        ("SessionId", "session_id"),
        ("To", "to"),
    ],
)
def test_system_properties_are_the_messages_own_and_not_the_senders(name, field):
    passes = compiled(f"sys.{name} = 'x'")

    assert passes(message(**{field: "x"}))
    assert not passes(message(properties={name: "x"}))
    assert not passes(message())


def test_an_id_compares_as_text():
    number = uuid.uuid4()

    assert compiled(f"sys.MessageId = '{number}'")(message(message_id=number))
    assert correlation({"messageid": str(number)}, {})(message(message_id=number))


@pytest.mark.parametrize(
    ("expression", "there", "expected"),
    [
        ("", "its end at character 1", "a property, a constant, EXISTS, NOT or ("),
        ("a", "its end at character 2", "=, <>, !=, <, <=, >, >=, IN, NOT IN or IS"),
        ("a = ", "its end at character 5", "a property, a constant, EXISTS, NOT or ("),
        ("a = 'x", "''x' at character 5", "something known"),
        ("a = 1 b", "'b' at character 7", "AND, OR or the end"),
        ("(a = 1", "its end at character 7", "AND, OR or )"),
        ("a = 1)", "')' at character 6", "AND, OR or the end"),
        ("a IN 1", "'1' at character 6", "("),
        ("a IN ()", "')' at character 7", "a property, a constant"),
        ("a IN (1", "its end at character 8", ", or )"),
        ("a IS 1", "'1' at character 6", "NULL"),
        ("a NOT 1", "'1' at character 7", "IN"),
        ("a LIKE 'x%'", "'LIKE' at character 3", "=, <>"),
        ("a + 1 = 2", "'+' at character 3", "something known"),
        ("a = @b", "'@b' at character 5", "something known"),
        ("newid() = a", "'(' at character 6", "=, <>"),
        ("AND a = 1", "'AND' at character 1", "a property"),
        ("a == 1", "'=' at character 4", "a property, a constant"),
        ("a = 1 OR sys.Other = 2", "'Other' at character 14", "a system property that is known here"),
        ("a = 1.2.3", "'1.2.3' at character 5", "something known"),
        ("NOT " * 40 + "a = 1", "'NOT' at character 129", "at most 32 levels"),
    ],
)
def test_this_is_refused_and_the_place_is_named(expression, there, expected):
    with pytest.raises(ConfigurationError) as raised:
        compiled(expression)

    assert f"has {there}, where {expected}" in str(raised.value)


@given(st.text(st.sampled_from("ab =<>!'\"[]().,ANDORTIS 12eN"), max_size=30))
def test_any_text_is_understood_or_refused(text):
    try:
        passes = compiled(text)
    except ConfigurationError:
        return

    assert passes(message(properties={"a": 1})) in (True, False)


def test_a_correlation_filter_wants_everything_as_it_says():
    passes = correlation({"label": "red", "to": "x"}, {"size": "big", "count": 1})
    right = {"subject": "red", "to": "x", "properties": {"size": "big", "count": 1, "more": 2}}

    assert passes(message(**right))
    assert not passes(message(**{**right, "subject": "Red"}))
    assert not passes(message(**{**right, "to": None}))
    assert not passes(message(**{**right, "properties": {"size": "big"}}))
    assert not passes(message(**{**right, "properties": {"size": "big", "count": True}}))
