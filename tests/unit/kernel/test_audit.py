"""The audit: what was committed and is neither answered, waiting nor dead, at each service it is for."""

import pytest
from msgspec import structs

from shared.kernel.audit import Missing, find_missing, key_of, keys_on_hand, repair
from shared.kernel.ports import Delivery, Outgoing
from tests.support.flow import PAGE, Flow
from tests.support.kernel_fakes import Add, body


def missing(flow: Flow) -> list[Missing]:
    return list(find_missing(flow.history, flow.system))


def names(flow: Flow) -> list[tuple[str, str, str]]:
    return [(each.service, each.id, each.type) for each in missing(flow)]


LOST = ("scribe", "tally/s1:1:0", "tally.added.v1")


@pytest.fixture
def flow() -> Flow:
    """A tally that has told what the scribe has not had yet."""
    flow = Flow()
    flow.send(Add(1, "first"), subject="s1")
    flow.work("tally")
    return flow


@pytest.fixture
def robbed(flow) -> Flow:
    """The same, and what was told got lost."""
    assert flow.lose("scribe") == 1
    return flow


# -- what is not missing


def test_nothing_is_missing_where_nothing_happened():
    assert missing(Flow()) == []


def test_what_waits_is_not_missing(flow):
    assert missing(flow) == []


def test_what_is_being_handled_is_not_missing(flow):
    flow.broker.lease("scribe", 1, 60)

    assert missing(flow) == []


def test_what_was_answered_is_not_missing(flow):
    flow.work()

    assert missing(flow) == []


def test_what_is_dead_is_not_missing():
    flow = Flow()
    flow.send(Add(1, "!"), subject="s1")
    for _ in range(5):
        flow.work()
        flow.clock.time += 30

    assert [letter.failure.reason for letter in flow.broker.parked("scribe")] == ["TriesExhausted"]
    assert missing(flow) == []


def test_a_timer_that_is_set_is_not_missing(flow):
    assert len(flow.broker.pending()) == 1
    assert missing(flow) == []


def test_a_timer_that_was_handled_is_not_missing(flow):
    (timer,) = flow.lose_timers()
    flow.broker.publish([timer.message])

    flow.work()

    assert missing(flow) == []


def test_a_private_message_is_never_missing(flow):
    assert "tally/s1:1:1" not in {id_ for _, id_, _ in names(flow)}


def test_what_came_from_outside_is_not_the_audit_s_business():
    flow = Flow()
    flow.send(Add(1))

    flow.lose("tally")

    assert missing(flow) == []


# -- what is


def test_what_never_arrived_is_named_with_the_service_that_lacks_it(robbed):
    assert names(robbed) == [LOST]


def test_a_timer_that_got_lost_is_named(flow):
    flow.lose_timers()

    assert names(flow) == [("tally", "tally/s1:1:2", "tally.reminded.v1")]


def test_what_got_lost_before_a_service_with_its_own_key_is_named(flow):
    flow.work("scribe")

    flow.lose("tally")

    assert names(flow) == [("tally", f"scribe/{PAGE}:1:0", "scribe.wrote.v1")]


def test_of_many_only_the_lost_ones_are_named(robbed):
    robbed.handle(Add(2), id="m2", subject="s1")
    robbed.handle(Add(3), id="m3", subject="s2")

    assert names(robbed) == [LOST]


def test_a_message_of_the_same_id_from_elsewhere_does_not_hide_a_lost_one(robbed):
    robbed.broker.publish([Outgoing("x", "tally.added.v1", "s1", body(Add(1), id="tally/s1:1:0"), "scribe")])

    assert names(robbed) == [LOST]


def test_bytes_that_are_no_message_do_not_disturb_the_audit(robbed):
    robbed.broker.publish([Outgoing("x", "tally.added.v1", "s1", b"\xff", "scribe")])

    assert names(robbed) == [LOST]


def test_an_answer_in_a_stream_of_many_commits_is_found(flow):
    for number in range(60):
        flow.handle(Add(number), id=f"n{number}", subject="s1")

    assert missing(flow) == []


# -- repair


def test_a_repair_publishes_to_the_one_that_lacks_it_and_the_flow_goes_on(robbed):
    found = missing(robbed)

    assert repair(robbed.system, found) == 1
    (waiting,) = robbed.broker.waiting("scribe")
    assert waiting == bytes(found[0].stored.body)
    robbed.work()
    assert missing(robbed) == []


def test_a_repair_is_addressed(robbed):
    repair(robbed.system, missing(robbed))

    (delivery,) = robbed.broker.lease("scribe", 10, 60)
    assert isinstance(delivery, Delivery)
    assert delivery.addressed
    assert robbed.broker.waiting("tally") == []


def test_a_repair_sets_a_timer_as_it_was(flow):
    lost = flow.lose_timers()

    assert repair(flow.system, missing(flow)) == 1
    assert flow.broker.pending() == lost
    assert missing(flow) == []


def test_a_repair_of_what_did_arrive_has_no_effect(robbed):
    found = missing(robbed)
    repair(robbed.system, found)
    robbed.work()
    before = robbed.history.commits(f"scribe/{PAGE}")

    repair(robbed.system, found)
    robbed.work()

    assert robbed.history.commits(f"scribe/{PAGE}") == before


def test_a_repair_of_nothing_publishes_nothing(flow):
    assert repair(flow.system, []) == 0


def test_what_the_bus_does_not_confirm_is_not_counted(robbed):
    class Forgetful:
        def publish(self, messages):
            return {message.id for message in messages}

    system = structs.replace(robbed.system, bus=Forgetful())

    assert repair(system, missing(robbed)) == 0
    assert names(robbed) == [LOST]


# -- what is on hand


def test_what_waits_is_leased_timed_or_dead_is_on_hand(flow):
    flow.send(Add(2, "!"), id="m2", subject="s2")
    flow.work("tally")

    assert keys_on_hand(flow.system, "scribe") == {("/tally", "tally/s1:1:0"), ("/tally", "tally/s2:1:0")}
    assert keys_on_hand(flow.system, "tally") == {("/tally", "tally/s1:1:2"), ("/tally", "tally/s2:1:2")}


def test_the_key_of_a_message_is_its_source_and_id():
    assert key_of(body(Add(1), id="m1", source="/there")) == ("/there", "m1")


@pytest.mark.parametrize("bytes_", [b"", b"\xff", b"{}", b"[]", body(Add(1), id="x" * 129), b" " * 300_000])
def test_what_can_not_be_read_has_no_key(bytes_):
    assert key_of(bytes_) is None
