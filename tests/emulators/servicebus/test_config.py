"""The entities' file: Microsoft's layout, and what is refused with its place."""

import json

import pytest

from infra.emulators.servicebus.broker.settings import MEGABYTE
from infra.emulators.servicebus.config import parse, read
from shared.kernel.errors import ConfigurationError
from tests.support.servicebus import CONFIG
from tests.support.servicebus_broker import message

QUEUE = {
    "Name": "queue.1",
    "Properties": {
        "DeadLetteringOnMessageExpiration": True,
        "DefaultMessageTimeToLive": "PT1H",
        "DuplicateDetectionHistoryTimeWindow": "PT20S",
        "ForwardDeadLetteredMessagesTo": "dead",
        "ForwardTo": "",
        "LockDuration": "PT1M",
        "MaxDeliveryCount": 3,
        "RequiresDuplicateDetection": True,
        "RequiresSession": True,
    },
}


def content(queues=(), topics=(), **more) -> bytes:
    namespace = {"Name": "sbemulatorns", "Queues": queues, "Topics": topics}
    return json.dumps({"UserConfig": {"Namespaces": [namespace], "Logging": {"Type": "File"}, **more}}).encode()


def with_rule(**properties) -> bytes:
    rules = [{"Name": "rule", "Properties": properties}]
    return content(topics=[{"Name": "t", "Subscriptions": [{"Name": "s", "Rules": rules}]}])


def with_properties(**properties) -> bytes:
    return content(queues=[{"Name": "q", "Properties": properties}])


def test_a_queue_is_read_with_all_its_properties():
    (queue,) = parse(content(queues=[QUEUE])).queues

    assert (queue.name, queue.lock_duration, queue.max_delivery_count) == ("queue.1", 60_000, 3)
    assert (queue.time_to_live, queue.dead_letters_expired, queue.duplicate_window) == (3_600_000, True, 20_000)
    assert (queue.forward_to, queue.forward_dead_letters_to, queue.requires_session) == ("", "dead", True)


def test_what_is_left_out_is_as_on_azure():
    (queue,) = parse(content(queues=[{"Name": "q"}])).queues

    assert (queue.lock_duration, queue.max_delivery_count, queue.time_to_live) == (60_000, 10, None)
    assert (queue.duplicate_window, queue.requires_session, queue.max_bytes) == (0, False, 1024 * MEGABYTE)


def test_a_topic_is_read_with_its_subscriptions_and_rules():
    rules = [
        {
            "Name": "by-value",
            "Properties": {
                "FilterType": "Correlation",
                "CorrelationFilter": {"Label": "red", "ContentType": "text", "Properties": {"n": 1}},
            },
        },
        {"Name": "by-sql", "Properties": {"FilterType": "Sql", "SqlFilter": {"SqlExpression": "a = 'b'"}}},
    ]
    subscriptions = [
        {"Name": "all", "Properties": {"ForwardTo": "queue.1", "MaxDeliveryCount": 5}},
        {"Name": "some", "Rules": rules},
    ]
    (topic,) = parse(content(topics=[{"Name": "t", "Subscriptions": subscriptions}])).topics

    everything, some = topic.subscriptions
    by_value, by_sql = some.rules
    assert (everything.forward_to, everything.max_delivery_count) == ("queue.1", 5)
    assert [rule.name for rule in everything.rules] == ["$Default"]
    assert everything.rules[0].matches(message())
    assert by_value.matches(message(subject="red", content_type="text", properties={"n": 1}))
    assert not by_value.matches(message(subject="red", properties={"n": 1}))
    assert by_sql.matches(message(properties={"a": "b"}))


def test_the_suites_own_file_is_read():
    assert len(read(CONFIG).topics) == 2


@pytest.mark.parametrize(
    ("bad", "place"),
    [
        (b"{", "Input data was truncated"),
        (b"[]", "Expected `object`, got `array`"),
        (b"{}", "required field `UserConfig`"),
        (b'{"UserConfig": {"Namespaces": []}}', "length >= 1 - at `$.UserConfig.Namespaces`"),
        (
            b'{"UserConfig": {"Namespaces": [{"Name": "a"}, {"Name": "b"}]}}',
            "length <= 1 - at `$.UserConfig.Namespaces`",
        ),
        (content(queues=[{}]), "required field `Name` - at `$.UserConfig.Namespaces[0].Queues[0]`"),
        (content(queues=[{"Name": ""}]), "length >= 1 - at `$.UserConfig.Namespaces[0].Queues[0].Name`"),
        (content(Loging={}), "unknown field `Loging` - at `$.UserConfig`"),
        (
            with_properties(LockDuration="1 minute"),
            "Invalid ISO8601 duration - at `$.UserConfig.Namespaces[0].Queues[0]",
        ),
        (with_properties(LockDuration="PT6M"), "at most PT5M - at `$.UserConfig.Namespaces[0].Queues[0].Properties"),
        (with_properties(LockDuration="PT0S"), "at most PT5M - at `$.UserConfig.Namespaces[0].Queues[0].Properties"),
        (with_properties(MaxDeliveryCount=0), ">= 1 - at `$.UserConfig.Namespaces[0].Queues[0].Properties.MaxDelivery"),
        (with_properties(RequiresSession="yes"), "Expected `bool`, got `str` - at `$.UserConfig.Namespaces[0].Queues"),
        (
            with_properties(RequiresSession=True, ForwardTo="x"),
            "can't forward - at `$.UserConfig.Namespaces[0].Queues[0].Properties.ForwardTo`",
        ),
        (
            content(queues=[{"Name": "q"}, {"Name": "Q"}]),
            "'q' is there more than once - at `$.UserConfig.Namespaces[0].",
        ),
        (content(queues=[{"Name": "q"}], topics=[{"Name": "q"}]), "'q' is there more than once"),
        (with_rule(FilterType="Sql"), "Expected `FilterType`"),
        (with_rule(FilterType="True"), "Expected `FilterType`"),
        (
            with_rule(FilterType="Correlation", CorrelationFilter={}),
            "a value to filter by - at `$.UserConfig.Namespaces[0].Topics[0].Subscriptions[0].Rules[0].Properties.Corr",
        ),
        (
            with_rule(FilterType="Sql", SqlFilter={"SqlExpression": "a LIKE 'b'"}),
            "is expected - at `$.UserConfig.Namespaces[0].Topics[0].Subscriptions[0].Rules[0].Properties.SqlFilter.Sql",
        ),
        (
            with_rule(FilterType="Sql", SqlFilter={"SqlExpression": "1=1"}, Action={"SqlExpression": "SET a = 1"}),
            "Actions of rules are not supported - at `$.UserConfig.Namespaces[0].Topics[0].Subscriptions[0].Rules[0].",
        ),
    ],
)
def test_a_bad_file_is_refused_and_the_place_is_named(bad, place):
    with pytest.raises(ConfigurationError) as raised:
        parse(bad)

    assert place in str(raised.value)
