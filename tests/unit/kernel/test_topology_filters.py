"""Filters of bounded length: they let in all that a service is for, nothing that is sent to another, and few others."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.emulators.pubsub_filters import compiled
from shared.catalog import CATALOG
from shared.kernel.errors import ConfigurationError
from shared.kernel.topology import asyncapi
from shared.kernel.topology_filters import FILTER_LIMIT, pubsub_filter

WORDS = st.text("abcdefghij", min_size=1, max_size=12)
TYPES = st.builds(
    "{}.{}-{}.v{}".format, st.sampled_from(["orders", "order", "payments", "p"]), WORDS, WORDS, st.integers(1, 9)
)
SERVICES = st.from_regex(r"[a-z][a-z_]{0,19}", fullmatch=True)


def made(service, types, everything=()):
    """The filter's text, or None where there is none that fits."""
    try:
        return pubsub_filter(service, types, {*types, *everything})
    except ConfigurationError:
        return None


def admitted(text, types):
    lets_in = compiled(text)
    return {type_ for type_ in types if lets_in({"type": type_, "subject": "s"})}


def test_few_types_are_named_each():
    text = pubsub_filter("orders", ["b.y.v1", "a.x.v1"], [])

    assert text == (
        'attributes.to="orders" OR (NOT attributes:to AND (attributes.type="a.x.v1" OR attributes.type="b.y.v1"))'
    )


def test_a_single_type_needs_no_parentheses():
    text = pubsub_filter("orders", ["a.x.v1"], [])

    assert text == 'attributes.to="orders" OR (NOT attributes:to AND attributes.type="a.x.v1")'


def test_a_service_that_subscribes_to_nothing_lets_in_what_is_sent_to_it():
    assert pubsub_filter("orders", [], ["a.x.v1"]) == 'attributes.to="orders"'


def test_types_are_named_by_their_beginning_when_they_do_not_fit():
    types = [f"shop.order-{word}-{'x' * 30}.v1" for word in ("opened", "closed", "paid", "sent", "lost")]

    text = pubsub_filter("orders", types, types)

    assert len(text) <= FILTER_LIMIT
    assert "hasPrefix(attributes.type," in text
    assert admitted(text, types) == set(types)


def test_those_are_joined_that_let_in_the_fewest_others():
    ours = [f"{family}.{word}-{'x' * 40}.v1" for family in ("calm", "busy") for word in ("one", "two")]
    others = [f"busy.other-{number}.v1" for number in range(20)]

    text = pubsub_filter("orders", ours, [*ours, *others])

    assert admitted(text, others) == set()
    assert 'attributes.type="busy.one-' in text


def test_as_many_as_fit_are_named_exactly():
    """The longest text that fits is not shortened, one byte more is."""
    room = FILTER_LIMIT - len(pubsub_filter("orders", ["a"], [])) + 1
    fits, too_long = ["x" * room], ["x" * room + "y"]

    assert len(pubsub_filter("orders", fits, [])) == FILTER_LIMIT
    assert made("orders", too_long) is None


def test_types_that_have_nothing_in_common_and_do_not_fit_are_refused_by_name():
    types = [f"{letter}{'x' * 60}.v1" for letter in "abcdefgh"]

    with pytest.raises(ConfigurationError, match="service 'orders' handles types of so many services that no Pub/Sub"):
        pubsub_filter("orders", types, types)


@settings(max_examples=40)
@given(SERVICES, st.lists(TYPES, max_size=25), st.lists(TYPES, max_size=25))
def test_a_filter_fits_and_lets_in_its_types_and_whatever_is_sent_to_it(service, types, everything):
    text = made(service, types, everything)

    if text is not None:
        lets_in = compiled(text)
        assert len(text.encode()) <= FILTER_LIMIT
        assert admitted(text, types) == set(types)
        assert all(lets_in({"type": type_, "to": service}) for type_ in [*types, *everything, ""])
        assert lets_in({"to": service})


@settings(max_examples=40)
@given(SERVICES, st.lists(TYPES, max_size=25), SERVICES)
def test_nothing_that_is_sent_to_another_service_gets_in(service, types, other):
    text = made(service, types)

    if text is not None and other != service:
        assert not any(compiled(text)({"type": type_, "to": other}) for type_ in [*types, ""])
        assert not compiled(text)({})


@settings(max_examples=40)
@given(st.lists(TYPES, max_size=25), st.lists(TYPES, max_size=25))
def test_where_every_type_fits_no_other_gets_in(types, everything):
    text = made("orders", types, everything)

    if text is not None and "hasPrefix" not in text:
        assert admitted(text, everything) == set(types).intersection(everything)


@settings(max_examples=40)
@given(st.lists(TYPES, max_size=25, unique=True), st.lists(TYPES, max_size=25, unique=True), st.randoms())
def test_the_order_of_types_changes_nothing(types, everything, random):
    before = made("orders", types, everything)
    random.shuffle(types)
    random.shuffle(everything)

    assert made("orders", types, everything) == before


def test_a_type_that_is_named_twice_is_named_once():
    assert pubsub_filter("orders", ["a.x.v1", "a.x.v1"], []).count("a.x.v1") == 1


# -- the catalog's own

CHANNELS = {
    name: channel["x-trefoil"]["pubsubFilter"]
    for name, channel in asyncapi(CATALOG)["channels"].items()
    if channel["x-trefoil"]["role"] == "service"
}


def test_every_service_has_a_filter():
    assert CHANNELS.keys() == CATALOG.services.keys()


@pytest.mark.parametrize("service", CHANNELS)
def test_of_the_catalog_s_types_few_get_in_that_a_service_does_not_handle(service):
    everything = {message for channel in asyncapi(CATALOG)["channels"].values() for message in channel["messages"]}
    handled = set(asyncapi(CATALOG)["channels"][service]["messages"])

    extra = admitted(CHANNELS[service], everything) - handled

    assert len(CHANNELS[service].encode()) <= FILTER_LIMIT
    assert len(extra) <= len(everything) // 4
