"""What a function says: a line of JSON a record, in the log that the worker hands over, without payloads."""

import json
import logging

import pytest
from azure.servicebus.exceptions import ServiceBusServerBusyError

from functions.azure.function_app import Function
from functions.azure.telemetry import HostLogging, quieten
from shared.kernel.errors import PublishFailed
from shared.kernel.telemetry import Observation
from tests.support.azure_fakes import handed, order, raising, refused

SECRET = "hunter2-marker"  # noqa: S105 - a marker, to be looked for


def seen(outcome="Done", level="INFO", **more):
    usual = {"attempts": 2, "seconds": 0.25, "emitted": 3, "type": "orders.place-order.v1", "id": "m1"}
    return Observation(1000.0, level, "orders", "place_order", outcome, **{**usual, **more})


@pytest.fixture
def logger(caplog):
    """A service's logger, as the worker has configured logging: it hands over what is INFO or louder."""
    logging.getLogger("trefoil.test").setLevel(logging.NOTSET)
    return logging.getLogger("trefoil.test")


def lines(caplog):
    return [json.loads(record.getMessage()) for record in caplog.records]


def test_a_record_is_a_line_with_all_that_identifies_it(logger, caplog):
    HostLogging(logger).observe([seen(subject="o1", source="/shop", correlationid="flow", causationid="m0")])

    assert lines(caplog) == [
        {
            "time": 1000.0,
            "level": "INFO",
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
    ]


def test_what_is_done_is_said_although_python_s_own_loggers_say_warnings_only(logger, caplog):
    HostLogging(logger).observe([seen(), seen()])

    assert [record.levelname for record in caplog.records] == ["INFO", "INFO"]


@pytest.mark.parametrize(("level", "outcome"), [("WARNING", "Retry"), ("ERROR", "DeadLetter")])
def test_what_went_wrong_is_louder_and_says_why(logger, caplog, level, outcome):
    HostLogging(logger).observe(
        [seen(outcome, level, reason="TriesExhausted", error="KeyError", text="no\nsuch %s key")]
    )

    (line,) = lines(caplog)
    assert caplog.records[0].levelname == level
    assert "\n" not in caplog.records[0].getMessage()
    assert (line["reason"], line["error"], line["text"]) == ("TriesExhausted", "KeyError", "no\nsuch %s key")


def test_a_warning_is_said_as_one(logger, caplog):
    HostLogging(logger).warn("mails are lost")

    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [("WARNING", "mails are lost")]


@pytest.mark.parametrize(
    "name", ["azure.core.pipeline.policies.http_logging_policy", "azure.servicebus._pyamqp.client"]
)
def test_the_sdks_say_only_what_went_wrong(monkeypatch, caplog, name):
    """The worker hands over all, and they write a dozen lines of every call."""
    for each in ("azure.core", "azure.servicebus"):
        monkeypatch.setattr(logging.getLogger(each), "level", logging.INFO)
    monkeypatch.setattr(logging.getLogger(), "level", logging.INFO)

    quieten()
    logging.getLogger(name).info("a header")
    logging.getLogger(name).warning("a retry")

    assert [record.getMessage() for record in caplog.records] == ["a retry"]


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
def test_no_payload_is_in_any_line(fake, azure, caplog, body, outcome):
    caplog.set_level("INFO")
    if outcome == "Retry":
        fake.answers["insert"] = refused(403, "AuthorizationFailure")

    Function("orders", azure).handle(handed(body))

    (line,) = [json.loads(record.getMessage()) for record in caplog.records if record.name == "trefoil.orders"]
    assert line["outcome"] == outcome
    assert SECRET not in caplog.text


def test_no_payload_is_in_what_a_batch_fails_with(fake, azure, caplog):
    caplog.set_level("INFO")
    fake.answers["insert"] = refused(403, "AuthorizationFailure")
    fake.answers["send"] = raising(ServiceBusServerBusyError(message="busy"))

    with pytest.raises(PublishFailed) as caught:
        Function("orders", azure).handle(handed(order(data=GOOD)))

    assert SECRET not in caplog.text + str(caught.value)
