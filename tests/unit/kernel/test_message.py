from typing import get_args

import msgspec
import pytest

from shared.kernel.message import Kind, MessageType, Payload, Upcast, command, event, split_type
from tests.support.kernel_fakes import NOW, Add, message


class Plain(Payload, frozen=True):
    """A payload that is not marked yet."""

    amount: int


class Older(Payload, frozen=True):
    """What it was before."""


def fresh() -> type[Payload]:
    return type(Plain)("Fresh", (Plain,), {}, frozen=True)


def test_a_command_knows_its_service_noun_and_version():
    marked = command("tally.add-up.v12")(fresh())

    assert marked.message_type == MessageType("tally", "add-up", 12, "command")


def test_an_event_is_published_unless_it_is_private():
    public, private = event("tally.seen.v1")(fresh()), event("tally.kept.v1", private=True)(fresh())

    assert public.message_type == MessageType("tally", "seen", 1, "event", private=False)
    assert private.message_type == MessageType("tally", "kept", 1, "event", private=True)


def test_a_type_is_written_as_it_is_read():
    named = command("order_status.add-up.v12")(fresh()).message_type

    assert str(named) == "order_status.add-up.v12"
    assert named.name == "order_status.add-up"


def test_marking_returns_the_class_itself():
    payload = fresh()

    assert command("tally.add.v1")(payload) is payload
    assert event("tally.added.v1")(payload) is payload


@pytest.mark.parametrize("mark", [command, event])
def test_an_upcast_is_kept_with_the_newer_payload(mark):
    upcast = Upcast(Older, lambda _: Plain(0))

    marked = mark("tally.add.v2", upcast=upcast)(fresh())

    assert marked.upcast is upcast
    assert mark("tally.sub.v1")(fresh()).upcast is None


def test_a_message_is_a_command_or_an_event():
    assert set(get_args(Kind)) == {"command", "event"}


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("orders.order-placed.v1", ("orders.order-placed", 1)),
        ("order_status.noted.v9999", ("order_status.noted", 9999)),
        ("a.b.v10", ("a.b", 10)),
    ],
)
def test_a_type_splits_into_name_and_version(text, parts):
    assert split_type(text) == parts


@pytest.mark.parametrize(
    "text",
    [
        "",
        "orders",
        "orders.order-placed",
        "orders.order-placed.1",
        "orders.order-placed.v0",
        "orders.order-placed.v01",
        "orders.order-placed.v10000",
        "orders.order-placed.v-1",
        "orders.order-placed.v1\n",
        "orders.order-placed.v1.v2",
        "orders.order_placed.v1",
        "order-status.noted.v1",
        "Orders.placed.v1",
        "1orders.placed.v1",
        "orders..v1",
        ".placed.v1",
    ],
)
def test_another_text_is_no_type(text):
    with pytest.raises(ValueError, match=r"is not a message type such as 'orders\.order-placed\.v1'"):
        split_type(text)


def test_a_long_text_that_is_no_type_is_quoted_in_part_only():
    with pytest.raises(ValueError, match="is not a message type") as caught:
        split_type("x" * 100_000)

    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("mark", [command, event])
def test_a_payload_cannot_be_marked_with_what_is_no_type(mark):
    with pytest.raises(ValueError, match="'add' is not a message type"):
        mark("add")


def test_a_payload_tolerates_fields_it_does_not_know():
    read = msgspec.json.decode(b'{"amount":1,"colour":"red"}', type=Add)

    assert read == Add(1)


def test_a_payload_cannot_be_changed():
    payload = Add(1)

    with pytest.raises(AttributeError, match="immutable"):
        payload.amount = 2


def test_a_message_gives_its_envelope_s_id_subject_and_time():
    given = message(Add(1), id="m7", subject="s7")

    assert (given.id, given.subject, given.time) == ("m7", "s7", NOW)
