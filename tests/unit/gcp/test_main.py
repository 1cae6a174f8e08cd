"""The entry points: what Pub/Sub and the schedule are answered, what a deadline does, and settings that are wrong."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from types import ModuleType

import functions_framework
import pytest
from flask import Request
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.gcp.main import Function
from shared.catalog import CATALOG
from shared.kernel.errors import ConfigurationError
from shared.kernel.ports import Outgoing, Timer
from tests.support.gcp_fakes import FIRESTORE, PUBSUB, in_turn, order, published, pushed, raising, refused
from tests.support.kernel_fakes import FakeClock

SOURCE = Path(__file__).parents[3] / "functions" / "gcp" / "main.py"
DEAD = "trefoil-dev-orders-dead"
TYPE = {"type": "orders.place-order.v1", "subject": "o1"}
REFUSED = raising(refused("PERMISSION_DENIED"))


@pytest.fixture
def start(fake, monkeypatch):
    """Start an instance of a function: functions-framework loads the entry anew, and serves it."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setitem(sys.modules, "main", ModuleType("main"))
    monkeypatch.setenv("FUNCTION_SIGNATURE_TYPE", "http")

    def start(target="receive", **environment):
        for name, value in {"TREFOIL_SERVICE": "orders", **environment}.items():
            monkeypatch.setenv(name, value)
        return functions_framework.create_app(target, str(SOURCE)).test_client()

    return start


@pytest.fixture
def clock(gcp, monkeypatch):
    """The time of an instance that is started from now on."""
    gcp.clock = gcp.channels._clock = FakeClock()
    monkeypatch.setattr("infra.gcp.wiring.function", lambda: gcp)
    return gcp.clock


def reasons(fake):
    return [letter.attributes["trefoil-reason"] for letter in fake.sent(DEAD)]


# -- what a push is answered


def test_a_message_that_is_handled_is_done(fake, start):
    answer = start().post("/", data=pushed(order()))

    assert (answer.status_code, answer.data) == (204, b"")
    assert fake.handled() == ["m1"]
    assert {json.loads(each.data)["subject"] for each in fake.sent()} == {"o1"}


def test_a_message_takes_one_query_one_write_and_one_publish(fake, start):
    start().post("/", data=pushed(order()))

    commits = [name for name in fake.stored("streams") if name.startswith("orders:o1/")]
    assert fake.names().count("RunQuery") == 1
    assert fake.names().count("Publish") == 1
    assert len(commits) == 1


def test_a_message_that_comes_again_is_done_again_and_changes_nothing(fake, start):
    client = start()

    answers = [client.post("/", data=pushed(order(), attempt=attempt)).status_code for attempt in (1, 2)]

    assert answers == [204, 204]
    assert len(fake.stored("streams")) == 1


def test_a_message_for_others_is_done_and_leaves_nothing(fake, start):
    answer = start().post("/", data=pushed(order(type="shipping.parcel-shipped.v1")))

    assert answer.status_code == 204
    assert (fake.documents, fake.sent(DEAD)) == ({}, [])


def test_a_message_that_cannot_be_read_is_a_dead_letter_as_it_came(fake, start):
    answer = start().post("/", data=pushed(b"\xffnonsense", TYPE))

    (letter,) = fake.sent(DEAD)
    assert answer.status_code == 204
    assert letter.data == b"\xffnonsense"
    assert reasons(fake) == ["MalformedMessage"]
    assert letter.attributes["type"] == TYPE["type"]


@pytest.mark.parametrize("asked", ["RunQuery", "Commit", "Publish"])
def test_a_message_that_may_succeed_later_is_to_come_again_and_uses_a_try(fake, start, asked):
    fake.answers[asked] = REFUSED

    answer = start().post("/", data=pushed(order()))

    assert (answer.status_code, answer.data) == (503, b"")
    assert fake.sent(DEAD) == []


def test_the_last_try_is_the_contract_s(fake, start):
    fake.answers["RunQuery"] = REFUSED
    tries = CATALOG.service("orders").limits.tries
    client = start()

    answers = [client.post("/", data=pushed(order(), attempt=attempt)).status_code for attempt in (tries - 1, tries)]

    assert answers == [503, 204]
    assert reasons(fake) == ["TriesExhausted"]


def test_a_dead_letter_that_cannot_be_sent_is_to_come_again(fake, start):
    fake.answers["Publish"] = REFUSED

    assert start().post("/", data=pushed(b"nonsense")).status_code == 429


def test_what_could_not_be_ended_in_time_is_put_aside(fake, clock, start):
    limits = CATALOG.service("orders").limits
    spend(fake, clock, 15 + limits.handler_seconds * (limits.batch - 1) + 0.5)

    answer = start().post("/", data=pushed(order(), TYPE, attempt=3))

    (timer,) = fake.stored("timers").values()
    assert answer.status_code == 204
    assert fake.handled() == []
    assert (timer["to"], timer["body"]) == ("orders", order())
    assert timer["attributes"]["trefoil-attempts"] == "2"


def test_what_can_be_ended_in_time_is_handled(fake, clock, start):
    limits = CATALOG.service("orders").limits
    spend(fake, clock, 15 + limits.handler_seconds * (limits.batch - 1) - 0.5)

    start().post("/", data=pushed(order()))

    assert fake.handled() == ["m1"]


def test_what_can_neither_be_handled_nor_put_aside_is_to_come_again_without_a_try_of_ours(fake, clock, start):
    spend(fake, clock, 1000)
    fake.answers["Commit"] = REFUSED

    assert start().post("/", data=pushed(order())).status_code == 429


def spend(fake, clock, seconds):
    """Let the store take so long to load a stream."""
    usual = fake.answers["RunQuery"]

    def answer(request):
        clock.time += seconds
        return usual(request)

    fake.answers["RunQuery"] = answer


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
def test_whoever_does_not_post_is_told_so_and_nothing_is_made(fake, start, method):
    answer = start().open("/", method=method)

    assert (answer.status_code, answer.data) == (405, b"messages are pushed here, by POST\n")
    assert fake.opened == {}


def test_a_push_to_any_path_is_a_push(fake, start):
    start().post("/push/here?__GCP_CloudEventsMode=GCPPUBSUB", data=pushed(order()))

    assert fake.handled() == ["m1"]


# -- bad input


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)
FIELDS = ["data", "attributes", "messageId", "message_id", "publishTime", "publish_time", "orderingKey"]
MESSAGES = st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=4) | JSON
PUSHES = st.fixed_dictionaries({"message": MESSAGES, "subscription": JSON}, optional={"deliveryAttempt": JSON})
BODIES = st.binary(max_size=40) | (JSON | PUSHES | PUSHES.map(lambda push: {"data": push})).map(
    lambda value: json.dumps(value).encode(errors="replace")
)
HEADER = st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"), max_size=20)
HEADERS = st.dictionaries(
    st.sampled_from(["ce-id", "ce-type", "type", "to", "content-type", "x-goog-pubsub-message-id", "trefoil-attempts"]),
    HEADER,
    max_size=3,
)


def test_no_request_raises_and_each_is_settled(fake, gcp):
    function = Function("orders", gcp)

    @settings(max_examples=100)
    @given(BODIES, HEADERS)
    def is_settled(body, headers):
        fake.calls.clear()
        answer = function.handle(Request.from_values(method="POST", data=body, headers=headers))

        assert answer == 204
        assert len(fake.sent(DEAD)) == 1

    is_settled()


# -- one instance, many requests


def at_once(client, count, body):
    """So many requests at the same time; their answers."""
    together = Barrier(count)

    def push(_):
        together.wait(10)
        return client.application.test_client().post("/", data=body).status_code

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(push, range(count)))


def test_the_first_requests_make_the_clients_once(fake, start):
    client = start()
    before = dict(fake.opened)

    answers = at_once(client, 8, pushed(order()))

    assert before == {}
    assert set(answers) <= {204, 503}
    assert fake.opened == {PUBSUB: 1, FIRESTORE: 1}
    assert fake.handled() == ["m1"]


def test_the_first_requests_make_the_function_once(start, capfd):
    client = start(TREFOIL_SERVICE="notifications")

    answers = at_once(client, 8, pushed(b"nonsense"))

    assert answers == [204] * 8
    assert capfd.readouterr().out.count("set TREFOIL_SMTP_URL") == 1


def test_an_instance_is_for_the_service_and_the_stage_that_its_environment_names(fake, start):
    start(TREFOIL_SERVICE="payments", TREFOIL_STAGE="prod").post("/", data=pushed(b"nonsense"))

    assert len(fake.sent("trefoil-prod-payments-dead")) == 1


def test_an_instance_is_heard_where_functions_framework_has_a_standard_output_of_its_own(start, monkeypatch, capfd):
    """LOG_EXECUTION_ID, which Google sets for functions: during a request, sys.stdout takes text only."""
    monkeypatch.setattr("functions_framework._configure_app_execution_id_logging", lambda: None)  # of all the process

    answer = start(LOG_EXECUTION_ID="true").post("/", data=pushed(order()))

    (line,) = capfd.readouterr().out.splitlines()
    assert answer.status_code == 204
    assert json.loads(line)["outcome"] == "Done"


# -- settings that are wrong


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"TREFOIL_SERVICE": ""}, "TREFOIL_SERVICE is not set; set it to the service that this function is for"),
        ({"TREFOIL_SERVICE": "order"}, "there is no service 'order'; the services are orders, payments, "),
        ({"TREFOIL_STAGE": "Prod!"}, "TREFOIL_STAGE is 'Prod!'; 1 to 20 characters of a-z 0-9 - are allowed"),
    ],
)
def test_an_instance_with_a_wrong_setting_says_so_each_time(fake, start, caplog, environment, said):
    client = start(**environment)

    answers = [client.post("/", data=pushed(order())).status_code for _ in range(2)]

    assert answers == [500, 500]
    assert caplog.text.count(f"ConfigurationError: {said}") == 2
    assert fake.calls == []


def test_a_function_that_is_for_no_service_names_the_setting(gcp):
    with pytest.raises(ConfigurationError, match="TREFOIL_SERVICE is not set"):
        Function(None, gcp)


@pytest.mark.parametrize(("url", "warned"), [("", 1), ("smtp://mail.example:587?starttls", 0)])
def test_a_function_whose_mails_would_be_lost_says_so(gcp, monkeypatch, capfd, url, warned):
    monkeypatch.setenv("TREFOIL_SMTP_URL", url)

    Function("notifications", gcp)
    Function("payments", gcp)

    assert capfd.readouterr().out.count("set TREFOIL_SMTP_URL") == warned


# -- the tick


def wait(gcp, count):
    """Let so many timers wait that are all due."""
    messages = [Outgoing(f"t{n:03}", "orders.payment-timed-out.v1", "o1", b"{}", "orders") for n in range(count)]
    gcp.timers.set([Timer(0.0, message) for message in messages])


def left(fake):
    return sorted(fields["id"] for fields in fake.stored("timers").values())


def test_a_tick_publishes_all_that_is_due_batch_after_batch(fake, gcp, clock, start):
    wait(gcp, 105)

    answer = start("tick").post("/", data=b"{}")

    assert (answer.status_code, answer.data) == (200, b'{"published": 105}\n')
    assert left(fake) == []
    assert [len(request.messages) for request in fake.called("Publish")] == [100, 5]
    assert {each.attributes["to"] for each in fake.sent()} == {"orders"}


def test_a_tick_is_for_no_service(fake, start):
    answer = start("tick", TREFOIL_SERVICE="").post("/")

    assert answer.get_json(force=True) == {"published": 0}
    assert fake.names() == ["RunQuery"] * 8


def test_a_tick_publishes_what_was_put_aside_to_its_service(fake, gcp, clock, start):
    spend(fake, clock, 1000)
    start().post("/", data=pushed(order(), TYPE))
    clock.time += 600

    start("tick").post("/")

    (copy,) = fake.sent()
    assert copy.data == order()
    assert copy.attributes["to"] == "orders"
    assert left(fake) == []


def test_a_tick_ends_before_the_next_one_begins(fake, gcp, clock, start):
    wait(gcp, 205)
    spend(fake, clock, 3)  # eight shards, so 24 seconds a look

    answer = start("tick").post("/")

    assert answer.get_json(force=True) == {"published": 200}
    assert len(left(fake)) == 5


def test_a_tick_that_can_publish_nothing_fails_and_keeps_the_timers(fake, gcp, clock, start, caplog):
    """Which Cloud Scheduler counts as an error, and the alarm sees."""
    wait(gcp, 3)
    fake.answers["Publish"] = REFUSED

    answer = start("tick").post("/")

    assert answer.status_code == 500
    assert "PublishFailed: 0 timers were published, 3 that are due were not, such as 't00" in caplog.text
    assert len(left(fake)) == 3


def test_a_timer_that_was_not_published_is_kept_for_the_next_tick(fake, gcp, clock, start):
    wait(gcp, 101)
    fake.answers["Publish"] = in_turn(REFUSED, published)
    client = start("tick")

    first, kept = client.post("/"), len(left(fake))
    second = client.post("/")

    assert (first.status_code, kept) == (500, 100)
    assert second.get_json(force=True) == {"published": 100}


def test_a_tick_without_a_store_fails(fake, start, caplog):
    fake.answers["RunQuery"] = REFUSED

    answer = start("tick").post("/")

    assert answer.status_code == 500
    assert "StoreUnavailable: Firestore, timers" in caplog.text
