"""`trefoil send`: each line is checked on its own; what is refused is named, the rest goes."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.local.sending import CHUNK, Sender
from infra.clock import SystemClock
from infra.local.memory import MemoryBroker
from shared.catalog import CATALOG
from shared.kernel.ports import Outgoing
from tests.local.driver import cloud_event, lines, place, register, trefoil, trefoil_process

REGISTER = "users.register-user.v1"
ADA = {"name": "Ada", "email": "ada@example.com"}


def short(**fields: Any) -> dict[str, Any]:
    return {"type": REGISTER, "subject": "ada", "data": ADA, **fields}


def bodies(shop, service: str = "users") -> list[Any]:
    """What waits for a service."""
    rows = shop.query("select body from messages where service = ? order by number", service)
    return [json.loads(body) for (body,) in rows]


# -- the two forms


def test_a_cloud_event_goes_as_it_is(shop):
    sent = shop("send", "-", stdin=lines(register("ada")))

    assert (sent.code, sent.out, sent.err) == (0, "1 sent, 0 refused\n", "")
    assert bodies(shop) == [register("ada")]


def test_a_cloud_event_keeps_its_extensions(shop):
    event = register("ada", correlationid="flow", causationid="parent", hops=3, traceparent="00-aa-bb-01")

    shop.send(event)

    assert bodies(shop) == [event]


def test_the_short_form_is_given_an_id_a_source_and_a_time(shop):
    shop.send(short(), short())

    first, second = bodies(shop)
    assert (first["type"], first["subject"], first["data"]) == (REGISTER, "ada", ADA)
    assert (first["specversion"], first["source"]) == ("1.0", "/cli")
    assert first["id"] != second["id"]
    assert first["time"] <= second["time"]


def test_a_message_goes_to_every_service_that_handles_it(shop):
    captured = {"money": {"amount": 1, "currency": "USD"}, "date": "2026-01-01", "reference": "r"}

    shop.send(cloud_event("payments.payment-captured.v1", "a", captured))

    assert [len(bodies(shop, service)) for service in ("orders", "revenue", "payments")] == [1, 1, 0]


def test_what_was_sent_can_be_had_as_json(shop):
    done = shop("send", "-", "--json", stdin=lines(register("ada"), short(type="x")))

    assert done.code == 1
    assert done.json["sent"] == 1
    assert done.json["refused"] == [{"line": 2, "fault": done.json["refused"][0]["fault"]}]
    assert done.err == ""


def test_messages_may_come_from_a_file(shop, tmp_path):
    (tmp_path / "messages.jsonl").write_bytes(lines(register("ada"), register("bob")))

    sent = shop("send", tmp_path / "messages.jsonl", "--json")

    assert sent.json == {"sent": 2, "refused": []}


def test_messages_may_come_from_another_program(shop):
    sent = trefoil_process("send", "-", "--data", shop.folder, stdin=lines(register("ada")))

    assert (sent.code, sent.out) == (0, "1 sent, 0 refused\n")


@pytest.mark.requires(Path("/dev/fd").exists(), install="a system that has /dev/fd")
def test_messages_may_come_from_a_pipe_that_has_a_name(shop):
    reader, writer = os.pipe()
    os.write(writer, lines(register("ada")))
    os.close(writer)

    sent = shop("send", f"/dev/fd/{reader}")

    os.close(reader)
    assert sent.out == "1 sent, 0 refused\n"


@pytest.mark.parametrize("name", ["missing.jsonl", "."])
def test_what_is_not_a_file_is_an_error_of_usage(shop, tmp_path, name):
    sent = shop("send", tmp_path / name)

    assert (sent.code, sent.out) == (2, "")
    assert "is not a file" in sent.err


# -- what is refused

DEEP = "[" * 100_000 + "]" * 100_000

REFUSED = {
    "no JSON": (b"hello", "not a JSON object"),
    "cut off": (b'{"type": "users.reg', "not a JSON object"),
    "a list": (b"[]", "not a JSON object"),
    "a number": (b"7", "not a JSON object"),
    "deeply nested": (DEEP.encode(), "not a JSON object"),
    "deeply nested data": (b'{"type": "t", "subject": "s", "data": %s}' % DEEP.encode(), "not a JSON object"),
    "bytes that are no text": (b'\xff\xfe{"type": 1}', "not a JSON object"),
    "a type that is no text": (b'{"type": "\xff", "subject": "s", "data": {}}', ""),
    "a subject that is no text": (b'{"type": "users.register-user.v1", "subject": "\xff", "data": {}}', ""),
    "data that is no text": (
        b'{"type": "users.register-user.v1", "subject": "s", "data": {"name": "\xff", "email": "a@b"}}',
        "does not fit",
    ),
    "an attribute that is no text": (b'{"specversion": "\xff"}', "not a CloudEvent"),
    "an empty object": (b"{}", "neither a CloudEvent"),
    "no data": (lines({"type": REGISTER, "subject": "ada"}), "neither a CloudEvent"),
    "no subject": (lines({"type": REGISTER, "data": ADA}), "neither a CloudEvent"),
    "a subject with a slash": (lines(short(subject="a/b")), "subject 'a/b'"),
    "a subject too long": (lines(short(subject="s" * 65)), "is not 1 to 64 characters"),
    "no type": (lines(short(type="")), "is not a message type"),
    "an unknown type": (lines(short(type="users.fly-user.v1")), "'users.fly-user.v1' is not a known message type"),
    "a newer version": (lines(short(type="users.register-user.v2")), "is newer than this code"),
    "a private event": (
        lines(short(type="climate.temperature-noted.v1", data={"temperature": 1})),
        "no service handles 'climate.temperature-noted.v1'",
    ),
    "data that lack a field": (lines(short(data={"name": "Ada"})), "missing required field `email`"),
    "data of another shape": (lines(short(data=[])), "does not fit"),
    "a bad address": (lines(short(data={**ADA, "email": "ada"})), "does not fit"),
    "an amount that is a fraction": (lines(place("a", 10.5)), "Expected `int`, got `float`"),
    "an amount below zero": (lines(place("a", -1)), "Expected `int` >= 0"),
    "an amount too big": (lines(place("a", 2**53)), "does not fit"),
    "another specversion": (lines(register("ada", specversion="0.3")), "specversion is '0.3'"),
    "no id": (lines(register("ada", id="")), "id has 0 characters"),
    "an id too long": (lines(register("ada", id="i" * 129)), "id has 129 characters"),
    "a time without an offset": (lines(register("ada", time="2026-01-01T00:00:00")), "not a CloudEvent"),
    "no time": (lines({k: v for k, v in register("ada").items() if k != "time"}), "`time`"),
    "a time in the future": (lines(register("ada", time="2999-01-01T00:00:00Z")), "days ahead"),
    "the last time": (lines(register("ada", time="9999-12-31T23:59:59-12:00")), ""),
    "text for data": (lines(register("ada", datacontenttype="text/plain")), "payloads are JSON"),
    "negative hops": (lines(register("ada", hops=-1)), "hops is negative"),
    "too much": (lines(short(data={**ADA, "more": "x" * 200_000})), "at most 196,608 travel"),
    "a huge line": (b"x" * 5_000_000, "not a JSON object"),
    "a huge number": (
        b'{"type": "users.register-user.v1", "subject": "s", "data": {"name": 1e999999}}',
        "does not fit",
    ),
    "NUL": (b"\x00", "not a JSON object"),
}


@pytest.mark.parametrize(("line", "fault"), REFUSED.values(), ids=REFUSED)
def test_a_line_that_is_refused_is_named_and_the_rest_goes(shop, line, fault):
    sent = shop("send", "-", stdin=lines(register("ada")) + line.rstrip() + b"\n" + lines(register("bob")))

    assert (sent.code, sent.out) == (1, "2 sent, 1 refused\n")
    assert sent.err.startswith("line 2 refused: ")
    assert fault in sent.err
    assert len(sent.err.splitlines()) == 1
    assert len(sent.err) < 1_000
    assert [body["subject"] for body in bodies(shop)] == ["ada", "bob"]


def test_blank_lines_count_and_are_no_messages(shop):
    sent = shop("send", "-", stdin=b"\n \n" + lines(register("ada")) + b"\t\nbad\n\n")

    assert sent.out == "1 sent, 1 refused\n"
    assert sent.err.startswith("line 5 refused: ")


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""], ids=["LF", "CRLF", "none"])
def test_the_last_line_may_end_in_any_way(shop, end):
    message = lines(register("ada")).strip()

    sent = shop("send", "-", stdin=message + (end or b"\n") + message + end)

    assert sent.out == "2 sent, 0 refused\n"


def test_a_byte_order_mark_costs_no_message(shop):
    sent = shop("send", "-", stdin=b"\xef\xbb\xbf" + lines(register("ada")))

    assert sent.out == "1 sent, 0 refused\n"


def test_nothing_is_no_messages(shop):
    assert shop("send", "-").out == "0 sent, 0 refused\n"


def test_what_looks_like_markup_is_shown_as_it_is(shop):
    sent = shop("send", "-", stdin=lines(short(subject="[red]:smile:[/red]")))

    assert "subject '[red]:smile:[/red]' is not" in sent.err


@given(st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"")), max_size=5))
def test_whatever_bytes_come_each_line_is_sent_or_refused(noise):
    sender = Sender(CATALOG, MemoryBroker(CATALOG, SystemClock()))
    good = lines(register("ada"))

    for _ in sender.send([*noise, good]):
        pass

    spoken = [number for number, line in enumerate(noise, 1) if line.strip()]
    assert [number for number, _ in sender.refused] == spoken
    assert sender.sent == 1


FIELD = st.sampled_from([REGISTER, "ada", "", "\ud800", 7, None, ADA, {"name": "\ud800", "email": "a@b"}, [], 1e308])


@given(st.dictionaries(st.sampled_from(["type", "subject", "data", "id", "time", "specversion"]), FIELD))
def test_whatever_json_comes_each_line_is_sent_or_refused(fields):
    sender = Sender(CATALOG, MemoryBroker(CATALOG, SystemClock()))

    for _ in sender.send([lines(fields)]):
        pass

    assert sender.sent + len(sender.refused) == 1


# -- many


def test_many_lines_are_sent_in_chunks_and_numbered_through(shop):
    count = 2 * CHUNK + 1
    messages = [register(f"user-{number}") for number in range(count)]
    messages[CHUNK + 5] = short(type="x")

    sent = shop("send", "-", stdin=lines(*messages))

    assert sent.out == f"{count - 1:,} sent, 1 refused\n"
    assert sent.err.startswith(f"line {CHUNK + 6} refused: ")


class ForgetfulBroker(MemoryBroker):
    """Confirms everything but one message."""

    def publish(self, messages: Any) -> set[str]:
        super().publish([message for message in messages if message.subject != "bob"])
        return {message.id for message in messages if message.subject == "bob"}


def test_a_line_that_the_bus_does_not_confirm_is_named():
    sender = Sender(CATALOG, ForgetfulBroker(CATALOG, SystemClock()))

    taken = list(sender.send([lines(register("ada")), lines(register("bob")), lines(register("cy"))]))

    assert taken == [2]
    assert sender.refused == [(2, "the bus did not confirm it; send it again")]


def test_a_bus_takes_what_send_made(shop):
    outgoing: list[Outgoing] = []

    class Listening(MemoryBroker):
        def publish(self, messages: Any) -> set[str]:
            outgoing.extend(messages)
            return set()

    list(Sender(CATALOG, Listening(CATALOG, SystemClock())).send([lines(register("ada"))]))

    (message,) = outgoing
    assert (message.id, message.type, message.subject, message.to) == (f"{REGISTER}:ada", REGISTER, "ada", None)


def test_sending_to_a_folder_that_does_not_exist_makes_it(tmp_path):
    sent = trefoil("send", "-", "--data", tmp_path / "a" / "b", stdin=lines(register("ada")))

    assert sent.code == 0


def test_a_short_line_with_an_id_and_a_time_of_its_own_may_be_sent_again(shop):
    message = short() | {"id": "m1", "time": "2026-01-01T00:00:00Z"}

    shop.handle(message)
    shop.handle(message)

    assert shop.letters() == []
    assert shop.status()["users"] == 1


def test_a_field_that_a_short_line_does_not_have_is_refused_rather_than_dropped(shop):
    sent = shop("send", "-", stdin=lines(short() | {"expirytime": "2026-01-01T00:00:00Z"}))

    assert sent.code == 1
    assert "expirytime" in sent.err
