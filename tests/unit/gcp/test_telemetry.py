"""What a function says: a line of JSON a record, as Cloud Logging reads it, without payloads."""

import io
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Request

from functions.gcp.main import Function
from functions.gcp.telemetry import CloudLogging
from shared.kernel.telemetry import Observation
from tests.support.gcp_fakes import order, pushed, raising, refused

SECRET = "hunter2-marker"  # noqa: S105 - a marker, to be looked for


def seen(outcome="Done", level="INFO", **more):
    usual = {"attempts": 2, "seconds": 0.25, "emitted": 3, "type": "orders.place-order.v1", "id": "m1"}
    return Observation(1000.0, level, "orders", "place_order", outcome, **{**usual, **more})


class Stream(io.BytesIO):
    """Remembers each write."""

    def __init__(self, error=None):
        super().__init__()
        self.writes = []
        self.error = error

    def write(self, data):
        if self.error:
            raise self.error
        self.writes.append(bytes(data))
        return super().write(data)

    def lines(self):
        return [json.loads(line) for line in self.getvalue().splitlines()]


@pytest.fixture
def stream():
    return Stream()


def test_a_record_is_a_line_with_all_that_identifies_it(stream):
    CloudLogging(stream).observe([seen(subject="o1", source="/shop", correlationid="flow", causationid="m0")])

    (line,) = stream.lines()
    assert line == {
        "severity": "INFO",
        "message": "orders: Done orders.place-order.v1",
        "time": "1970-01-01T00:16:40+00:00",
        "service": "orders",
        "handler": "place_order",
        "outcome": "Done",
        "attempts": 2,
        "seconds": 0.25,
        "emitted": 3,
        "type": "orders.place-order.v1",
        "id": "m1",
        "subject": "o1",
        "source": "/shop",
        "correlationid": "flow",
        "causationid": "m0",
    }


@pytest.mark.parametrize(("level", "outcome"), [("WARNING", "Retry"), ("ERROR", "DeadLetter")])
def test_what_went_wrong_is_louder_and_says_why(stream, level, outcome):
    CloudLogging(stream).observe([seen(outcome, level, reason="TriesExhausted", error="KeyError", text="no\nsuch key")])

    (line,) = stream.lines()
    assert line["severity"] == level
    assert (line["reason"], line["error"], line["text"]) == ("TriesExhausted", "KeyError", "no\nsuch key")


def test_a_message_of_an_unknown_type_is_named_without_it(stream):
    CloudLogging(stream).observe([seen("DeadLetter", "ERROR", type="")])

    assert stream.lines()[0]["message"] == "orders: DeadLetter"


def test_a_warning_is_a_line_with_what_belongs_to_it(stream):
    CloudLogging(stream).warn("mails are lost", count=3)

    assert stream.lines() == [{"severity": "WARNING", "message": "mails are lost", "count": 3}]


def test_a_batch_is_one_write_of_whole_lines(stream):
    CloudLogging(stream).observe([seen(), seen("Retry", "WARNING")])

    (written,) = stream.writes
    assert written.endswith(b"}\n")
    assert [line["outcome"] for line in stream.lines()] == ["Done", "Retry"]


def test_lines_of_requests_at_the_same_time_stay_whole(tmp_path):
    with (tmp_path / "log").open("wb") as log, ThreadPoolExecutor(8) as pool:
        telemetry = CloudLogging(log)
        list(pool.map(lambda number: telemetry.observe([seen(id=str(number), text="x" * 500)]), range(200)))

    lines = [json.loads(line) for line in (tmp_path / "log").read_bytes().splitlines()]
    assert sorted(int(line["id"]) for line in lines) == list(range(200))


def test_a_log_that_cannot_be_written_stops_nothing_and_is_counted():
    telemetry = CloudLogging(Stream(BrokenPipeError()))

    telemetry.observe([seen(), seen()])
    telemetry.warn("lost, too")

    assert telemetry.lost == 3


GOOD = {
    "customer": SECRET,
    "email": f"{SECRET}@example.com",
    "quantity": 1,
    "total": {"amount": 1, "currency": "EUR"},
    "date": "2025-06-20",
}


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (order(data=GOOD), "Done"),
        (order(data={**GOOD, "quantity": SECRET}), "DeadLetter"),
        (order(data={**GOOD, SECRET: 1, "email": SECRET}), "DeadLetter"),
        (SECRET.encode(), "DeadLetter"),
        (f'{{"specversion": "{SECRET}"}}'.encode(), "DeadLetter"),
        (order(data=GOOD), "Retry"),
    ],
)
def test_no_payload_is_in_any_line(fake, gcp, capfdbinary, body, outcome):
    if outcome == "Retry":
        fake.answers["Publish"] = raising(refused("PERMISSION_DENIED"))

    Function("orders", gcp).handle(Request.from_values(method="POST", data=pushed(body)))

    out, err = capfdbinary.readouterr()
    (line,) = [json.loads(each) for each in out.splitlines()]
    assert line["outcome"] == outcome
    assert SECRET.encode() not in out + err
