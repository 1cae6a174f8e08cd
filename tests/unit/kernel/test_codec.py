from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from shared.kernel.codec import ENVELOPE_LIMIT, decode, encode, read_own
from shared.kernel.errors import MalformedMessage, TooLarge
from shared.kernel.message import Envelope
from tests.support.kernel_fakes import NOW, Add, body, envelope, fields, spoiled

COMPLETE = {
    "datacontenttype": "application/json; charset=utf-8",
    "dataschema": "https://example.com/add.json",
    "correlationid": "c1",
    "causationid": "m0",
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "hops": 3,
    "sequence": "0000000007.0001",
    "expirytime": NOW + timedelta(hours=1),
}

HEADERS = {
    "ce-specversion": "1.0",
    "ce-id": "m1",
    "ce-source": "/test",
    "ce-type": "tally.add.v1",
    "ce-subject": "s1",
    "ce-time": "2026-11-20T12:00:00Z",
    "content-type": "application/json",
}


def without(name: str) -> bytes:
    return msgspec.json.encode({key: value for key, value in fields().items() if key != name})


def padded(surplus: int) -> Envelope:
    """An envelope that is so many bytes over the limit."""
    short = len(encode(envelope(Add(1, "x"))))
    return envelope(Add(1, "x" * (ENVELOPE_LIMIT - short + 1 + surplus)))


def test_an_envelope_comes_back_as_it_was_written():
    written = envelope(Add(1, "für Zoë"), **COMPLETE)

    read = decode(encode(written))

    assert read == written


@given(
    attributes=st.fixed_dictionaries(
        {
            "id": st.text(min_size=1, max_size=128),
            "source": st.text(min_size=1, max_size=256),
            "hops": st.integers(0, 2**40),
            "time": st.datetimes(timezones=st.just(UTC)),
        }
    ),
    note=st.text(max_size=50),
)
def test_any_valid_envelope_comes_back_as_it_was_written(attributes, note):
    written = envelope(Add(1, note), **attributes)

    read = decode(encode(written))

    assert read == written


def test_the_json_holds_the_attributes_under_their_cloudevents_names():
    written = msgspec.json.decode(encode(envelope(Add(1), **COMPLETE)))

    assert written == {
        "specversion": "1.0",
        "id": "m1",
        "source": "/test",
        "type": "tally.add.v1",
        "subject": "s1",
        "time": "2026-11-20T12:00:00Z",
        **COMPLETE,
        "expirytime": "2026-11-20T13:00:00Z",
        "data": {"amount": 1, "note": ""},
    }


def test_attributes_without_a_value_are_not_written():
    written = msgspec.json.decode(encode(envelope(Add(1))))

    assert written.keys() == {"specversion", "id", "source", "type", "subject", "time", "data"}


def test_a_foreign_extension_is_tolerated():
    read = decode(spoiled(partitionkey="p", nested={"a": [1]}))

    assert read == envelope(Add(1))


def test_a_time_with_another_offset_is_the_same_instant():
    read = decode(spoiled(time="2026-11-20T14:30:00+02:30"))

    assert read.time == NOW


def test_our_own_bytes_are_read_without_checks():
    written = envelope(Add(1), **COMPLETE)

    assert read_own(encode(written)) == written
    assert read_own(Raw(encode(written))) == written


# -- binary mode


def test_a_binary_message_is_read_from_its_headers_and_body():
    read = decode(b'{"amount":1,"note":""}', HEADERS)

    assert read == envelope(Add(1))


def test_a_binary_message_keeps_the_bytes_of_its_payload():
    read = decode(b' { "amount" : 1 } ', HEADERS)

    assert bytes(read.data).strip() == b'{ "amount" : 1 }'


def test_headers_of_a_binary_message_are_percent_decoded():
    read = decode(b"{}", {**HEADERS, "ce-source": "/caf%C3%A9/%22100%25%22"})

    assert read.source == '/café/"100%"'


def test_extensions_of_a_binary_message_are_read_from_text():
    extensions = {"ce-hops": "3", "ce-correlationid": "17", "ce-expirytime": "2026-11-20T13:00:00Z"}

    read = decode(b"{}", {**HEADERS, **extensions})

    assert (read.hops, read.correlationid, read.expirytime) == (3, "17", COMPLETE["expirytime"])


def test_the_content_type_of_a_binary_message_describes_its_payload():
    read = decode(b"{}", {**HEADERS, "content-type": "application/vnd.tally+json"})

    assert read.datacontenttype == "application/vnd.tally+json"


def test_other_headers_of_a_binary_message_are_let_be():
    read = decode(b'{"amount":1,"note":""}', {**HEADERS, "host": "example.com", "x-ce-id": "m2"})

    assert read == envelope(Add(1))


def test_headers_without_an_id_leave_the_body_structured():
    read = decode(body(Add(1)), {"ce-type": "tally.other.v1", "content-type": "application/cloudevents+json"})

    assert read == envelope(Add(1))


@pytest.mark.parametrize("name", ["ce-specversion", "ce-source", "ce-type", "ce-subject", "ce-time"])
def test_a_binary_message_without_a_required_header_is_malformed(name):
    headers = {key: value for key, value in HEADERS.items() if key != name}

    with pytest.raises(MalformedMessage, match=name.removeprefix("ce-")):
        decode(b"{}", headers)


@pytest.mark.parametrize("payload", [b"", b"{", b"not JSON", b"\xff\xfe", b"{}{}", b"[" * 100_000])
def test_a_binary_message_whose_payload_is_not_json_is_malformed(payload):
    with pytest.raises(MalformedMessage, match="not a CloudEvent"):
        decode(payload, HEADERS)


@pytest.mark.parametrize("payload", [b'{},"id":"m2"', b'{},"hops":0', b'1,"x":{}'])
def test_the_payload_of_a_binary_message_cannot_reach_into_its_attributes(payload):
    with pytest.raises(MalformedMessage):
        decode(payload, HEADERS)


def test_a_header_that_is_no_text_is_malformed():
    with pytest.raises(MalformedMessage):
        decode(b"{}", {**HEADERS, "ce-source": "/\ud800"})


# -- what is refused


MALFORMED = {
    "nothing": (b"", "not a CloudEvent"),
    "text": (b"hello", "not a CloudEvent"),
    "cut short": (body(Add(1))[:-1], "not a CloudEvent"),
    "two at once": (body(Add(1)) * 2, "trailing characters"),
    "a byte order mark": (b"\xef\xbb\xbf" + body(Add(1)), "not a CloudEvent"),
    "UTF-16": (body(Add(1)).decode().encode("utf-16"), "not a CloudEvent"),
    "a list": (b"[" + body(Add(1)) + b"]", "Expected `object`"),
    "null": (b"null", "Expected `object`"),
    "another spec version": (spoiled(specversion="0.3"), "specversion is '0.3'"),
    "a number as spec version": (spoiled(specversion=1.0), "specversion"),
    "an empty id": (spoiled(id=""), "id has 0 characters"),
    "a long id": (spoiled(id="i" * 129), "id has 129 characters"),
    "a number as id": (spoiled(id=1), r"\$.id"),
    "an empty source": (spoiled(source=""), "source has 0 characters"),
    "a long source": (spoiled(source="s" * 257), "source has 257 characters"),
    "an empty subject": (spoiled(subject=""), "subject ''"),
    "a long subject": (spoiled(subject="s" * 65), "subject 's+' is not 1 to 64 characters"),
    "a subject with a slash": (spoiled(subject="a/b"), "subject 'a/b'"),
    "a subject with a line feed": (spoiled(subject="a\n"), "subject"),
    "a subject of another script": (spoiled(subject="zoë"), "subject 'zoë'"),
    "a time without an offset": (spoiled(time="2026-11-20T12:00:00"), r"\$.time"),
    "a time that is a number": (spoiled(time=1_795_000_000), r"\$.time"),
    "a time that is none": (spoiled(time="yesterday"), r"\$.time"),
    "a day that is none": (spoiled(time="2026-02-30T12:00:00Z"), r"\$.time"),
    "an expiry that is none": (spoiled(expirytime="soon"), r"\$.expirytime"),
    "a payload of another kind": (spoiled(datacontenttype="text/xml"), "datacontenttype is 'text/xml'"),
    "negative hops": (spoiled(hops=-1), "hops is negative"),
    "hops as text": (spoiled(hops="1"), r"\$.hops"),
    "invalid UTF-8": (body(Add(1)).replace(b'"s1"', b'"\xff"'), "not a CloudEvent"),
    "half a surrogate pair": (body(Add(1)).replace(b'"m1"', b'"\\ud800"'), "not a CloudEvent"),
    "deep data": (body(Add(1))[:-1] + b',"data":' + b"[" * 100_000, "not a CloudEvent"),
    "a deep attribute": (body(Add(1))[:-1] + b',"x":' + b"[" * 50_000 + b"]" * 50_000 + b"}", "not a CloudEvent"),
}


@pytest.mark.parametrize(("raw", "text"), MALFORMED.values(), ids=MALFORMED.keys())
def test_what_is_not_an_envelope_is_malformed_and_the_text_says_where(raw, text):
    with pytest.raises(MalformedMessage, match=text):
        decode(raw)


@pytest.mark.parametrize("name", ["specversion", "id", "source", "type", "subject", "time", "data"])
def test_an_envelope_without_a_required_attribute_is_malformed(name):
    with pytest.raises(MalformedMessage, match=f"missing required field `{name}`"):
        decode(without(name))


def test_a_long_attribute_is_quoted_in_part_only():
    with pytest.raises(MalformedMessage) as caught:
        decode(spoiled(subject="%" * 100_000))

    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(("name", "length"), [("id", 128), ("source", 256), ("subject", 64)])
def test_attributes_at_their_limit_are_read(name, length):
    read = decode(spoiled(**{name: "x" * length}))

    assert getattr(read, name) == "x" * length


# -- size


def test_an_envelope_at_the_limit_is_written_and_read():
    largest = padded(0)

    written = encode(largest)

    assert len(written) == ENVELOPE_LIMIT == 192 * 1024
    assert decode(written) == largest


def test_an_envelope_over_the_limit_is_not_written():
    with pytest.raises(TooLarge, match="196,609 bytes; at most 196,608"):
        encode(padded(1))


def test_an_envelope_over_the_limit_is_not_read():
    with pytest.raises(TooLarge, match="196,609 bytes"):
        decode(body(Add(1)) + b" " * (ENVELOPE_LIMIT - len(body(Add(1))) + 1))


def test_a_binary_payload_over_the_limit_is_not_read():
    with pytest.raises(TooLarge):
        decode(b'"' + b"x" * ENVELOPE_LIMIT + b'"', HEADERS)


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_the_ends_of_time_can_be_read(time):
    read = decode(spoiled(time=time))

    assert read.time.replace(tzinfo=None) in {datetime.min, datetime.max.replace(microsecond=0)}  # noqa: DTZ901
