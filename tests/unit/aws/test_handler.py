"""The entry points: what Lambda is answered, what a deadline does, and settings that are wrong."""

import json
from threading import Lock

import pytest

from functions.aws import handler as entry
from functions.aws.handler import Function
from shared.catalog import CATALOG
from shared.kernel.errors import ConfigurationError, PublishFailed
from shared.kernel.ports import Outgoing, Timer
from tests.support.aws_fakes import FakeAws, Invocation, Refusal, failing, handled, in_turn, raising, texts
from tests.support.kernel_fakes import FakeClock


@pytest.fixture
def function(aws):
    return Function("orders", aws)


def order(number, **more):
    """An order to be placed, as a record of an event."""
    data = {"customer": "Ada", "email": "a@example.com", "quantity": 1, "total": {"amount": 1, "currency": "EUR"}}
    envelope = {
        "specversion": "1.0",
        "id": f"m{number}",
        "source": "/shop",
        "type": "orders.place-order.v1",
        "subject": f"o{number}",
        "time": "2025-06-20T12:00:00Z",
        "data": {**data, "date": "2025-06-20"},
    }
    return record(number, json.dumps({**envelope, **more}))


def record(number, body, receives=1):
    return {
        "messageId": f"id{number}",
        "receiptHandle": f"h{number}",
        "body": body,
        "attributes": {"ApproximateReceiveCount": str(receives), "SentTimestamp": "1750420798000"},
        "messageAttributes": {},
    }


def notification(body):
    sns = {"MessageId": "sns1", "Message": body, "Timestamp": "2025-06-20T12:00:00.000Z", "MessageAttributes": {}}
    return {"Records": [{"EventSource": "aws:sns", "Sns": sns}]}


def sent(fake, queue):
    return [each for call in fake.called("SendMessageBatch") for each in call.entries if call.queue == queue]


def test_only_what_must_stay_is_reported(fake, function):
    fake.answers["PublishBatch"] = lambda params: failing(
        *(each["Id"] for each in params["PublishBatchRequestEntries"] if '"subject":"o2"' in each["Message"]),
        sender_fault=True,
    )(params)

    answer = function.handle({"Records": [order(1), order(2), record(3, "nonsense")]}, Invocation())

    assert answer == {"batchItemFailures": [{"itemIdentifier": "id2"}]}
    (hidden,) = fake.called("ChangeMessageVisibilityBatch")
    assert [each["ReceiptHandle"] for each in hidden.entries] == ["h2"]
    assert [each["MessageBody"] for each in sent(fake, "trefoil-dev-orders-dead")] == ["nonsense"]
    assert fake.called("DeleteMessageBatch") == []


def test_each_stream_is_loaded_by_one_query_and_each_message_committed_by_one_write(fake, function):
    function.handle({"Records": [order(1), order(2)]}, Invocation())

    writes = [call for call in fake.called("PutItem") if call.params["TableName"] == "trefoil-dev-commits"]
    assert handled(fake) == ["m1", "m2"]
    assert len(fake.called("Query")) == 2
    assert len(writes) == 2


def test_nothing_failed_is_an_empty_list(function):
    assert function.handle({"Records": [order(1)]}, Invocation()) == {"batchItemFailures": []}
    assert function.handle({"Records": []}, Invocation()) == {"batchItemFailures": []}


def test_a_store_that_does_not_answer_leaves_every_message_in_the_queue(fake, function):
    fake.answers["Query"] = raising(Refusal("ThrottlingException"))

    answer = function.handle({"Records": [order(1), order(2)]}, Invocation())

    assert answer == {"batchItemFailures": [{"itemIdentifier": "id1"}, {"itemIdentifier": "id2"}]}
    assert sent(fake, "trefoil-dev-orders") == []


def test_what_could_not_be_ended_before_the_settling_begins_is_deferred(fake, function):
    longest = CATALOG.service("orders").limits.handler_seconds

    answer = function.handle({"Records": [order(1), order(2)]}, Invocation(seconds=15 + longest - 0.5))

    copies = sent(fake, "trefoil-dev-orders")
    assert answer == {"batchItemFailures": []}
    assert handled(fake) == []
    assert [texts(each)["trefoil-attempts"] for each in copies] == ["0", "0"]


def test_what_can_be_ended_before_the_settling_begins_is_handled(fake, function):
    longest = CATALOG.service("orders").limits.handler_seconds

    function.handle({"Records": [order(1)]}, Invocation(seconds=15 + longest + 5))

    assert handled(fake) == ["m1"]


def test_a_copy_that_cannot_be_sent_stays_in_the_queue(fake, function):
    fake.answers["SendMessageBatch"] = raising(Refusal("AccessDenied", 403))

    answer = function.handle({"Records": [record(1, "nonsense"), order(2)]}, Invocation())

    assert answer == {"batchItemFailures": [{"itemIdentifier": "id1"}]}
    assert handled(fake) == ["m2"]


def test_a_suspect_is_handled_after_the_others_were_settled(fake, function):
    function.handle({"Records": [{**order(1), **record(1, order(1)["body"], receives=3)}, order(2)]}, Invocation())

    writes = [call.params["Item"] for call in fake.called("PutItem") if call.params["TableName"].endswith("commits")]
    assert [item["stream"]["S"] for item in writes] == ["orders/o2", "orders/o1"]


def test_sns_s_own_message_that_could_not_be_copied_fails_the_invocation(fake, function):
    """Nobody else has it: Lambda's own retries must."""
    fake.answers["SendMessageBatch"] = raising(Refusal("AccessDenied", 403))

    with pytest.raises(PublishFailed, match="SNS's message sns1"):
        function.handle(notification("nonsense"), Invocation())


def test_sns_s_own_message_is_retried_by_way_of_the_queue(fake, function):
    fake.answers["Query"] = raising(Refusal("ThrottlingException"))
    body = order(1)["body"]

    answer = function.handle(notification(body), Invocation())

    (copy,) = sent(fake, "trefoil-dev-orders")
    assert answer == {"batchItemFailures": []}
    assert copy["MessageBody"] == body
    assert texts(copy)["trefoil-attempts"] == "1"


@pytest.mark.parametrize("service", [None, ""])
def test_a_function_that_is_for_no_service_names_the_setting(aws, service):
    with pytest.raises(ConfigurationError, match="TREFOIL_SERVICE is not set; set it to the service"):
        Function(service, aws)


def test_a_function_for_a_service_that_there_is_not_lists_those_there_are(aws):
    with pytest.raises(ConfigurationError, match="there is no service 'order'; the services are orders, payments, "):
        Function("order", aws)


@pytest.fixture
def afresh():
    """As in a new process: nothing is made yet."""
    yield entry._function.cache_clear(), entry._aws.cache_clear()
    entry._function.cache_clear(), entry._aws.cache_clear()


def test_the_handler_is_the_function_that_the_environment_names_made_once(monkeypatch, afresh):
    monkeypatch.setenv("TREFOIL_SERVICE", "payments")
    monkeypatch.setenv("TREFOIL_STAGE", "prod")

    answers = [entry.handler({"Records": []}, Invocation()) for _ in range(2)]

    assert answers == [{"batchItemFailures": []}] * 2
    assert entry._function().name == "payments"
    assert entry._function().aws.names.queue("payments") == "trefoil-prod-payments"
    assert entry._function.cache_info().misses == 1


def test_an_instance_with_a_wrong_setting_says_so_each_time(monkeypatch, afresh):
    monkeypatch.setenv("TREFOIL_SERVICE", "orders")
    monkeypatch.setenv("TREFOIL_STAGE", "Prod!")

    for _ in range(2):
        with pytest.raises(ConfigurationError, match="TREFOIL_STAGE is 'Prod!'; 1 to 20 characters of a-z 0-9 -"):
            entry.handler({"Records": []}, Invocation())


@pytest.mark.parametrize(("url", "warned"), [(None, True), ("smtp://mail.example:587?starttls", False)])
def test_a_function_whose_mails_would_be_lost_says_so(aws, monkeypatch, caplog, url, warned):
    monkeypatch.delenv("TREFOIL_SMTP_URL", raising=False)
    if url:
        monkeypatch.setenv("TREFOIL_SMTP_URL", url)

    Function("notifications", aws)
    Function("payments", aws)

    assert caplog.text.count("set TREFOIL_SMTP_URL") == warned


# -- the tick


class Timers:
    """A table of timers that are all due; each call of the fake takes some time."""

    def __init__(self, fake: FakeAws, clock: FakeClock, count: int, seconds: float = 0.0) -> None:
        self.left = [
            Timer(n, Outgoing(f"t{n}", "orders.payment-timed-out.v1", "o1", b"{}", "orders")) for n in range(count)
        ]
        self.clock, self.seconds = clock, seconds
        self.lock = Lock()
        fake.answers["Query"] = self.query
        fake.answers["DeleteItem"] = self.delete

    def query(self, params):
        if params["ExpressionAttributeValues"][":shard"] != {"S": "0"}:
            return {"Items": []}
        self.clock.time += self.seconds
        return {"Items": [self.shown(each) for each in self.left[: params["Limit"]]]}

    def delete(self, params):
        with self.lock:
            self.left = [each for each in self.left if each.message.id != params["Key"]["id"]["S"]]
        return {}

    @staticmethod
    def shown(timer):
        message = timer.message
        values = {"id": message.id, "type": message.type, "subject": message.subject, "to": message.to, "body": "{}"}
        return {name: {"S": value} for name, value in values.items()} | {"due": {"N": str(timer.due)}}


class Passing(Invocation):
    """An invocation whose time passes by a clock."""

    def __init__(self, clock, seconds):
        super().__init__(seconds)
        self.clock, self.end = clock, clock.now() + seconds

    def get_remaining_time_in_millis(self):
        return int((self.end - self.clock.now()) * 1000)


@pytest.fixture
def clock(monkeypatch, afresh, aws):
    aws.clock = FakeClock()
    monkeypatch.setattr(entry, "function", lambda: aws)
    return aws.clock


def test_a_tick_publishes_all_that_is_due_batch_after_batch(fake, clock):
    timers = Timers(fake, clock, 250)

    answer = entry.tick({}, Passing(clock, 55))

    assert answer == {"published": 250}
    assert timers.left == []
    assert len(sent(fake, "trefoil-dev-orders")) == 250
    assert {texts(each)["to"] for each in sent(fake, "trefoil-dev-orders")} == {"orders"}


def test_a_tick_with_nothing_due_ends_at_once(fake, clock):
    Timers(fake, clock, 0)

    assert entry.tick({}, Passing(clock, 55)) == {"published": 0}
    assert len(fake.called("Query")) == 8


def test_a_tick_stops_before_its_time_is_over(fake, clock):
    timers = Timers(fake, clock, 1000, seconds=15)

    answer = entry.tick({}, Passing(clock, 55))

    assert answer == {"published": 300}
    assert len(timers.left) == 700


def test_a_tick_that_can_publish_nothing_fails_and_keeps_the_timers(fake, clock):
    timers = Timers(fake, clock, 3)
    fake.answers["SendMessageBatch"] = raising(Refusal("AccessDenied", 403))

    with pytest.raises(PublishFailed):
        entry.tick({}, Passing(clock, 55))

    assert len(timers.left) == 3


def test_a_timer_that_was_not_published_is_kept_for_the_next_tick(fake, clock):
    timers = Timers(fake, clock, 3)
    answers = [failing("1", sender_fault=True), failing("0", sender_fault=True)]
    fake.answers["SendMessageBatch"] = in_turn(*answers)

    with pytest.raises(PublishFailed):  # which Lambda counts as an error, and the alarm sees
        entry.tick({}, Passing(clock, 55))

    assert [each.message.id for each in timers.left] == ["t1"]


def test_a_timer_for_a_service_that_is_no_longer_deployed_holds_up_no_other(fake, clock):
    timers = Timers(fake, clock, 3)
    first = timers.left[0].message
    timers.left[0] = Timer(0.0, Outgoing("gone", first.type, first.subject, first.body, "withdrawn"))
    there = fake.answers["GetQueueUrl"]
    missing = raising(Refusal("QueueDoesNotExist"))
    fake.answers["GetQueueUrl"] = lambda params: (missing if "withdrawn" in params["QueueName"] else there)(params)

    with pytest.raises(PublishFailed, match="1 that are due were not, such as 'gone' to 'withdrawn'"):
        entry.tick({}, Passing(clock, 55))

    assert [each.message.id for each in timers.left] == ["gone"]


def test_the_scheduler_s_payload_is_not_read(fake, clock):
    Timers(fake, clock, 1)

    assert entry.tick({"detail": "{}"}, Passing(clock, 55)) == {"published": 1}
