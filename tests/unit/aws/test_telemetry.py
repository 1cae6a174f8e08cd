"""What a function says: log lines without payloads, and counts in CloudWatch's embedded metric format."""

import json
import time

import pytest

from functions.aws.handler import Function
from functions.aws.telemetry import Powertools
from shared.kernel.telemetry import Observation
from tests.support.aws_fakes import FakeAws, Invocation, Refusal, deployment, raising

SECRET = "hunter2-marker"  # noqa: S105 - a marker, to be looked for


def seen(outcome="Done", level="INFO", **more):
    usual = {"attempts": 2, "seconds": 0.25, "emitted": 3, "type": "orders.place-order.v1", "id": "m1"}
    return Observation(1000.0, level, "orders", "place_order", outcome, **usual, **more)


@pytest.fixture
def said(capsys):
    """What was written, as JSON: lines of the log, and metrics."""

    def read():
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        return [line for line in lines if "_aws" not in line], [line for line in lines if "_aws" in line]

    return read


@pytest.fixture
def begin(request):
    """Powertools keep a logger a service, and a logger the output it began with: so each test has its own service."""
    return lambda: Powertools(request.node.name)


def test_a_record_is_a_line_with_all_that_identifies_it(begin, said, request):
    telemetry = begin()

    telemetry.request(Invocation())
    telemetry.observe([seen(subject="o1", source="/shop", correlationid="flow", causationid="m0", traceparent="00-1")])

    (line,), _ = said()
    assert line["message"] == "Done"
    assert line["service"] == request.node.name
    assert line["function_request_id"] == "request-1"
    assert line["level"] == "INFO"
    assert {name: line[name] for name in ("id", "type", "subject", "source", "correlationid", "causationid")} == {
        "id": "m1",
        "type": "orders.place-order.v1",
        "subject": "o1",
        "source": "/shop",
        "correlationid": "flow",
        "causationid": "m0",
    }
    assert (line["attempts"], line["handler"], line["traceparent"]) == (2, "place_order", "00-1")


@pytest.mark.parametrize(("level", "outcome"), [("WARNING", "Retry"), ("ERROR", "DeadLetter")])
def test_what_went_wrong_is_louder_and_says_why(begin, said, level, outcome):
    begin().observe([seen(outcome, level, reason="TriesExhausted", error="KeyError", text="no such key")])

    (line,), _ = said()
    assert line["level"] == level
    assert (line["reason"], line["error"], line["text"]) == ("TriesExhausted", "KeyError", "no such key")


def test_counts_are_one_embedded_metric_document_a_batch(begin, said, request):
    begin().observe([seen(), seen(), seen("Retry", "WARNING")])

    _, (document,) = said()
    (directive,) = document["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "Trefoil"
    assert directive["Dimensions"] == [["service"]]
    assert {each["Name"]: each["Unit"] for each in directive["Metrics"]} == {
        "Done": "Count",
        "Retry": "Count",
        "Emitted": "Count",
        "Seconds": "Seconds",
    }
    assert document["service"] == request.node.name
    assert {name: document[name] for name in ("Done", "Retry", "Emitted", "Seconds")} == {
        "Done": [2.0],
        "Retry": [1.0],
        "Emitted": [9.0],
        "Seconds": [0.75],
    }
    assert abs(document["_aws"]["Timestamp"] / 1000 - time.time()) < 60


def test_a_batch_s_counts_don_t_come_again_with_the_next(begin, said):
    telemetry = begin()

    telemetry.observe([seen()])
    telemetry.observe([seen("Ignored")])

    _, (_, second) = said()
    assert "Done" not in second


@pytest.mark.parametrize("namespace", [None, ""])
def test_without_a_namespace_metrics_have_ours(monkeypatch, capsys, said, namespace):
    """Powertools would raise, and a batch that was settled would come again for ever."""
    if namespace is None:
        monkeypatch.delenv("POWERTOOLS_METRICS_NAMESPACE", raising=False)
    else:
        monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", namespace)

    Powertools("nameless").observe([seen()])

    _, (document,) = said()
    assert document["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Trefoil"


def test_the_setting_names_another_namespace(monkeypatch, capsys, said):
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Shop")

    Powertools("named").observe([seen()])

    _, (document,) = said()
    assert document["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Shop"


def record(body):
    return {
        "messageId": "1",
        "receiptHandle": "h",
        "body": body,
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "0"},
        "messageAttributes": {},
    }


def order(data):
    envelope = {"specversion": "1.0", "id": "m1", "source": "/shop", "type": "orders.place-order.v1", "subject": "o1"}
    return json.dumps({**envelope, "time": "2025-06-20T12:00:00Z", "data": data})


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
        (order(GOOD), "Done"),
        (order({**GOOD, "quantity": SECRET}), "DeadLetter"),
        (order({**GOOD, SECRET: 1, "email": SECRET}), "DeadLetter"),
        (SECRET, "DeadLetter"),
        (f'{{"specversion": "{SECRET}"}}', "DeadLetter"),
        (order(GOOD), "Retry"),
    ],
)
def test_no_payload_is_in_any_line(capfdbinary, body, outcome):
    fake = FakeAws()
    if outcome == "Retry":
        fake.answers["PublishBatch"] = raising(Refusal("AuthorizationError", 403))
    function = Function("orders", deployment(fake))
    function.telemetry = function.receiver._telemetry = Powertools(f"secret-{outcome}-{len(body)}")

    function.handle({"Records": [record(body)]}, Invocation())

    out, err = capfdbinary.readouterr()
    (line,) = [json.loads(each) for each in out.splitlines() if b'"_aws"' not in each]
    assert line["message"] == outcome
    assert SECRET.encode() not in out + err
