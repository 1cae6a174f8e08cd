from io import BytesIO
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.kernel.errors import CircuitOpen, RuleViolation
from shared.kernel.message import Payload, command
from shared.kernel.outcome import DONE
from shared.kernel.ports import Delivery
from shared.kernel.telemetry import Counters, JsonLines, Observation, Several
from tests.support.kernel_fakes import (
    NOW,
    Add,
    Added,
    Noted,
    World,
    add,
    adds,
    body,
    delivery,
    ignore,
    raising,
    spoiled,
    tally_service,
)

SECRET = "hunter2-marker"  # noqa: S105 - a marker, to be looked for
LONG_AGO, FAR_AHEAD = "2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"


@command("tally.choose.v1")
class Choose(Payload, frozen=True):
    """A payload that is full of places where something could leak from."""

    amount: int
    note: str = ""
    kind: Literal["plus", "minus"] = "plus"
    when: msgspec.Raw = msgspec.Raw(b"null")


def seen(**fields: Any) -> Observation:
    usual = {
        "time": 1.0,
        "level": "INFO",
        "service": "tally",
        "handler": "add",
        "outcome": "Done",
        "attempts": 1,
        "seconds": 0.1,
        "emitted": 2,
    }
    return Observation(**{**usual, **fields})


def line_of(world: World, *deliveries: Delivery) -> dict[str, Any]:
    world.receive(*deliveries)
    return world.log()[-1]


# -- lines


def test_a_line_tells_what_became_of_a_message_and_where_it_belongs():
    line = line_of(
        World(tally_service()),
        delivery(Add(1), id="m7", subject="s7", correlationid="flow", causationid="m6", traceparent="00-a-b-01"),
    )

    assert line == {
        "time": NOW.timestamp(),
        "level": "INFO",
        "service": "tally",
        "handler": "add",
        "outcome": "Done",
        "attempts": 1,
        "seconds": 0.0,
        "emitted": 1,
        "type": "tally.add.v1",
        "id": "m7",
        "source": "/test",
        "subject": "s7",
        "correlationid": "flow",
        "causationid": "m6",
        "traceparent": "00-a-b-01",
    }


def test_a_message_that_begins_a_flow_is_logged_under_its_own_id():
    assert line_of(World(tally_service()), delivery(Add(1), id="m7"))["correlationid"] == "m7"


def test_a_failure_is_logged_with_reason_error_and_text():
    line = line_of(World(tally_service(raising(RuleViolation("refused")))), delivery(Add(-1), 2))

    assert (line["outcome"], line["attempts"], line["emitted"]) == ("DeadLetter", 2, 0)
    assert (line["reason"], line["error"], line["text"]) == ("RuleViolation", "RuleViolation", "refused")
    assert line["handler"] == "add_or_raise"


def test_what_is_no_envelope_is_logged_without_what_could_not_be_read():
    line = line_of(World(tally_service()), Delivery(b"nonsense"))

    assert (line["outcome"], line["reason"], line["handler"]) == ("DeadLetter", "MalformedMessage", "receiver")
    assert line.keys().isdisjoint({"type", "id", "source", "subject", "correlationid"})


def test_the_time_a_batch_took_is_shared_out():
    world = World(tally_service(lambda tally, message: world.clock.sleep(3) or add(tally, message)))

    world.receive(*adds(1, 2))

    assert [line["seconds"] for line in world.log()] == [3, 3]
    assert [line["time"] for line in world.log()] == [NOW.timestamp() + 6] * 2


def test_a_batch_is_logged_after_it_was_settled():
    world = World(tally_service())
    lines_before = []

    world.receiver.receive([delivery(Add(1))], lambda _: lines_before.append(len(world.log())))

    assert lines_before == [0]
    assert len(world.log()) == 1


def test_every_record_of_a_batch_has_a_line():
    world = World(tally_service(raising(ValueError("bug"))))

    world.receive(Delivery(b"nonsense"), *adds(1, -1), delivery(Add(1), 4, id="suspect"))

    assert [line["outcome"] for line in world.log()] == ["DeadLetter", "Done", "Retry", "Done"]


LEVELS = {
    "Done": ("INFO", delivery(Add(1))),
    "Ignored": ("INFO", Delivery(spoiled(type="weather.changed.v1"))),
    "Retry": ("WARNING", Delivery(spoiled(type="tally.add.v2"))),
    "Defer": ("INFO", delivery(Add(-1))),
    "DeadLetter": ("ERROR", Delivery(b"nonsense")),
}


@pytest.mark.parametrize(("outcome", "level", "given_"), [(name, *rest) for name, rest in LEVELS.items()])
def test_each_outcome_has_its_level(outcome, level, given_):
    line = line_of(World(tally_service(raising(CircuitOpen("down")))), given_)

    assert (line["outcome"], line["level"]) == (outcome, level)


@pytest.mark.parametrize(("least", "kept"), [("INFO", 3), ("WARNING", 2), ("ERROR", 1)])
def test_lines_below_the_level_are_left_out(least, kept):
    stream = BytesIO()

    JsonLines(stream, least).observe([seen(level=level) for level in ("INFO", "WARNING", "ERROR")])

    assert len(stream.getvalue().splitlines()) == kept


def test_a_batch_is_one_write_and_nothing_worth_a_line_is_none():
    class Stream(BytesIO):
        """Counts writes."""

        writes = 0

        def write(self, written):
            self.writes += 1
            return super().write(written)

    stream = Stream()
    lines = JsonLines(stream, "WARNING")

    lines.observe([seen(level="ERROR"), seen(level="WARNING")])
    lines.observe([seen(level="INFO")])

    assert stream.writes == 1


def test_a_line_is_one_line_whatever_the_text():
    stream = BytesIO()

    JsonLines(stream).observe([seen(text="a\nb\r\n\u2028\N{FOUR LEAF CLOVER}", error="E")])

    assert stream.getvalue().count(b"\n") == 1
    assert msgspec.json.decode(stream.getvalue())["text"] == "a\nb\r\n\u2028\N{FOUR LEAF CLOVER}"


# -- counters


def test_outcomes_and_what_was_emitted_are_counted_by_service():
    counters = Counters()

    counters.observe([seen(), seen(emitted=3), seen(outcome="Retry", emitted=0), seen(service="orders")])

    assert counters.counts == {
        ("tally", "Done"): 2,
        ("tally", "emitted"): 5,
        ("tally", "Retry"): 1,
        ("orders", "Done"): 1,
        ("orders", "emitted"): 2,
    }


def test_counts_add_up_over_batches():
    world = World(tally_service(raising(ValueError("bug"))))

    world.receive(*adds(1, 2))
    world.receive(delivery(Add(-1), id="m9"), Delivery(b"nonsense"))

    assert world.counters.counts["tally", "Done"] == 2
    assert world.counters.counts["tally", "Retry"] == 1
    assert world.counters.counts["tally", "DeadLetter"] == 1
    assert world.counters.counts["tally", "emitted"] == 2


def test_several_telemetries_are_told_the_same():
    one, other = Counters(), Counters()

    Several(one, other).observe([seen()])

    assert one.counts == other.counts
    assert one.counts["tally", "Done"] == 1


# -- never a payload


def choosing(error: Exception | None = None) -> World:
    def choose(_: Any, message: Any) -> list[Any]:
        if error:
            raise error
        return [Added(1, 1, message.data.note), Noted(message.data.note)]

    return World(tally_service(handles={Choose: choose, Add: ignore}, emits={Added: None, Noted: None}))


HIDING_PLACES = st.fixed_dictionaries(
    {"amount": st.sampled_from([1, SECRET, [SECRET], {SECRET: SECRET}, None])},
    optional={
        "note": st.sampled_from([SECRET, [SECRET], {SECRET: 1}, 7]),
        "kind": st.sampled_from(["plus", [SECRET], {SECRET: 1}]),
        "when": st.sampled_from([SECRET, {SECRET: [SECRET]}]),
        SECRET: st.sampled_from([SECRET, 1, None]),
    },
)


@settings(max_examples=60)
@given(
    data=HIDING_PLACES | st.sampled_from([SECRET, [SECRET], {SECRET: SECRET}]),
    type_=st.sampled_from(["tally.choose.v1", "tally.choose.v2", "tally.add.v1", "weather.changed.v1", "?"]),
    attributes=st.sampled_from([{}, {"hops": 99}, {"expirytime": LONG_AGO}, {"time": FAR_AHEAD}]),
    error=st.sampled_from([None, RuleViolation("refused"), CircuitOpen("down"), ZeroDivisionError("bug")]),
    cut=st.sampled_from([None, -1, -20]),
)
def test_nothing_of_a_payload_is_ever_logged(data, type_, attributes, error, cut):
    world = choosing(error)
    raw = spoiled(type=type_, data=data, **attributes)

    world.receive(Delivery(raw[:cut]), Delivery(raw, 5), Delivery(raw, addressed=True))

    assert len(world.log()) == 3
    assert SECRET not in world.lines.getvalue().decode()


def test_a_value_that_is_none_of_the_allowed_ones_is_not_logged():
    world = choosing()

    world.receive(Delivery(spoiled(type="tally.choose.v1", data={"amount": 1, "kind": SECRET})))

    assert world.log()[0]["reason"] == "PayloadMismatch"
    assert SECRET not in world.lines.getvalue().decode()


def test_nothing_of_a_binary_payload_is_ever_logged():
    headers = {f"ce-{name}": text for name, text in msgspec.json.decode(body(Add(1))).items() if isinstance(text, str)}
    world = World(tally_service())

    world.receive(Delivery(f'{{"amount":1,"note":"{SECRET}"'.encode(), attributes=headers))

    assert world.log()[0]["reason"] == "MalformedMessage"
    assert SECRET not in world.lines.getvalue().decode()


def test_what_is_counted_as_done_was_done():
    world = choosing()

    outcomes = world.receive(Delivery(spoiled(type="tally.choose.v1", data={"amount": 1, "note": SECRET})))

    assert outcomes == [DONE]
    assert world.published()[0].data
    assert SECRET not in world.lines.getvalue().decode()
