"""Topics, subscriptions and forwarding: where a message gets, and where it is when it can't get there."""

import pytest

from infra.emulators.servicebus.broker.errors import EntityNotFound, MessageNotFound, NotAllowed, QuotaExceeded
from infra.emulators.servicebus.broker.settings import Rule, Status, TopicSettings
from shared.kernel.errors import ConfigurationError
from tests.support.servicebus_broker import SECOND, bodies, message, queue, received, subscription, world


def named(*names: str) -> Rule:
    return Rule(name="-".join(names), matches=lambda message: message.subject in names)


def transfer_dead(there, path):
    return there.find(path + "/$Transfer/$DeadLetterQueue")


def test_each_subscription_that_wants_a_message_gets_one_copy():
    topic = TopicSettings(
        name="events",
        subscriptions=(subscription("all"), subscription("red", named("red"), named("red", "blue"))),
    )
    there = world(topic)

    there.find("events").send([message("a", subject="red"), message("b", subject="green")])

    assert received(there.find("events/Subscriptions/all")) == ["a", "b"]
    assert received(there.find("events/Subscriptions/red")) == ["a"]


def test_subscriptions_settle_for_themselves():
    there = world(TopicSettings(name="events", subscriptions=(subscription("one"), subscription("two"))))
    there.find("events").send([message("a")])
    one, two = there.find("events/Subscriptions/one"), there.find("events/Subscriptions/two")

    one.dead_letter(one.receive().token, "Bad")

    (other,) = two.peek(0, 1)
    assert other.message.properties == {}
    assert received(two) == ["a"]


def test_a_topics_life_duplicates_and_schedule_hold_for_its_subscriptions():
    topic = TopicSettings(
        name="events", time_to_live=5 * SECOND, duplicate_window=60 * SECOND, subscriptions=(subscription("all"),)
    )
    there = world(topic)
    events, everything = there.find("events"), there.find("events/Subscriptions/all")
    events.send([message("a", message_id="1"), message("b", message_id="1")])
    _, cancelled = events.send(
        [message("c", scheduled_for=there.now + SECOND), message("d", scheduled_for=there.now + SECOND)]
    )

    events.cancel([cancelled])
    there.passes(SECOND)

    assert bodies(everything.peek(0, 10)) == ["a", "c"]
    there.passes(4 * SECOND)
    assert bodies(everything.peek(0, 10)) == ["c"]
    with pytest.raises(MessageNotFound):
        events.cancel([cancelled])


def test_a_topic_is_full_when_its_subscriptions_are():
    there = world(TopicSettings(name="events", max_bytes=3, subscriptions=(subscription("all"),)))
    there.find("events").send([message("ab")])

    with pytest.raises(QuotaExceeded):
        there.find("events").send([message("cd")])


def test_a_message_is_forwarded_and_begins_anew_there():
    topic = TopicSettings(name="events", subscriptions=(subscription("orders", forward_to="orders"),))
    there = world(topic, queue())
    there.find("events").send([message("a")])

    (entry,) = there.find("orders").peek(0, 10)

    assert there.find("events/Subscriptions/orders").peek(0, 10) == []
    assert (entry.message.content, entry.failures, entry.first_number) == ("a", 0, 1)


def test_a_dead_letter_is_forwarded_with_its_reason_and_source():
    topic = TopicSettings(
        name="events",
        subscriptions=(subscription("all", forward_dead_letters_to="dead"),),
    )
    there = world(topic, queue(forward_dead_letters_to="dead", max_delivery_count=1), queue("dead"))
    orders, everything = there.find("orders"), there.find("events/Subscriptions/all")
    orders.send([message("a")])
    there.find("events").send([message("b")])

    orders.abandon(orders.receive().token)
    everything.dead_letter(everything.receive().token, "Bad", "because")

    entries = there.find("dead").peek(0, 10)
    assert there.dead("orders").peek(0, 10) == []
    assert bodies(entries) == ["a", "b"]
    assert [each.dead_letter_source for each in entries] == ["orders", "events/Subscriptions/all"]
    assert [each.message.properties["DeadLetterReason"] for each in entries] == ["MaxDeliveryCountExceeded", "Bad"]
    assert [each.failures for each in entries] == [0, 0]


def test_an_expired_message_goes_the_same_way():
    there = world(queue(dead_letters_expired=True, forward_dead_letters_to="dead"), queue("dead"))
    there.find("orders").send([message("a", time_to_live=SECOND)])

    there.passes(SECOND)

    (entry,) = there.find("dead").peek(0, 10)
    assert entry.message.properties["DeadLetterReason"] == "TTLExpiredException"


def test_a_message_that_is_scheduled_is_forwarded_when_it_is_due():
    there = world(queue("in", forward_to="orders"), queue())
    there.find("in").send([message("a", scheduled_for=there.now + SECOND)])

    before = there.find("orders").peek(0, 10)
    there.passes(SECOND)

    assert before == []
    assert received(there.find("orders")) == ["a"]


def test_a_duplicate_is_dropped_where_it_is_forwarded_to():
    there = world(queue("in", forward_to="orders"), queue(duplicate_window=60 * SECOND))

    there.find("in").send([message("a", message_id="1"), message("b", message_id="1")])

    assert received(there.find("orders")) == ["a"]


def test_a_message_that_goes_round_ends_with_the_reason():
    there = world(queue("ping", forward_to="pong"), queue("pong", forward_to="ping"))

    there.find("ping").send([message("a")])

    (dead,) = transfer_dead(there, "ping").peek(0, 10)
    assert (dead.message.content, dead.dead_letter_source) == ("a", "ping")
    assert dead.message.properties["DeadLetterReason"] == "MaxTransferHopCountExceeded"


def test_four_hops_are_allowed():
    chain = [queue(name, forward_to=to) for name, to in zip("abcd", "bcde", strict=True)]
    there = world(*chain, queue("e"))

    there.find("a").send([message("x")])

    assert received(there.find("e")) == ["x"]


def test_a_message_for_a_full_queue_waits_beside_the_forwarding_one():
    there = world(queue("in", forward_to="orders"), queue(max_bytes=1))

    there.find("in").send([message("abc")])

    (dead,) = transfer_dead(there, "in").peek(0, 10)
    assert dead.message.properties["DeadLetterReason"] == "QuotaExceeded"


def test_a_dead_letter_for_a_full_queue_stays_where_it_was_dead_lettered():
    there = world(queue(forward_dead_letters_to="dead"), queue("dead", max_bytes=1))
    orders = there.find("orders")
    orders.send([message("abc")])

    orders.dead_letter(orders.receive().token, "Bad")

    assert bodies(there.dead("orders").peek(0, 10)) == ["abc"]


def test_a_subscription_with_sessions_dead_letters_what_has_none():
    there = world(TopicSettings(name="events", subscriptions=(subscription("s", requires_session=True),)))

    there.find("events").send([message("a"), message("b", session_id="x")])

    sessions = there.find("events/Subscriptions/s")
    (dead,) = there.dead("events/Subscriptions/s").peek(0, 10)
    assert dead.message.properties["DeadLetterReason"] == "Session ID is null."
    assert received(sessions, sessions.accept_session()) == ["b"]


@pytest.mark.parametrize("path", ["ORDERS", "/orders/", "Events/subscriptions/ALL", "orders/$deadletterqueue"])
def test_names_dont_care_for_case(path):
    there = world(queue(), TopicSettings(name="events", subscriptions=(subscription("all"),)))

    assert there.find(path).path.lower() == path.strip("/").lower()


@pytest.mark.parametrize("path", ["", "other", "events/all", "orders/x", "events/$DeadLetterQueue"])
def test_what_is_not_there_is_not_found(path):
    there = world(queue(), TopicSettings(name="events", subscriptions=(subscription("all"),)))

    with pytest.raises(EntityNotFound):
        there.find(path)


@pytest.mark.parametrize("setting", ["forward_to", "forward_dead_letters_to"])
def test_forwarding_to_nowhere_is_refused_at_start(setting):
    with pytest.raises(ConfigurationError, match=r"'orders' has Forward.* 'nowhere', and there is no such"):
        world(queue(**{setting: "nowhere"}))


def test_what_is_made_later_works_as_if_it_had_been_there():
    there = world(queue())
    there.namespace.add_queue(queue("later", forward_dead_letters_to="orders"))
    there.namespace.add_topic(TopicSettings(name="events"))
    there.namespace.add_subscription("EVENTS", subscription("all", forward_to="later"))

    there.find("events").send([message("a")])
    later = there.find("later")
    later.dead_letter(later.receive().token)

    assert received(there.find("orders")) == ["a"]


@pytest.mark.parametrize("setting", ["forward_to", "forward_dead_letters_to"])
def test_what_would_forward_to_nowhere_is_not_made(setting):
    there = world(queue(), TopicSettings(name="events"))

    with pytest.raises(ConfigurationError, match="'lost' has Forward"):
        there.namespace.add_queue(queue("lost", **{setting: "nowhere"}))
    with pytest.raises(ConfigurationError, match="'events/Subscriptions/lost' has Forward"):
        there.namespace.add_subscription("events", subscription("lost", **{setting: "nowhere"}))

    for path in ("lost", "lost/$DeadLetterQueue", "events/Subscriptions/lost"):
        with pytest.raises(EntityNotFound):
            there.find(path)
    there.find("events").send([message("a")])


def test_only_topics_have_subscriptions():
    there = world(queue())

    with pytest.raises(EntityNotFound, match="'orders' is no topic"):
        there.namespace.add_subscription("orders", subscription("all"))


def test_rules_come_and_go():
    there = world(TopicSettings(name="events", subscriptions=(subscription("some", named("red")),)))
    events, some = there.find("events"), there.find("events/Subscriptions/some")

    events.add_rule("SOME", named("blue"))
    events.send([message("a", subject="red"), message("b", subject="blue")])
    events.remove_rule("some", "RED")
    events.send([message("c", subject="red"), message("d", subject="blue")])

    assert received(some) == ["a", "b", "d"]
    assert events.rule("some", "Blue").name == "blue"


@pytest.mark.parametrize(("subscribed", "rule"), [("some", "green"), ("other", "red")])
def test_a_rule_that_is_not_there_is_not_found(subscribed, rule):
    there = world(TopicSettings(name="events", subscriptions=(subscription("some", named("red")),)))

    for look in (there.find("events").rule, there.find("events").remove_rule):
        with pytest.raises(EntityNotFound):
            look(subscribed, rule)


def test_what_is_removed_is_gone_with_all_that_belongs_to_it():
    topic = TopicSettings(name="events", subscriptions=(subscription("one"), subscription("two")))
    there = world(queue(), topic)

    there.namespace.remove("ORDERS")
    there.namespace.remove("events/Subscriptions/one")
    there.find("events").send([message("a")])

    assert received(there.find("events/Subscriptions/two")) == ["a"]
    there.namespace.remove("events")
    assert list(there.namespace) == []


@pytest.mark.parametrize("path", ["orders/$DeadLetterQueue", "orders/$Transfer/$DeadLetterQueue"])
def test_a_dead_letter_queue_is_not_removed_by_itself(path):
    there = world(queue())

    with pytest.raises(NotAllowed):
        there.namespace.remove(path)

    assert there.find(path)


def test_what_forwards_to_a_queue_that_is_removed_waits_until_there_is_another():
    topic = TopicSettings(name="events", subscriptions=(subscription("all", forward_to="orders"),))
    there = world(topic, queue(), queue("in", forward_to="orders", forward_dead_letters_to="orders"))
    ways = (there.find("events"), there.find("in"))

    there.namespace.remove("orders")
    for way in ways:
        way.send([message("meanwhile")])
    there.namespace.add_queue(queue("Orders"))
    for way in ways:
        way.send([message("afterwards")])

    waiting = [transfer_dead(there, path).peek(0, 10) for path in ("events/Subscriptions/all", "in")]
    assert [bodies(each) for each in waiting] == [["meanwhile"], ["meanwhile"]]
    assert {each.message.properties["DeadLetterReason"] for (each,) in waiting} == {"EntityNotFound"}
    assert received(there.find("orders")) == ["afterwards", "afterwards"]


def test_a_queue_that_takes_nothing_is_forwarded_nothing():
    there = world(queue("in", forward_to="orders"), queue())
    there.find("orders").set_status(Status.SEND_DISABLED)

    there.find("in").send([message("a")])

    (waiting,) = transfer_dead(there, "in").peek(0, 10)
    assert waiting.message.properties["DeadLetterReason"] == "EntityDisabled"
    assert there.find("orders").peek(0, 10) == []
