"""AMQP's bytes: cut, taken apart, and put together again."""

import pytest

pytest.importorskip("proton", reason="install python-qpid-proton")

from hypothesis import given
from hypothesis import strategies as st
from proton import Message as WireMessage
from proton import int32, symbol, timestamp, ubyte, uint, ulong

from infra.emulators.servicebus.amqp import conditions
from infra.emulators.servicebus.amqp.codec import delivered, messages, pack, unpack
from infra.emulators.servicebus.amqp.sections import NotSections, Section, data, decoded, encoded, split
from infra.emulators.servicebus.broker import errors
from infra.emulators.servicebus.broker.message import Entry

TYPED = {
    "text": "v",
    "long": 2**40,
    "int": int32(-5),
    "ulong": ulong(2**63),
    "uint": uint(7),
    "ubyte": ubyte(1),
    "time": timestamp(1_700_000_000_000),
    "symbol": symbol("s"),
    "real": 2.5,
    "flag": True,
    "bytes": b"\0\xff",
    "nothing": None,
}


def wire(body=b"body", **fields) -> bytes:
    return WireMessage(body, inferred=True, **fields).encode()


def same(one: dict, other: dict) -> bool:
    return one == other and {key: type(value) for key, value in one.items()} == {
        key: type(value) for key, value in other.items()
    }


def test_what_the_broker_looks_at_is_read():
    raw = wire(
        id="m",
        correlation_id="c",
        subject="s",
        address="to",
        reply_to="r",
        content_type="t",
        group_id="g",
        ttl=5,
        reply_to_group_id="rg",
        properties={"k": "v"},
        annotations={symbol("x-opt-scheduled-enqueue-time"): timestamp(9)},
    )

    message = unpack(raw)

    assert (message.message_id, message.correlation_id, message.subject, message.to) == ("m", "c", "s", "to")
    assert (message.reply_to, message.content_type, message.session_id) == ("r", "t", "g")
    assert (message.reply_to_session_id, message.scheduled_for, message.size) == ("rg", 9, len(raw))
    assert message.properties == {"k": "v"}


def test_properties_keep_their_types_on_the_way_through():
    entry = Entry(3, unpack(pack(unpack(wire(properties=TYPED)))), 10, 2)

    received = WireMessage()
    received.decode(delivered(entry))

    assert same(received.properties, TYPED | {"bytes": memoryview(b"\0\xff")})
    assert bytes(received.body) == b"body"


def test_a_receiver_is_told_what_the_queue_knows():
    message = unpack(wire(annotations={symbol("x-opt-partition-key"): "p"}))
    entry = Entry(3, message, 10, 2, failures=4, dead_letter_source="orders", locked_until=99)

    received = WireMessage()
    received.decode(delivered(entry))

    assert received.delivery_count == 4
    assert received.annotations == {
        "x-opt-partition-key": "p",
        "x-opt-enqueued-time": 10,
        "x-opt-sequence-number": 3,
        "x-opt-enqueue-sequence-number": 2,
        "x-opt-message-state": 0,
        "x-opt-locked-until": 99,
        "x-opt-deadletter-source": "orders",
    }


def test_what_was_added_to_the_properties_is_sent():
    message = unpack(wire(properties={"k": 1})).with_properties({"DeadLetterReason": "Bad"})

    assert unpack(pack(message)).properties == {"k": 1, "DeadLetterReason": "Bad"}


def batch(*inner: bytes, **fields) -> bytes:
    head = b"".join(section for kind, section in split(wire(**fields)) if kind < Section.DATA)
    return head + b"".join(encoded(Section.DATA, each) for each in inner)


def test_a_batch_is_cut_into_its_messages():
    found = messages(batch(wire(b"one", id="1"), wire(b"two" * 200, id="2")))

    assert [each.message_id for each in found] == ["1", "2"]


@pytest.mark.parametrize(
    "raw",
    [
        wire(b""),
        wire(b"\0Sp"),
        wire(b"\0Ss\xc0"),
        batch(b"one", b"two"),
        batch(wire(b"one"), b"two"),
        batch(wire(b"one"), properties={"k": "v"}),
    ],
)
def test_what_only_looks_like_a_batch_is_one_message(raw):
    (message,) = messages(raw)

    assert message.size == len(raw)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_message_or_refused(raw):
    try:
        found = messages(raw)
    except errors.InvalidRequest:
        return

    assert all(each.size <= len(raw) for each in found)


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.text(max_size=3), st.binary(max_size=3)),
    lambda inner: st.one_of(st.lists(inner, max_size=14), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=14,
)


@given(st.lists(st.tuples(st.sampled_from(Section), VALUES), max_size=4))
def test_any_sections_are_a_message_or_refused(sections):
    raw = b"".join(encoded(section, value) for section, value in sections)
    try:
        found = messages(raw)
    except errors.InvalidRequest:
        return

    assert all(messages(pack(each)) for each in found)


@pytest.mark.parametrize(
    "raw", [b"\0", b"\1Su", b"\0St", b"\0S\x10@", b"\0Su\xa0\5abc", b"\0Su\xb0\0\0", b"\0" * 100_000, b"\0Su\0\0\0\0\0"]
)
def test_what_is_no_section_is_refused(raw):
    with pytest.raises(NotSections):
        list(split(raw))


@given(st.binary(max_size=400))
def test_a_data_section_holds_what_was_put_into_it(body):
    ((kind, section),) = split(encoded(Section.DATA, body))

    assert (kind, data(section), decoded(section)) == (Section.DATA, body, body)


def test_every_error_of_the_broker_has_a_name_on_the_wire():
    kinds = {each for each in vars(errors).values() if isinstance(each, type)} - {errors.BrokerError}

    assert kinds == set(conditions.CONDITIONS)
    assert all(conditions.condition(kind("why")).info for kind in kinds)
