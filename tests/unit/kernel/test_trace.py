"""The trace: a flow as a tree, from the message from outside that began it."""

from collections.abc import Iterator
from typing import Any

import pytest
from msgspec import structs

from shared.kernel.trace import Fate, Node, trace
from tests.support.flow import PAGE, CloudDesk, Flow
from tests.support.kernel_fakes import NOW, Add

TIME = NOW.timestamp()


@pytest.fixture
def flow() -> Flow:
    """One message from outside, and all that came of it but for the timer."""
    flow = Flow()
    flow.handle(Add(1, "first"), id="m1", subject="s1")
    return flow


def roots(flow: Flow, start: str) -> list[Node]:
    return trace(flow.history, flow.system, start)


def walk(node: Node) -> Iterator[Node]:
    yield node
    for fate in node.fates:
        for child in fate.caused:
            yield from walk(child)


def shape(node: Node) -> Any:
    """A tree as nested tuples: a message's id, and for each service what it made of it."""
    return node.id, [(fate.service, fate.outcome, [shape(child) for child in fate.caused]) for fate in node.fates]


TREE = (
    "m1",
    [
        (
            "tally",
            "handled",
            [
                (
                    "tally/s1:1:0",
                    [("scribe", "handled", [(f"scribe/{PAGE}:1:0", [("tally", "handled", [])])])],
                ),
                ("tally/s1:1:1", []),
                ("tally/s1:1:2", [("tally", "waiting", [])]),
            ],
        )
    ],
)


def test_a_flow_is_a_tree_of_messages_and_of_what_each_service_made_of_them(flow):
    (root,) = roots(flow, "s1")

    assert shape(root) == TREE


@pytest.mark.parametrize(
    "start", ["tally/s1:1:0", "tally/s1:1:1", "tally/s1:1:2", f"scribe/{PAGE}:1:0", PAGE, "line-1"]
)
def test_any_part_of_a_flow_leads_to_its_root(flow, start):
    assert [shape(root) for root in roots(flow, start)] == [TREE]


def test_a_node_tells_what_when_and_about_what(flow):
    (root,) = roots(flow, "s1")

    nodes = {node.id: node for node in walk(root)}
    assert (root.type, root.subject, root.time) == ("tally.add.v1", "s1", TIME)
    assert [nodes[f"tally/s1:1:{index}"].private for index in range(3)] == [False, True, False]
    assert [nodes[f"tally/s1:1:{index}"].due for index in range(3)] == [None, None, TIME + 90]
    assert nodes[f"scribe/{PAGE}:1:0"].subject == "line-1"


def test_a_fate_tells_when_it_was_committed():
    flow = Flow()
    flow.send(Add(1), id="m1", subject="s1")
    flow.clock.time += 5
    flow.work("tally")
    flow.clock.time += 7
    flow.work("scribe")

    (root,) = roots(flow, "s1")

    assert root.fates[0].time == TIME + 5
    assert root.fates[0].caused[0].fates[0].time == TIME + 12


def test_what_is_not_known_has_no_tree(flow):
    starts = ["zebra", "m1", "", "tally/s1:9:0", "tally/s1:1:9", "zebra/s1:1:0", "s1/tally"]

    assert [roots(flow, start) for start in starts] == [[]] * len(starts)


def test_where_nothing_happened_nothing_is_known():
    assert roots(Flow(), "s1") == []


# -- where it is


def where(flow: Flow) -> Fate:
    """What became of the first message that was told."""
    (root,) = roots(flow, "s1")
    return root.fates[0].caused[0].fates[0]


def test_what_no_service_answered_is_waiting_dead_or_nowhere():
    flow = Flow()
    flow.send(Add(1, "!"), id="m1", subject="s1")
    flow.work("tally")
    waiting = where(flow)
    for _ in range(5):
        flow.work()
        flow.clock.time += 30
    dead = where(flow)
    for letter in flow.broker.parked("scribe"):
        flow.broker.drop(letter)

    assert (waiting, dead, where(flow)) == (
        Fate("scribe", "waiting"),
        Fate("scribe", "dead-lettered"),
        Fate("scribe", "nowhere"),
    )


def test_where_a_queue_shows_only_how_much_waits_it_may_be_among_it():
    flow = Flow()
    flow.system = structs.replace(flow.system, operations=CloudDesk(flow.broker))
    flow.send(Add(1), id="m1", subject="s1")
    flow.work("tally")

    waiting = where(flow)
    flow.lose("scribe")

    assert (waiting, where(flow)) == (Fate("scribe", "perhaps waiting"), Fate("scribe", "nowhere"))


def test_what_is_being_handled_is_waiting():
    flow = Flow()
    flow.send(Add(1), id="m1", subject="s1")
    flow.work("tally")

    flow.broker.lease("scribe", 1, 60)

    assert where(flow) == Fate("scribe", "waiting")


def test_what_is_answered_and_comes_again_is_handled(flow):
    flow.send(Add(1, "first"), id="m1", subject="s1")

    (root,) = roots(flow, "s1")

    assert shape(root) == TREE


# -- several


def test_a_subject_with_two_beginnings_has_two_trees_in_their_order(flow):
    flow.handle(Add(2), id="m2", subject="s1")

    assert [root.id for root in roots(flow, "s1")] == ["m1", "m2"]


def test_what_shares_a_commit_has_trees_of_its_own():
    flow = Flow()
    for number in (1, 2):
        flow.send(Add(number, f"n{number}"), id=f"m{number}", subject="s1")
    flow.work()

    first, second = roots(flow, "s1")

    assert [node.id for node in walk(first) if node.id.startswith("tally")] == [f"tally/s1:1:{i}" for i in (0, 1, 2)]
    assert [node.id for node in walk(second) if node.id.startswith("tally")] == [f"tally/s1:1:{i}" for i in (3, 4, 5)]


def test_the_same_id_from_two_sources_begins_two_flows(flow):
    flow.handle(Add(2), id="m1", source="/elsewhere", subject="s1")

    first, second = roots(flow, "s1")

    assert (first.id, second.id) == ("m1", "m1")
    assert first != second


def test_a_subject_in_the_middle_of_several_flows_leads_to_all_of_them(flow):
    flow.handle(Add(1), id="m2", subject="s2")

    assert [root.subject for root in roots(flow, PAGE)] == ["s1", "s2"]


# -- from outside, and called like one of ours


@pytest.mark.parametrize("id_", ["tally/s1:1:0", "tally/s9:7:0", "tally/s1:99999999999999999999:0", "scribe/page:1:0"])
def test_a_message_from_outside_may_be_called_like_one_of_ours(flow, id_):
    flow.handle(Add(2), id=id_, source="/elsewhere", subject="s2")

    (root,) = roots(flow, "s2")

    assert (root.id, root.subject) == (id_, "s2")


def test_a_long_flow_is_no_deeper_than_a_tree_can_be(flow):
    flow.handle(Add(2), id="m2", subject="s1", hops=12)

    _, second = roots(flow, "s1")

    assert {node.fates[0].outcome for node in walk(second) if node.fates} == {"handled", "waiting"}
