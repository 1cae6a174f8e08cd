"""An app whose functions write down how they were called and do as a message tells them; for tests of the host."""

import json
import logging
import os
import signal
import time
import typing
from pathlib import Path

import azure.functions as func

FOLDER = Path(os.environ["PROBE_FOLDER"])

if os.environ.get("PROBE_BROKEN"):
    raise RuntimeError("this app was told not to start")

app = func.FunctionApp()


@app.function_name("ants")
@app.service_bus_queue_trigger(
    arg_name="messages",
    queue_name="%PROBE_QUEUE%",
    connection="TREFOIL_SERVICEBUS",
    cardinality=func.Cardinality.MANY,
    data_type=func.DataType.BINARY,
)
def ants(messages: typing.List[func.ServiceBusMessage]) -> None:  # noqa: UP006 - what the worker reads
    logging.getLogger("probe").info("%d ants", len(messages))
    called("ants", messages)


@app.function_name("bees")
@app.service_bus_queue_trigger(
    arg_name="message", queue_name="trefoil-dev-bees", connection="TREFOIL_SERVICEBUS", data_type=func.DataType.BINARY
)
def bees(message: func.ServiceBusMessage) -> None:
    called("bees", [message])


@app.function_name("tick")
@app.timer_trigger(arg_name="timer", schedule="%PROBE_SCHEDULE%")
def tick(timer: func.TimerRequest) -> None:
    note({"function": "tick", "past_due": timer.past_due})
    if os.environ.get("PROBE_TICK"):
        raise RuntimeError("as told")


def called(function, messages):
    note({"function": function, "messages": [shown(each) for each in messages]})
    for message in messages:
        obey(function, message)
    note({"function": f"{function} done"})


def obey(function, message):
    told = message.application_properties
    if told.get("die") and message.delivery_count == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    while told.get("sleep"):
        time.sleep(1)
    while len(list(FOLDER.glob(f"*-{function}.json"))) < int(told.get("meet", 0)):
        time.sleep(0.05)
    if message.delivery_count <= int(told.get("fail", 0)):
        raise RuntimeError(f"message {message.message_id} is to fail")


def shown(message):
    return {
        "body": message.get_body().decode(),
        "id": message.message_id,
        "count": message.delivery_count,
        "number": message.sequence_number,
        "subject": message.subject,
        "correlation": message.correlation_id,
        "properties": message.application_properties,
        "enqueued": str(message.enqueued_time_utc),
        "expires": str(message.expires_at_utc),
        "token": message.lock_token,
    }


def note(call):
    call = {**call, "process": os.getpid(), "environment": dict(os.environ), "path": os.sys.path}
    written = FOLDER / f"{time.time_ns()}-{call['function']}.writing"
    written.write_text(json.dumps(call))
    written.rename(written.with_suffix(".json"))
