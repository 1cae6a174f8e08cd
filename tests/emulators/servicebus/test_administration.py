"""The unmodified ServiceBusAdministrationClient: entities are made, looked at, held, and removed while others work."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

pytest.importorskip("proton", reason="install python-qpid-proton")
pytest.importorskip("azure.servicebus", reason="install azure-servicebus")

from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.servicebus.exceptions import MessagingEntityDisabledError, MessagingEntityNotFoundError
from azure.servicebus.management import (
    CorrelationRuleFilter,
    FalseRuleFilter,
    SqlRuleAction,
    SqlRuleFilter,
    TrueRuleFilter,
)

from tests.support.servicebus import CONFIG, running
from tests.support.servicebus_administration import administration, asked
from tests.support.servicebus_sdk import Sdk, drain, take

ENTRY = b'<entry xmlns="http://www.w3.org/2005/Atom"><content>%b</content></entry>'
QUEUE = ENTRY % b"<QueueDescription/>"


@pytest.fixture(scope="module")
def emulator(tmp_path_factory):
    with running(CONFIG, tmp_path_factory.mktemp("administration"), keeps=True) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def admin(emulator):
    with administration(emulator) as client:
        yield client


@pytest.fixture(scope="module")
def bus(emulator):
    """What sends and receives; its entities are called `sync.…`."""
    bus = Sdk("sync", emulator.connection)
    yield bus
    bus.close()


@pytest.fixture(scope="module")
def held(admin, bus):
    """A queue with a sender and a receiver, which have come before its status changes."""
    admin.create_queue("sync.held")
    return bus.sender("held"), bus.receiver("held")


def set_status(admin, queue, status):
    properties = admin.get_queue(queue)
    properties.status = status
    admin.update_queue(properties)


def counts(admin, queue):
    told = admin.get_queue_runtime_properties(queue)
    return (
        told.active_message_count,
        told.scheduled_message_count,
        told.dead_letter_message_count,
        told.transfer_dead_letter_message_count,
        told.total_message_count,
    )


# -- making, looking, removing


def test_a_queue_is_made_with_its_settings_looked_at_and_removed(admin):
    wanted = {
        "lock_duration": timedelta(seconds=30),
        "max_delivery_count": 7,
        "requires_session": True,
        "requires_duplicate_detection": True,
        "duplicate_detection_history_time_window": timedelta(minutes=1),
        "default_message_time_to_live": timedelta(days=1, seconds=1),
        "dead_lettering_on_message_expiration": True,
        "max_size_in_megabytes": 2048,
    }

    made = admin.create_queue("made", **wanted)
    found = admin.get_queue("MADE")
    admin.delete_queue("made")

    assert {name: made[name] for name in wanted} == wanted
    assert {name: found[name] for name in wanted} == wanted
    assert (found.status, found.forward_to) == ("Active", None)
    with pytest.raises(ResourceNotFoundError):
        admin.get_queue("made")


def test_a_queue_that_is_made_again_is_empty(admin, bus):
    admin.create_queue("sync.again")
    with bus.new_sender("again") as sender:
        sender.send_messages(ServiceBusMessage("a"))
    before = counts(admin, "sync.again")

    admin.delete_queue("sync.again")
    admin.create_queue("sync.again")

    assert (before[0], counts(admin, "sync.again")[0]) == (1, 0)


def test_a_topic_and_its_subscriptions_and_rules_are_made_looked_at_and_removed(admin):
    admin.create_queue("target")
    admin.create_topic("news", max_size_in_megabytes=2048)
    admin.create_subscription("news", "all", forward_to="target", max_delivery_count=3)
    admin.create_rule("news", "all", "some", filter=SqlRuleFilter("size = 'big' OR sys.Label = 'it''s'"))

    topic, subscription = admin.get_topic("news"), admin.get_subscription("news", "all")
    default, rule = (admin.get_rule("news", "all", name) for name in ("$Default", "some"))
    admin.delete_rule("news", "all", "some")

    assert (topic.max_size_in_megabytes, topic.status) == (2048, "Active")
    assert (subscription.name, subscription.max_delivery_count) == ("all", 3)
    assert subscription.forward_to.endswith("target")
    assert (default.filter.sql_expression, rule.filter.sql_expression) == ("1=1", "size = 'big' OR sys.Label = 'it''s'")
    with pytest.raises(ResourceNotFoundError):
        admin.get_rule("news", "all", "some")
    admin.delete_topic("news")
    with pytest.raises(ResourceNotFoundError):
        admin.get_subscription("news", "all")


@pytest.mark.parametrize(
    "call",
    [
        ("get_queue", "nowhere"),
        ("get_queue_runtime_properties", "nowhere"),
        ("get_topic", "nowhere"),
        ("get_subscription", "sync.events", "nowhere"),
        ("get_subscription", "nowhere", "all"),
        ("get_rule", "sync.events", "all", "nowhere"),
        ("get_rule", "sync.events", "nowhere", "$Default"),
        ("get_rule", "sync.orders", "all", "$Default"),
        ("delete_queue", "nowhere"),
        ("delete_subscription", "sync.events", "nowhere"),
        ("delete_rule", "sync.events", "all", "nowhere"),
        ("create_subscription", "nowhere", "all"),
        ("create_rule", "sync.events", "nowhere", "some"),
    ],
    ids=" ".join,
)
def test_what_is_not_there_is_not_found(admin, call):
    with pytest.raises(ResourceNotFoundError):
        getattr(admin, call[0])(*call[1:])


@pytest.mark.parametrize(
    "call",
    [
        ("create_queue", "SYNC.orders"),
        ("create_queue", "sync.events"),
        ("create_topic", "sync.events"),
        ("create_subscription", "sync.events", "ALL"),
        ("create_rule", "sync.events", "red", "red"),
    ],
    ids=" ".join,
)
def test_nothing_is_made_twice(admin, call):
    with pytest.raises(ResourceExistsError, match="is there already"):
        getattr(admin, call[0])(*call[1:])


# -- at work


def test_what_was_made_filters_and_forwards(admin, bus):
    admin.create_queue("sync.wanted", max_delivery_count=1, forward_dead_lettered_messages_to="sync.dead")
    admin.create_topic("sync.made")
    admin.create_subscription("sync.made", "some", forward_to="sync.wanted")
    admin.create_rule("sync.made", "some", "types", filter=SqlRuleFilter("type IN ('a', 'c')"))
    admin.delete_rule("sync.made", "some", "$Default")
    receiver, dead = bus.receiver("wanted"), counts(admin, "sync.dead")[0]

    bus.topic_sender("made").send_messages(
        [ServiceBusMessage(each, application_properties={"type": each}) for each in "abcd"]
    )

    first, second = take(receiver, 2)
    receiver.complete_message(first)
    receiver.abandon_message(second)
    assert [str(first), str(second)] == ["a", "c"]
    assert counts(admin, "sync.dead")[0] == dead + 1


def test_messages_are_counted_by_what_becomes_of_them(admin, bus):
    admin.create_queue("sync.counted")
    sender, receiver = bus.sender("counted"), bus.receiver("counted")
    sender.send_messages([ServiceBusMessage(each) for each in ("locked", "dead", "deferred", "waits")])
    sender.schedule_messages(ServiceBusMessage("later"), datetime.now(UTC) + timedelta(minutes=5))

    _, dead, deferred = take(receiver, 3)
    receiver.dead_letter_message(dead)
    receiver.defer_message(deferred)

    assert counts(admin, "sync.counted") == (2, 1, 1, 0, 5)
    assert admin.get_queue_runtime_properties("sync.counted").size_in_bytes > 0


def test_a_queue_that_may_not_deliver_takes_messages_and_loses_none(admin, bus, held):
    sender, receiver = held
    sender.send_messages([ServiceBusMessage("locked"), ServiceBusMessage("before")])
    (locked,) = receiver.receive_messages(1, max_wait_time=10)

    set_status(admin, "sync.held", "ReceiveDisabled")
    sender.send_messages(ServiceBusMessage("after"))
    while_held = receiver.receive_messages(5, max_wait_time=0.5)
    receiver.complete_message(locked)
    with pytest.raises(MessagingEntityDisabledError):
        bus.new_receiver("held").__enter__()
    waiting = counts(admin, "sync.held")[0]
    set_status(admin, "sync.held", "Active")

    assert (while_held, waiting) == ([], 2)
    assert drain(receiver, 2) == ["before", "after"]


def test_a_queue_that_may_not_take_messages_delivers_what_it_has(admin, held):
    sender, receiver = held
    sender.send_messages(ServiceBusMessage("before"))

    set_status(admin, "sync.held", "SendDisabled")
    with pytest.raises(MessagingEntityDisabledError):
        sender.send_messages(ServiceBusMessage("never"))
    delivered = drain(receiver, 1)
    set_status(admin, "sync.held", "Active")
    sender.send_messages(ServiceBusMessage("after"))

    assert delivered == ["before"]
    assert drain(receiver, 1) == ["after"]


def test_a_subscription_can_be_held_too(admin):
    admin.create_subscription("sync.events", "held")
    subscription = admin.get_subscription("sync.events", "held")

    subscription.status = "ReceiveDisabled"
    admin.update_subscription("sync.events", subscription)

    found = admin.get_subscription("sync.events", "held").status
    admin.delete_subscription("sync.events", "held")
    assert found == "ReceiveDisabled"


def test_clients_of_a_queue_that_is_removed_are_told(admin, bus):
    admin.create_queue("sync.removed")
    with bus.new_sender("removed") as sender, bus.new_receiver("removed") as receiver:
        admin.delete_queue("sync.removed")

        with pytest.raises(MessagingEntityNotFoundError):
            sender.send_messages(ServiceBusMessage("a"))
        with pytest.raises(MessagingEntityNotFoundError):
            receiver.receive_messages(1, max_wait_time=5)


# -- what is refused


@pytest.mark.parametrize(
    ("ask", "why"),
    [
        (lambda admin: admin.update_queue({**admin.get_queue("sync.orders"), "max_delivery_count": 9}), "only the Sta"),
        (lambda admin: admin.update_queue({**admin.get_queue("sync.orders"), "lock_duration": "PT9S"}), "only the Sta"),
        (lambda admin: admin.update_topic(admin.get_topic("sync.events")), "'sync.events' can't be changed here"),
        (
            lambda admin: admin.update_rule("sync.events", "all", admin.get_rule("sync.events", "all", "$Default")),
            "Rul",
        ),
        (lambda admin: admin.create_rule("sync.events", "all", "c", filter=CorrelationRuleFilter(label="x")), "an SQL"),
        (lambda admin: admin.create_rule("sync.events", "all", "n", filter=FalseRuleFilter()), "with an SQL filter"),
        (lambda admin: admin.create_rule("sync.events", "all", "p", filter=SqlRuleFilter("a=@b", {"@b": 1})), "an SQL"),
        (
            lambda admin: admin.create_rule("sync.events", "all", "a", action=SqlRuleAction("SET a=1")),
            "Actions of rule",
        ),
        (lambda admin: admin.get_rule("sync.events", "red", "red"), "'red' is no SQL"),
        (
            lambda admin: admin.create_queue("held-way", forward_to="sync.orders", status="Disabled"),
            "holds no messages",
        ),
        (lambda admin: list(admin.list_queues()), "nothing is listed here"),
        (lambda admin: list(admin.list_subscriptions("sync.events")), "nothing is listed here"),
        (lambda admin: admin.get_namespace_properties(), "nothing is listed here"),
    ],
    ids=[
        "another count",
        "another duration",
        "another topic",
        "another rule",
        "a correlation",
        "nothing",
        "parameters",
        "an action",
        "a look at a correlation",
        "a way that is held",
        "all queues",
        "all subscriptions",
        "the namespace",
    ],
)
def test_what_is_not_supported_says_so(admin, ask, why):
    with pytest.raises(HttpResponseError, match=why) as caught:
        ask(admin)

    assert caught.value.status_code == 501


def test_what_was_refused_has_changed_nothing(admin):
    before = dict(admin.get_queue("sync.orders"))
    with pytest.raises(HttpResponseError, match="only the Status"):
        admin.update_queue({**before, "status": "Disabled", "max_delivery_count": 9})
    with pytest.raises(HttpResponseError, match="'lost' has ForwardTo 'nowhere', and there is no such queue or topic"):
        admin.create_queue("lost", forward_to="nowhere")

    assert dict(admin.get_queue("sync.orders")) == before
    with pytest.raises(ResourceNotFoundError):
        admin.get_queue("lost")


@pytest.mark.parametrize(
    ("name", "settings", "why"),
    [
        ("long", {"lock_duration": "PT6M"}, "LockDuration"),
        ("often", {"max_delivery_count": 0}, "MaxDeliveryCount"),
        ("odd", {"status": "Sleeping"}, "'Sleeping' is no status"),
        ("a b", {}, "'a b' is no name"),
        pytest.param("n" * 261, {}, "length <= 260", id="long name"),
    ],
)
def test_settings_that_make_no_sense_are_refused(admin, name, settings, why):
    with pytest.raises(HttpResponseError, match=why) as caught:
        admin.create_queue(name, **settings)

    assert caught.value.status_code == 400


def test_what_nothing_is_done_about_is_named_in_the_log(emulator, admin):
    admin.create_queue("wishful", enable_express=True, user_metadata="mine", max_delivery_count=2)

    assert "wishful: nothing is done about EnableExpress, UserMetadata\n" in emulator.log


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("x", b""),
        ("x", b"<entry"),
        ("x", b"<entry/>"),
        ("x", b"\xff\xfe\x00"),
        ("x", b'<?xml version="1.0" encoding="none"?><entry/>'),
        pytest.param("x", ENTRY % (b"<a>" * 5000 + b"</a>" * 5000), id="deep"),
        ("x", ENTRY % b"<TableDescription/>"),
        ("x", ENTRY % b"<QueueDescription><LockDuration><a><b/></a></LockDuration></QueueDescription>"),
        ("x", ENTRY % b"<QueueDescription><ForwardTo>sb://[x/</ForwardTo></QueueDescription>"),
        ("x%00", QUEUE),
        ("", QUEUE),
        ("sync.events/Subscriptions/x", QUEUE),
        ("sync.events/Subscriptions/all/Rules/x", ENTRY % b"<RuleDescription><Filter>1=1</Filter></RuleDescription>"),
        (
            "sync.events/Subscriptions/all/Rules/x",
            ENTRY % b'<RuleDescription><Filter xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:type="SqlFilter">'
            b"<SqlExpression>LIKE</SqlExpression></Filter></RuleDescription>",
        ),
    ],
)
def test_nonsense_is_refused_and_harms_nobody(emulator, admin, path, body):
    status, why = asked(emulator, "PUT", path, body)

    assert (status, why != "") == (400, True)
    assert admin.get_queue("sync.orders").status == "Active"
    assert "Traceback" not in emulator.log


@pytest.mark.parametrize("length", ["-1", "many", "99999999999"])
def test_a_length_that_makes_no_sense_is_refused(emulator, length):
    assert asked(emulator, "PUT", "x", b"", Content_Length=length)[0] == 400


def test_a_rule_that_lets_everything_through_is_as_good_as_sql(admin):
    admin.create_rule("sync.events", "red", "everything", filter=TrueRuleFilter())

    found = admin.get_rule("sync.events", "red", "everything").filter.sql_expression
    admin.delete_rule("sync.events", "red", "everything")
    assert found == "1=1"


# -- many at once, and after a kill


def test_many_at_once_do_not_disturb_one_another(emulator):
    def work(number):
        with administration(emulator) as admin:
            try:
                admin.create_queue("wanted-by-all")
                made = 1
            except ResourceExistsError:
                made = 0
            own = f"own-{number}"
            for _ in range(3):
                admin.create_queue(own, max_delivery_count=number + 1)
                set_status(admin, own, "ReceiveDisabled")
                found = admin.get_queue(own)
                assert (found.status, found.max_delivery_count) == ("ReceiveDisabled", number + 1)
                admin.delete_queue(own)
            return made

    with ThreadPoolExecutor(24) as pool:
        made = Counter(pool.map(work, range(24)))

    assert made == {1: 1, 0: 23}


def test_what_was_done_lasts_as_far_as_it_is_kept(tmp_path):
    with running(CONFIG, tmp_path, keeps=True) as own, administration(own) as admin:
        with ServiceBusClient.from_connection_string(own.connection) as client:
            admin.create_queue("kept")
            with client.get_queue_sender("sync.orders") as orders, client.get_queue_sender("kept") as kept:
                orders.send_messages(ServiceBusMessage("gone"))
                kept.send_messages(ServiceBusMessage("stays"))
        before = counts(admin, "sync.orders")[0], counts(admin, "kept")[0]
        admin.delete_queue("sync.orders")
        own.kill()
        own.start()

        with pytest.raises(ResourceNotFoundError):
            admin.get_queue("kept")
        admin.create_queue("kept")
        after = counts(admin, "sync.orders")[0], counts(admin, "kept")[0]

    assert (before, after) == ((1, 1), (0, 1))
