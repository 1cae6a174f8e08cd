"""Whatever stands in a channel: it gets a clear reason, nothing of it is lost, and nothing beside it suffers."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from shared.catalog import CATALOG
from shared.kernel.codec import ENVELOPE_LIMIT
from shared.kernel.message import Payload
from shared.kernel.outcome import DONE, TEXT_LIMIT, DeadLetter
from shared.kernel.ports import Delivery
from shared.kernel.service import Service
from shared.messages.orders import PlaceOrder
from shared.messages.values import Money
from tests.support.kernel_fakes import NOW, Add, Reminded, World, body, spoiled, tally_service

GOOD = body(Add(7), id="good", subject="good")
ENVELOPE = body(Add(1))


def data(raw: bytes) -> bytes:
    """A valid envelope around these bytes as its payload."""
    return ENVELOPE.replace(b'{"amount":1,"note":""}', raw)


def attribute(raw: bytes) -> bytes:
    """A valid envelope with an unknown attribute that holds these bytes."""
    return ENVELOPE[:-1] + b',"unknown":' + raw + b"}"


def at(**delta: float) -> str:
    return (NOW + timedelta(**delta)).isoformat()


DEEP = b"[" * 50_000 + b"]" * 50_000

BAD = {
    "nothing": (b"", "MalformedMessage", "not a CloudEvent"),
    "text": (b"hello", "MalformedMessage", "not a CloudEvent"),
    "zero bytes": (bytes(1000), "MalformedMessage", "not a CloudEvent"),
    "half an envelope": (ENVELOPE[:80], "MalformedMessage", "not a CloudEvent"),
    "XML": (b"<event/>", "MalformedMessage", "not a CloudEvent"),
    "JSON, no envelope": (b'{"amount":1}', "MalformedMessage", "missing required field `specversion`"),
    "a list": (b"[]", "MalformedMessage", "Expected `object`"),
    "no data": (ENVELOPE.replace(b'"data"', b'"date"'), "MalformedMessage", "missing required field `data`"),
    "base64 data": (ENVELOPE.replace(b'"data"', b'"data_base64"'), "MalformedMessage", "field `data`"),
    "an id of another kind": (spoiled(id=7), "MalformedMessage", "$.id"),
    "hops of another kind": (spoiled(hops="many"), "MalformedMessage", "$.hops"),
    "a time of another kind": (spoiled(time=[2026]), "MalformedMessage", "$.time"),
    "an empty id": (spoiled(id=""), "MalformedMessage", "id has 0 characters"),
    "an empty source": (spoiled(source=""), "MalformedMessage", "source has 0 characters"),
    "an endless id": (spoiled(id="i" * 10_000), "MalformedMessage", "id has 10000 characters"),
    "an empty subject": (spoiled(subject=""), "MalformedMessage", "subject ''"),
    "a subject with a slash": (spoiled(subject="../s1"), "MalformedMessage", "subject '../s1'"),
    "a subject with a zero byte": (spoiled(subject="s\0"), "MalformedMessage", "is not 1 to 64 characters"),
    "an endless subject": (spoiled(subject="s" * 10_000), "MalformedMessage", "is not 1 to 64 characters"),
    "another spec version": (spoiled(specversion="0.3"), "MalformedMessage", "specversion is '0.3'"),
    "another content type": (spoiled(datacontenttype="image/png"), "MalformedMessage", "payloads are JSON"),
    "an unknown type": (spoiled(type="tally.multiply.v1"), "UnknownType", "'tally.multiply.v1'"),
    "a type that is none": (spoiled(type="add!"), "UnknownType", "'add!' is not a message type"),
    "an endless type": (spoiled(type="t" * 100_000), "UnknownType", "is not a message type"),
    "a huge envelope": (body(Add(1)) + b" " * ENVELOPE_LIMIT, "TooLarge", "at most 196,608"),
    "deep data": (data(DEEP), "MalformedMessage", "recursion"),
    "endless data": (data(b"[" * 100_000), "MalformedMessage", "recursion"),
    "deep objects": (data(b'{"a":' * 30_000 + b"1" + b"}" * 30_000), "MalformedMessage", "recursion"),
    "a deep attribute": (attribute(DEEP), "MalformedMessage", "recursion"),
    "an endless attribute": (attribute(b"[" * 100_000), "MalformedMessage", "recursion"),
    "invalid UTF-8 in an attribute": (ENVELOPE.replace(b"/test", b"/\xff\xfe"), "MalformedMessage", "utf-8"),
    "invalid UTF-8 in the payload": (data(b'{"amount":1,"note":"\xc3\x28"}'), "PayloadMismatch", "utf-8"),
    "a payload of another kind": (data(b"[1]"), "PayloadMismatch", "Expected `object`"),
    "no payload": (data(b"null"), "PayloadMismatch", "tally.add.v1"),
    "a field of another kind": (data(b'{"amount":"1"}'), "PayloadMismatch", "$.amount"),
    "a missing field": (data(b"{}"), "PayloadMismatch", "`amount`"),
    "expired": (spoiled(expirytime=at(seconds=-1)), "Expired", "it expired at 2026-11-20T11:59:59"),
    "from the future": (spoiled(time=at(days=2)), "MalformedMessage", "2.0 days ahead"),
    "from just after tomorrow": (spoiled(time=at(days=1, seconds=1)), "MalformedMessage", "1.0 days ahead"),
    "looping": (spoiled(hops=17), "HopLimitExceeded", "at most 16"),
    "looping for ever": (spoiled(hops=10**300), "HopLimitExceeded", "at most 16"),
}


@pytest.mark.parametrize(("bad", "reason", "text"), BAD.values(), ids=BAD.keys())
def test_bad_input_is_dead_lettered_untouched_and_what_stands_beside_it_goes_through(bad, reason, text):
    world = World(tally_service())

    world.work(bad, GOOD, bad)

    letters = world.parked()
    assert [letter.body for letter in letters] == [bad, bad]
    assert [letter.failure.reason for letter in letters] == [reason] * 2
    assert [letter.attempts for letter in letters] == [1, 1]
    assert text in letters[0].failure.text
    assert len(letters[0].failure.text.encode()) <= TEXT_LIMIT
    assert world.totals() == [7]
    assert world.waiting() == []


HARMLESS = {
    "an attribute that nobody knows": attribute(b'{"a":[1]}'),
    "invalid UTF-8 in an attribute that nobody knows": attribute(b'"\xff\xfe"'),
    "invalid UTF-8 in a field that nobody knows": data(b'{"amount":1,"unknown":"\xff\xfe"}'),
    "a deep field, within reason": data(b'{"amount":1,"unknown":' + b"[" * 100 + b"]" * 100 + b"}"),
    "an attribute twice": ENVELOPE[:-1] + b',"hops":1,"hops":2}',
    "a message that is about to expire": spoiled(expirytime=at(seconds=0)),
    "a message from tomorrow": spoiled(time=at(days=1)),
    "a message from long ago": spoiled(time="0001-01-01T00:00:00+14:00"),
    "a message at the end of its hops": spoiled(hops=16),
    "space all around": b"\n\t " + ENVELOPE + b" \r\n",
}


@pytest.mark.parametrize("odd", HARMLESS.values(), ids=HARMLESS.keys())
def test_what_is_only_odd_is_handled_and_what_follows_from_it_is_not(odd):
    world = World(tally_service())

    world.work(odd)

    assert world.parked() == []
    assert world.totals() == [1]
    assert world.broker.published[0].body.decode()


def test_an_unknown_type_from_the_bus_is_nobody_s_trouble():
    world = World(tally_service())

    world.work(spoiled(type="tally.multiply.v1"), GOOD, addressed=False)

    assert world.counters.counts["tally", "Ignored"] == 1
    assert (world.parked(), world.waiting()) == ([], [])
    assert world.totals() == [7]


def test_an_unknown_version_waits_for_newer_code_then_is_dead_lettered():
    world = World(tally_service())
    newer = spoiled(type="tally.add.v2")

    world.work(newer, GOOD)
    waiting = world.waiting()
    for _ in range(5):
        world.clock.sleep(3600)
        world.work()

    (letter,) = world.parked()
    assert waiting == [newer]
    assert (letter.failure.reason, letter.failure.error) == ("TriesExhausted", "UnknownVersion")
    assert letter.body == newer


def test_one_id_with_two_contents_parks_the_second():
    world = World(tally_service())

    world.work(body(Add(1)), body(Add(2)), GOOD)

    (letter,) = world.parked()
    assert (letter.body, letter.failure.reason) == (body(Add(2)), "IdReused")
    assert world.totals() == [1, 7]


def test_a_binary_message_that_is_bad_is_dead_lettered_too():
    headers = {f"ce-{name}": str(text) for name, text in msgspec.json.decode(ENVELOPE).items() if name != "data"}

    outcomes = World(tally_service()).receive(
        Delivery(b"\xff", attributes=headers), Delivery(b'{"amount":1}', attributes={**headers, "ce-subject": "s2"})
    )

    assert outcomes[0].failure.reason == "MalformedMessage"
    assert outcomes[1] == DONE


def test_bad_input_among_suspects_is_dead_lettered_as_well():
    outcomes = World(tally_service()).receive(*[Delivery(bad, 3, addressed=True) for bad, _, _ in BAD.values()])

    assert all(isinstance(outcome, DeadLetter) for outcome in outcomes)


@pytest.mark.parametrize("key", [lambda _: "", lambda _: "a/b", lambda m: m.data.note], ids=["empty", "slash", "space"])
def test_a_key_that_is_none_is_dead_lettered(key):
    world = World(tally_service(key=key))

    world.work(body(Add(1, "no key")))

    assert [letter.failure.reason for letter in world.parked()] == ["RuleViolation"]


def test_an_event_loop_ends():
    world = World(tally_service(handles={Add: lambda *_: [Reminded()], Reminded: lambda *_: [Reminded()]}))

    world.work(body(Add(1)))
    for _ in range(30):
        world.work()

    (letter,) = world.parked()
    assert letter.failure.reason == "HopLimitExceeded"
    assert world.waiting() == []


# -- money and other values


ORDER = PlaceOrder("Ada", "ada@example.com", 1, Money(1, "USD"), "2026-11-20")


def order(raw: bytes, written: bytes = b'"amount":1') -> bytes:
    return body(ORDER).replace(written, raw)


BAD_VALUES = {
    "negative": (order(b'"amount":-1'), "total.amount"),
    "overflowing": (order(b'"amount":9007199254740992'), "total.amount"),
    "beyond 64 bits": (order(b'"amount":1' + b"0" * 30), "total.amount"),
    "beyond all bounds": (order(b'"amount":' + b"9" * 5000), "total.amount"),
    "infinite": (order(b'"amount":1e400'), "total.amount"),
    "a fraction": (order(b'"amount":1.5'), "total.amount"),
    "text": (order(b'"amount":"1"'), "total.amount"),
    "a truth": (order(b'"amount":true'), "total.amount"),
    "no currency": (order(b'"currency":""', b'"currency":"USD"'), "total.currency"),
    "half a currency": (order(b'"currency":"US"', b'"currency":"USD"'), "total.currency"),
    "a currency and a line feed": (order(b'"currency":"USD\\n"', b'"currency":"USD"'), "total.currency"),
    "no copies": (order(b'"quantity":0', b'"quantity":1'), "quantity"),
    "no mailbox": (order(b'"email":"ada"', b'"email":"ada@example.com"'), "email"),
    "a mailbox and a line feed": (order(b'"email":"ada@x\\n"', b'"email":"ada@example.com"'), "email"),
    "two mailboxes": (order(b'"email":"ada@x, bob@x"', b'"email":"ada@example.com"'), "email"),
    "no name": (order(b'"customer":""', b'"customer":"Ada"'), "customer"),
    "no date": (order(b'"date":"today"', b'"date":"2026-11-20"'), "date"),
    "a date and a line feed": (order(b'"date":"2026-11-20\\n"', b'"date":"2026-11-20"'), "date"),
    "a date in other digits": (order(b'"date":"\\u0662026-11-20"', b'"date":"2026-11-20"'), "date"),
}


@pytest.mark.parametrize(("bad", "place"), BAD_VALUES.values(), ids=BAD_VALUES.keys())
def test_a_value_out_of_bounds_is_a_mismatch_that_says_where(bad, place):
    world = World(CATALOG.service("orders"), catalog=CATALOG)
    assert bad != body(ORDER)

    world.work(bad, body(ORDER, id="good", subject="good"))

    (letter,) = world.parked()
    assert (letter.body, letter.failure.reason) == (bad, "PayloadMismatch")
    assert letter.failure.text.endswith(f"- at `$.{place}`")
    assert [made.subject for made in world.published()] == ["good", "good"]


def test_the_greatest_amount_is_taken():
    world = World(CATALOG.service("orders"), catalog=CATALOG)

    world.work(order(b'"amount":9007199254740991'))

    assert world.parked() == []


HANDLED = [(service, payload) for service in CATALOG.services.values() for payload in service.handles]


def str_of(value: Any) -> str:
    return value.name if isinstance(value, Service) else value.__name__


@pytest.mark.parametrize("nonsense", [None, ["text"]], ids=repr)
@pytest.mark.parametrize(("service", "payload"), HANDLED, ids=str_of)
def test_no_service_takes_a_payload_that_is_no_object(service: Service, payload: type[Payload], nonsense: Any):
    world = World(service, catalog=CATALOG)

    (outcome,) = world.receive(Delivery(spoiled(type=str(payload.message_type), data=nonsense)))

    assert outcome.failure.reason == "PayloadMismatch"


def test_a_batch_of_nothing_but_bad_input_is_settled_one_by_one():
    world = World(tally_service())

    world.work(*[bad for bad, _, _ in BAD.values()])

    assert [letter.body for letter in world.parked()] == [bad for bad, _, _ in BAD.values()]
    assert world.commits() == []
