"""The entry point: its triggers, what becomes of batches and ticks, deadlines, and settings that are wrong."""

import importlib.util
import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from azure.functions.servicebus import ServiceBusMessageInConverter
from azure.servicebus.exceptions import ServiceBusServerBusyError
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.catalog import CATALOG
from shared.kernel.errors import ConfigurationError, PublishFailed, StoreUnavailable
from shared.kernel.ports import Outgoing, Timer
from shared.kernel.receiver import SUSPECT_AFTER
from shared.kernel.topology_limits import LEASE_SECONDS, function_timeout
from tests.support.azure_fakes import BUS, body_of, handed, in_turn, order, raising, refused, told
from tests.support.kernel_fakes import FakeClock

ROOT = Path(__file__).parents[3]
SOURCE = ROOT / "functions" / "azure" / "function_app.py"
HOST = json.loads((SOURCE.parent / "host.json").read_text())
QUEUE, DEAD = "trefoil-dev-orders", "trefoil-dev-orders-dead"
BUSY = raising(ServiceBusServerBusyError(message="busy"))
DOWN = refused(403, "AuthorizationFailure")


@pytest.fixture
def start(fake, monkeypatch):
    """Start an instance: the worker loads the entry anew."""

    def start(**environment):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        spec = importlib.util.spec_from_file_location("function_app", SOURCE)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return {each.get_function_name(): each for each in module.app.get_functions()}

    return start


@pytest.fixture
def handle(start):
    """An instance's function of the orders service, which is started when it is first called."""
    started = {}

    def handle(messages, service="orders"):
        started.update(started or start())
        return started[service].get_user_function()(messages)

    return handle


@pytest.fixture
def clock(azure, monkeypatch):
    """The time of an instance that is started from now on."""
    azure.clock = azure.channels._clock = FakeClock()
    monkeypatch.setattr("infra.azure.wiring.function", lambda: azure)
    return azure.clock


def spend(fake, clock, seconds):
    """Let the store take so long to load a stream."""
    usual = fake.answers["query"]

    def answer(asked):
        clock.time += seconds
        return usual(asked)

    fake.answers["query"] = answer


def reasons(fake):
    return [told(letter)["trefoil-reason"] for letter in fake.sent(DEAD)]


# -- triggers


def test_each_service_has_a_function_and_there_is_a_tick(start):
    assert set(start()) == {*CATALOG.services, "tick"}


@pytest.mark.parametrize("service", CATALOG.services)
def test_a_service_s_function_is_handed_batches_of_bytes_from_its_own_queue(start, service):
    trigger = start(TREFOIL_STAGE="prod")[service].get_trigger().get_dict_repr()

    assert {name: str(value) for name, value in trigger.items()} == {
        "type": "serviceBusTrigger",
        "direction": "IN",
        "name": "messages",
        "queueName": f"trefoil-prod-{service}",
        "connection": "TREFOIL_SERVICEBUS",
        "cardinality": "MANY",
        "dataType": "BINARY",
    }


def test_the_worker_takes_what_a_function_asks_for(start):
    function = start()["orders"].get_user_function()

    (asked,) = [kind for name, kind in function.__annotations__.items() if name == "messages"]
    assert ServiceBusMessageInConverter.check_input_type_annotation(asked)


def test_the_tick_rings_each_minute(start):
    trigger = start()["tick"].get_trigger().get_dict_repr()

    assert (trigger["type"], trigger["name"]) == ("timerTrigger", "timer")
    assert trigger["schedule"] == "0 * * * * *"


def test_indexing_makes_nothing(fake, start):
    start()

    assert fake.made == {}


# -- what becomes of a batch


def test_messages_that_are_handled_are_left_to_the_host(fake, handle):
    answer = handle(handed(order(1), order(2)))

    assert answer is None
    assert fake.handled() == ["m1", "m2"]
    assert {json.loads(body_of(each))["subject"] for each in fake.sent()} == {"o1", "o2"}
    assert fake.took("receive") == fake.took("complete") == []


def test_a_message_takes_one_query_one_insert_and_one_transfer(fake, handle):
    handle(handed(order()))

    orders = [asked for asked in fake.asked if "orders:o1" in str(asked)]
    assert [asked.name for asked in orders] == ["query", "insert"]
    assert [transfer.entity for transfer in fake.transfers] == ["trefoil-dev-bus"]


def test_a_message_that_comes_again_changes_nothing(fake, handle):
    handle(handed(order()))
    before = fake.stored()

    handle(handed(order(), count=2))

    assert fake.stored() == before


def test_a_message_for_others_leaves_nothing(fake, handle):
    handle(handed(order(type="shipping.parcel-shipped.v1")))

    assert (fake.stored(), fake.transfers) == ([], [])


def test_each_message_of_a_batch_has_its_own_outcome_and_all_are_settled(fake, handle):
    handle(handed(order(1), b"\xffnonsense", order(2, type="shipping.parcel-shipped.v1"), order(3)))

    (letter,) = fake.sent(DEAD)
    assert fake.handled() == ["m1", "m3"]
    assert body_of(letter) == b"\xffnonsense"
    assert reasons(fake) == ["MalformedMessage"]


@pytest.mark.parametrize("asked", ["query", "insert", "send"])
def test_a_message_that_may_succeed_later_is_copied_with_a_try_more(fake, handle, asked):
    fake.answers[asked] = in_turn(BUSY, lambda _: None) if asked == "send" else DOWN

    handle(handed(order(), properties={"type": "orders.place-order.v1"}, count=1))

    (copy,) = fake.sent(QUEUE)
    assert body_of(copy) == order()
    assert told(copy)["trefoil-attempts"] == "1"
    assert copy.scheduled_enqueue_time_utc is not None
    assert fake.sent(DEAD) == []


def test_the_last_try_is_the_contract_s(fake, handle):
    fake.answers["query"] = DOWN
    tries = CATALOG.service("orders").limits.tries

    handle(handed(order(), properties={"trefoil-attempts": str(tries - 2)}))
    copies = len(fake.sent(QUEUE))
    handle(handed(order(), properties={"trefoil-attempts": str(tries - 1)}))

    assert (copies, len(fake.sent(QUEUE))) == (1, 1)
    assert reasons(fake) == ["TriesExhausted"]


def test_what_could_not_be_ended_in_time_is_copied_without_a_try(fake, clock, handle):
    limits = CATALOG.service("orders").limits
    spend(fake, clock, 15 + limits.handler_seconds * (limits.batch - 1) + 0.5)

    handle(handed(order(), properties={"trefoil-attempts": "2"}))

    (copy,) = fake.sent(QUEUE)
    assert fake.handled() == []
    assert told(copy)["trefoil-attempts"] == "2"


def test_what_can_be_ended_in_time_is_handled(fake, clock, handle):
    limits = CATALOG.service("orders").limits
    spend(fake, clock, 15 + limits.handler_seconds * (limits.batch - 1) - 0.5)

    handle(handed(order()))

    assert fake.handled() == ["m1"]


# -- when it raises


def test_a_batch_of_which_one_message_could_not_be_settled_fails(fake, handle):
    """So that the host abandons it; what was done of it is known by its id when it comes again."""
    fake.answers["send"] = in_turn(lambda _: None, BUSY)

    with pytest.raises(PublishFailed, match="1 of 3 messages could be neither settled nor copied"):
        handle(handed(order(1), b"nonsense", order(2)))

    assert fake.handled() == ["m1", "m2"]


def test_a_message_that_can_be_neither_handled_nor_copied_fails(fake, handle):
    fake.answers["query"] = DOWN
    fake.answers["send"] = BUSY

    with pytest.raises(PublishFailed, match="1 of 1 messages"):
        handle(handed(order()))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64) | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(["type", "to", "cloudEvents:id", "cloudEvents_type", "trefoil-attempts", "trefoil-first", "a"])
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SIMPLE = st.none() | st.booleans() | st.integers(-(2**63), 2**64) | st.floats() | TEXTS
BODIES = st.binary(max_size=40) | JSON.map(lambda value: json.dumps(value).encode(errors="replace"))


def test_no_message_makes_it_raise_and_each_is_settled(fake, handle):
    @settings(max_examples=60)
    @given(BODIES, st.dictionaries(NAMES, SIMPLE, max_size=4), TEXTS)
    def is_settled(body, properties, content_type):
        fake.transfers.clear()
        handle(handed(body, properties=properties, ContentType=content_type))

        assert len(fake.sent(DEAD)) == 1

    is_settled()


# -- what comes again and again


def batch(*counts, **properties):
    """Orders that were delivered so often."""
    together = [handed(order(number), count=count, properties=properties) for number, count in enumerate(counts)]
    return [message for messages in together for message in messages]


def test_what_came_often_is_parted_from_the_others_without_a_try(fake, handle):
    handle(batch(SUSPECT_AFTER - 1, SUSPECT_AFTER))

    (copy,) = fake.sent(QUEUE)
    assert fake.handled() == ["m0"]
    assert body_of(copy) == order(1)
    assert told(copy)["trefoil-attempts"] == str(SUSPECT_AFTER - 1)
    assert copy.scheduled_enqueue_time_utc is not None


def test_what_came_often_and_alone_is_handled(fake, handle):
    handle(batch(SUSPECT_AFTER + 5))

    assert fake.handled() == ["m0"]
    assert fake.transfers[0].entity == "trefoil-dev-bus"


def test_a_retry_s_copy_has_not_come_often(fake, handle):
    handle(batch(1, 1, **{"trefoil-attempts": str(SUSPECT_AFTER)}))

    assert fake.handled() == ["m0", "m1"]


def test_what_came_as_often_as_it_may_is_given_up_although_each_copy_is_counted_anew(fake, handle):
    limit = CATALOG.service("orders").limits.deliveries

    handle(batch(1, SUSPECT_AFTER, **{"trefoil-attempts": str(limit - SUSPECT_AFTER)}))

    (letter,) = fake.sent(DEAD)
    assert body_of(letter) == order(1)
    assert reasons(fake)[-1] == "DeliveriesExhausted"


def test_a_batch_whose_parted_message_could_not_be_copied_fails(fake, handle):
    fake.answers["send"] = in_turn(lambda _: None, BUSY)

    with pytest.raises(PublishFailed, match="1 of 2 messages"):
        handle(batch(1, SUSPECT_AFTER))

    assert fake.handled() == ["m0"]


# -- one instance, many batches


def at_once(handle, count, service="orders"):
    """So many batches at the same time."""
    together = Barrier(count)

    def call(number):
        together.wait(10)
        handle(handed(order(number), b"nonsense"), service)

    with ThreadPoolExecutor(count) as pool:
        list(pool.map(call, range(count)))


def test_many_batches_at_once_make_each_client_and_sender_once(fake, handle):
    handle([])
    before = dict(fake.made)

    at_once(handle, 8)

    assert before == {}
    assert fake.made == {
        f"bus {BUS}": 1,
        "tables https://tables.invalid": 1,
        "topic trefoil-dev-bus": 1,
        f"queue {DEAD}": 1,
    }
    assert len(fake.handled()) == 8


def test_many_batches_at_once_make_a_function_once(handle, caplog):
    handle([])

    at_once(handle, 8, "notifications")

    assert caplog.text.count("set TREFOIL_SMTP_URL") == 1


def test_functions_of_one_instance_share_the_clients(fake, handle):
    handle(handed(b"nonsense"))
    handle(handed(b"nonsense"), "payments")

    assert fake.made[f"bus {BUS}"] == 1
    assert len(fake.sent("trefoil-dev-payments-dead")) == 1


# -- settings that are wrong


def test_a_name_that_no_resource_may_have_stops_the_app_at_its_start(start):
    with pytest.raises(ConfigurationError, match="TREFOIL_STAGE is 'Prod!'; 1 to 20 characters"):
        start(TREFOIL_STAGE="Prod!")


def test_where_no_namespace_is_named_the_batch_fails_and_names_the_setting(start, caplog):
    function = start(TREFOIL_SERVICEBUS="")["orders"].get_user_function()

    with pytest.raises(ConfigurationError, match="TREFOIL_SERVICEBUS__fullyQualifiedNamespace is not set"):
        function(handed(b"nonsense"))


@pytest.mark.parametrize(("url", "warned"), [("", 1), ("smtp://mail.example:587?starttls", 0)])
def test_a_function_whose_mails_would_be_lost_says_so(start, caplog, url, warned):
    functions = start(TREFOIL_SMTP_URL=url)

    for service in ("notifications", "payments", "notifications"):
        functions[service].get_user_function()([])

    assert caplog.text.count("set TREFOIL_SMTP_URL") == warned


# -- the tick


@pytest.fixture
def tick(start):
    return lambda: start()["tick"].get_user_function()(None)


def wait(azure, count):
    """Let so many timers wait that are all due."""
    messages = [Outgoing(f"t{n:03}", "orders.payment-timed-out.v1", "o1", b"{}", "orders") for n in range(count)]
    azure.timers.set([Timer(0.0, message) for message in messages])


def left(fake):
    return sorted(row["id"] for row in fake.stored("trefoildevtimers") if "id" in row)


def limited(monkeypatch, count):
    """Let a tick publish so many timers at once."""
    monkeypatch.setattr("shared.kernel.timers.tick_until.__defaults__", (count,))


def test_a_tick_publishes_all_that_is_due_batch_after_batch(fake, azure, clock, tick, monkeypatch):
    limited(monkeypatch, 5)
    wait(azure, 7)

    tick()

    assert left(fake) == []
    assert [len(transfer.messages) for transfer in fake.transfers] == [5, 2]
    assert {told(each)["to"] for each in fake.sent(QUEUE)} == {"orders"}


def test_a_tick_says_how_many_it_published(azure, clock, tick, caplog):
    wait(azure, 2)

    with caplog.at_level("INFO", "trefoil.tick"):
        tick()

    assert "2 timers were published" in caplog.text


def test_a_tick_publishes_each_timer_to_the_service_that_set_it_alone(fake, azure, clock, tick):
    azure.timers.set(
        [Timer(0.0, Outgoing(f"t-{to}", "t", "s", b"{}", to)) for to in ("orders", "payments")]
        + [Timer(9e9, Outgoing("later", "t", "s", b"{}", "orders"))]
    )

    tick()

    assert {transfer.entity for transfer in fake.transfers} == {QUEUE, "trefoil-dev-payments"}
    assert left(fake) == ["later"]


def test_a_tick_without_timers_asks_each_shard_and_opens_no_bus(fake, tick):
    tick()

    assert fake.names() == ["query"] * 8
    assert set(fake.made) == {"tables https://tables.invalid"}


def test_a_tick_ends_before_the_next_one_begins(fake, azure, clock, tick, monkeypatch):
    limited(monkeypatch, 3)
    wait(azure, 8)
    spend(fake, clock, 3)  # eight shards, so 24 seconds a look

    tick()

    assert len(left(fake)) == 2


def test_a_tick_that_can_publish_nothing_fails_and_keeps_the_timers(fake, azure, clock, tick):
    """Which the host counts as a failure, and the alert sees."""
    wait(azure, 3)
    fake.answers["send"] = BUSY

    with pytest.raises(PublishFailed, match="0 timers were published, 3 that are due were not, such as 't00"):
        tick()

    assert len(left(fake)) == 3


def test_a_timer_that_was_not_published_is_kept_for_the_next_tick_and_holds_up_no_other(
    fake, azure, clock, tick, monkeypatch
):
    limited(monkeypatch, 3)
    wait(azure, 4)
    fake.answers["send"] = in_turn(BUSY, lambda _: None)

    with pytest.raises(PublishFailed):
        tick()
    kept = len(left(fake))
    tick()

    assert (kept, left(fake)) == (3, [])


def test_a_tick_without_a_store_fails(fake, tick):
    fake.answers["query"] = DOWN

    with pytest.raises(StoreUnavailable, match="Tables, table 'trefoildevtimers'"):
        tick()


# -- what the host is told

SERVICE_BUS = HOST["extensions"]["serviceBus"]


def seconds(text):
    hours, minutes, rest = map(int, text.split(":"))
    return 3600 * hours + 60 * minutes + rest


def test_the_host_gives_a_batch_as_long_as_its_locks_last_and_any_service_takes():
    longest = max(function_timeout(CATALOG.service(name).limits) for name in CATALOG.services)

    assert longest <= seconds(HOST["functionTimeout"]) <= LEASE_SECONDS


def test_the_host_settles_batches_by_itself_and_holds_no_message_before_its_turn():
    assert SERVICE_BUS["autoCompleteMessages"] is True
    assert SERVICE_BUS["prefetchCount"] == 0
    assert SERVICE_BUS["minMessageBatchSize"] == 1  # else it would wait for more


def test_a_batch_is_no_bigger_than_what_any_service_is_ready_for():
    smallest = min(CATALOG.service(name).limits.batch for name in CATALOG.services)

    assert SERVICE_BUS["maxMessageBatchSize"] <= smallest


@pytest.mark.parametrize("setting", ["prefetchCount", "maxConcurrentCalls", "maxMessageBatchSize"])
def test_the_page_about_azure_says_what_the_host_is_told(setting):
    page = (ROOT / "docs" / "azure.md").read_text()

    assert re.findall(rf"`{setting}` (\d+)", page) == [str(SERVICE_BUS[setting])]


def test_the_host_loads_a_bundle_that_knows_service_bus_s_batches_as_they_are_handed_over():
    """Version 4 of the bundle has version 5 of the extension, with `maxMessageBatchSize` and delivery counts."""
    assert HOST["version"] == "2.0"
    assert HOST["extensionBundle"]["version"] == "[4.*, 5.0.0)"
