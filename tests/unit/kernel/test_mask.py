"""Masking: what a type marks secret, and what it does not know, is not for people's eyes."""

import json
from typing import Annotated, Any, Literal, Optional

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct

from shared.kernel.mask import MASK, masked, masked_json
from shared.messages.values import SECRET, Email, Money, Secret, Text


class Inner(Struct, frozen=True):
    """Something within."""

    word: Secret = ""
    number: int = 0


class Outer(Struct, frozen=True):
    """A field of every kind."""

    name: Text = ""
    email: Email = ""
    inner: Inner = Inner()
    maybe: Email | None = None
    perhaps: Optional[Inner] = None  # noqa: UP045 - the older spelling is another type at run time
    many: list[Inner] = []
    words: list[Secret] = []
    row: tuple[Secret, ...] = ()
    pair: tuple[Text, Secret] = ("", "")
    by_name: dict[str, Inner] = {}
    secrets: dict[str, Secret] = {}
    either: Secret | int = 0
    choice: Literal["a", "b"] = "a"
    noted: Annotated[int, Meta(ge=0)] = 0
    bound: Annotated[Secret, Meta(max_length=9)] = ""
    whole: Annotated[Inner, SECRET] = Inner()
    money: Money = Money(0, "USD")


def shown(**fields: Any) -> Any:
    return masked(Outer, fields)


# -- what is shown


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "Ada"},
        {"name": ""},
        {"choice": "b"},
        {"noted": 7},
        {"money": {"amount": 2933, "currency": "USD"}},
        {"inner": {"number": 7}},
        {"many": []},
        {},
    ],
    ids=str,
)
def test_what_is_known_and_not_secret_is_shown_as_it_is(fields):
    assert shown(**fields) == fields


def test_nothing_is_changed_in_place():
    data = {"email": "ada@example.com", "many": [{"word": "x"}]}

    masked(Outer, data)

    assert data == {"email": "ada@example.com", "many": [{"word": "x"}]}


# -- what is masked


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"email": "x"}, {"email": MASK}),
        ({"email": ""}, {"email": MASK}),
        ({"email": None}, {"email": MASK}),
        ({"email": ["x"]}, {"email": MASK}),
        ({"email": {"x": "x"}}, {"email": MASK}),
        ({"maybe": "x"}, {"maybe": MASK}),
        ({"inner": {"word": "x", "number": 7}}, {"inner": {"word": MASK, "number": 7}}),
        ({"perhaps": {"word": "x", "number": 7}}, {"perhaps": {"word": MASK, "number": 7}}),
        ({"many": [{"word": "x"}, {"number": 7}]}, {"many": [{"word": MASK}, {"number": 7}]}),
        ({"words": ["x", "x"]}, {"words": [MASK, MASK]}),
        ({"row": ["x"]}, {"row": [MASK]}),
        ({"pair": ["x", "y"]}, {"pair": ["x", MASK]}),
        ({"by_name": {"a": {"word": "x", "number": 7}}}, {"by_name": {"a": {"word": MASK, "number": 7}}}),
        ({"secrets": {"a": "x"}}, {"secrets": {"a": MASK}}),
        ({"either": "x"}, {"either": MASK}),
        ({"bound": "x"}, {"bound": MASK}),
        ({"whole": {"number": 7}}, {"whole": MASK}),
    ],
    ids=str,
)
def test_what_is_marked_secret_is_masked_wherever_it_stands(fields, expected):
    assert shown(**fields) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"e-mail": "x"}, {"e-mail": MASK}),
        ({"unknown": {"deep": {"deeper": "x"}}}, {"unknown": {"deep": {"deeper": MASK}}}),
        ({"unknown": ["x", {"deep": "x"}]}, {"unknown": MASK}),
        ({"unknown": 7}, {"unknown": MASK}),
        ({"unknown": None}, {"unknown": MASK}),
        ({"inner": {"unknown": "x"}}, {"inner": {"unknown": MASK}}),
    ],
    ids=str,
)
def test_what_the_type_does_not_know_is_masked(fields, expected):
    assert shown(**fields) == expected


@pytest.mark.parametrize(
    "fields",
    [
        {"inner": "x"},
        {"money": "x"},
        {"perhaps": "x"},
        {"many": "x"},
        {"many": {"x": "x"}},
        {"by_name": "x"},
        {"noted": "x"},
        {"money": {"amount": "x"}},
        {"inner": ["x"]},
        {"name": ["x"]},
        {"name": {"of": "x"}},
    ],
    ids=str,
)
def test_what_is_not_of_its_field_s_kind_is_masked(fields):
    (value,) = shown(**fields).values()

    assert '"x"' not in json.dumps(value).replace('{"x": ', "")
    assert MASK in json.dumps(value)


@pytest.mark.parametrize("data", ["x", ["x"], [["x"]]], ids=repr)
def test_data_that_are_no_object_are_masked_where_one_is_expected(data):
    assert MASK in json.dumps(masked(Outer, data))
    assert "x" not in json.dumps(masked(Outer, data))


@pytest.mark.parametrize("data", ["x", ["x", ["x"]], {"x": "x"}, 7], ids=repr)
def test_of_a_type_that_nobody_knows_nothing_is_shown(data):
    text = json.dumps(masked(None, data))

    assert MASK in text
    assert '"x"' not in text.replace('{"x": ', "")


JSON = st.recursive(
    st.sampled_from(["hidden", 7, None, True, 1.5]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["word", "number", "k"]), inner),
    max_leaves=6,
)
SECRET_FIELDS = ("email", "maybe", "either", "bound", "whole")


@given(st.dictionaries(st.sampled_from(SECRET_FIELDS), JSON, min_size=1))
def test_nothing_of_a_secret_field_is_ever_shown(fields):
    assert shown(**fields) == dict.fromkeys(fields, MASK)


@given(
    st.dictionaries(st.sampled_from(["inner", "perhaps", "many", "words", "row", "by_name", "secrets", "new"]), JSON)
)
def test_nothing_that_is_secret_within_a_field_is_ever_shown(fields):
    assert "hidden" not in json.dumps(shown(**fields))


@given(JSON)
def test_whatever_the_data_are_masking_them_never_fails(data):
    json.dumps([masked(Outer, data), masked(Inner, data), masked(None, data), masked(list[Secret], data)])


# -- from JSON


def test_json_is_masked_the_same_way():
    body = msgspec.json.encode({"name": "Ada", "email": "ada@example.com"})

    assert masked_json(Outer, body) == masked_json(Outer, msgspec.Raw(body)) == {"name": "Ada", "email": MASK}


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff", b'{"name": "\xff"}', b"[" * 100_000, b'"\\ud800"'], ids=lambda body: repr(body[:12])
)
def test_what_is_not_json_is_only_measured(body):
    assert masked_json(Outer, body) == f"({len(body):,} bytes that are not JSON)"


def test_the_messages_and_states_that_ship_mark_every_address():
    from shared.catalog import CATALOG  # noqa: PLC0415 - the only test that is about them

    shapes = [payload for s in CATALOG.services.values() for payload in (*s.handles, *s.emits)]
    shapes += [service.state for service in CATALOG.services.values()]

    fields = [(shape.__name__, name) for shape in shapes for name in shape.__struct_fields__ if name in ("email", "to")]
    assert len(fields) > 5
    for shape in shapes:
        for name in {"email", "to"} & set(shape.__struct_fields__):
            assert masked(shape, {name: "ada@example.com"}) == {name: MASK}
