"""History: commits of all services, read as messages that caused one another."""

import msgspec
import pytest

from shared.kernel.audit import key_of
from shared.kernel.codec import read_own
from shared.kernel.commit import Handled
from shared.kernel.history import History
from tests.support.flow import PAGE, Flow, Wrote
from tests.support.kernel_fakes import Add, Added, Reminded, envelope


@pytest.fixture
def flow() -> Flow:
    """One message from outside, and all that came of it but for the timer."""
    flow = Flow()
    flow.handle(Add(1, "first"), id="m1", subject="s1")
    return flow


def test_commits_are_told_from_the_oldest_to_the_newest(flow):
    flow.handle(Add(2), id="m2", subject="s1")

    assert [commit.version for commit in flow.history.commits("tally/s1")] == [1, 2]


def test_a_stream_that_nobody_wrote_has_no_commits(flow):
    assert flow.history.commits("tally/zebra") == []


def test_everything_that_any_service_emitted_is_told_with_who_and_when(flow):
    told = {
        (service.name, commit.stream, read_own(message.body).id) for service, commit, message in flow.history.emitted()
    }

    assert told == {
        ("tally", "tally/s1", "tally/s1:1:0"),
        ("tally", "tally/s1", "tally/s1:1:1"),
        ("tally", "tally/s1", "tally/s1:1:2"),
        ("scribe", f"scribe/{PAGE}", f"scribe/{PAGE}:1:0"),
    }


def test_where_nothing_happened_nothing_was_emitted():
    assert list(Flow().history.emitted()) == []


# -- who is to have it


def audiences(flow: Flow) -> dict[str, list[str]]:
    return {
        read_own(message.body).type: flow.history.audience(service, message)
        for service, _, message in flow.history.emitted()
    }


def test_an_event_is_for_its_subscribers_a_timer_for_its_setter_a_private_one_for_nobody(flow):
    assert audiences(flow) == {
        "tally.added.v1": ["scribe"],
        "tally.noted.v1": [],
        "tally.reminded.v1": ["tally"],
        "scribe.wrote.v1": ["tally"],
    }


# -- where it belongs


def test_a_message_s_stream_is_found_by_the_service_s_own_key(flow):
    added = envelope(Added(1, 1), subject="s7")

    assert flow.history.stream_in("scribe", added) == f"scribe/{PAGE}"
    assert flow.history.stream_in("tally", envelope(Add(1), subject="s7")) == "tally/s7"


@pytest.mark.parametrize(
    "attributes",
    [
        {"type": "tally.added.v9"},
        {"type": "zebra.ran.v1"},
        {"type": "nonsense"},
        {"data": msgspec.Raw(b'{"amount": "x"}')},
    ],
    ids=["newer", "unknown", "nonsense", "misfit"],
)
def test_a_message_that_can_not_be_read_belongs_nowhere(flow, attributes):
    assert flow.history.stream_in("scribe", envelope(Added(1, 1), **attributes)) is None


# -- who answered it


def test_the_answer_to_a_message_is_named_by_its_version(flow):
    flow.handle(Add(2), id="m2", subject="s1")

    history = flow.history
    answers = [history.answered_at("tally/s1", ("/test", id_)) for id_ in ("m1", "m2", "m3")]
    assert answers == [1, 2, None]


def test_the_same_id_of_another_source_was_not_answered(flow):
    assert flow.history.answered_at("tally/s1", ("/elsewhere", "m1")) is None


def test_a_message_that_was_answered_elsewhere_was_not_answered_here(flow):
    assert flow.history.answered_at("tally/s2", ("/test", "m1")) is None


# -- where it came from


def test_an_emitted_message_is_found_by_its_id(flow):
    commit, index = flow.history.origin("tally/s1:1:2")

    assert (commit.stream, commit.version, index) == ("tally/s1", 1, 2)
    assert read_own(commit.messages[index].body).type == str(Reminded.message_type)


@pytest.mark.parametrize(
    "id_",
    [
        *(
            "m1",
            "",
            "tally",
            "tally/s1",
            "tally/s1:1",
            "tally/s1:1:",
            "tally/s1:1:0:0",
            "tally/s1:-1:0",
            "tally/s1:1:-1",
        ),
        *("tally/s1:0:0", "tally/s1:9:0", "tally/s1:1:3", "tally/zebra:1:0", "zebra/s1:1:0", "tally/s1:1:0\n", "/:1:0"),
        "tally/s1:99999999999999999999:0",
        "tally/s1:1:99999999999999999999",
        f"tally/s1:{'9' * 5000}:0",
        f"tally/s1:1:{'9' * 5000}",
    ],
    ids=lambda id_: repr(id_[:40]),
)
def test_what_nobody_here_emitted_is_not_found(flow, id_):
    assert flow.history.origin(id_) is None


def test_an_emitted_message_is_found_beneath_later_ones(flow):
    for number in range(2, 5):
        flow.handle(Add(number), id=f"m{number}", subject="s1")

    commit, _ = flow.history.origin("tally/s1:1:0")
    assert commit.version == 1


def cause(history: History, id_: str) -> Handled:
    commit, index = history.origin(id_)
    return commit.handled[commit.messages[index].cause]


def test_the_cause_of_a_message_is_its_direct_parent(flow):
    history = flow.history

    assert cause(history, "tally/s1:1:0").key == ("/test", "m1")
    assert cause(history, f"scribe/{PAGE}:1:0").key == ("/tally", "tally/s1:1:0")


def test_in_a_commit_of_several_each_message_has_its_own_cause():
    flow = Flow()
    for number in (1, 2):
        flow.send(Add(number), id=f"m{number}", subject="s1")
    flow.work()

    history = flow.history
    (commit, *_) = history.commits("tally/s1")
    assert [handled.id for handled in commit.handled] == ["m1", "m2"]
    causes = [cause(history, f"tally/s1:1:{index}").id for index in range(len(commit.messages))]
    assert causes == ["m1"] * 3 + ["m2"] * 3


def test_what_is_caused_about_another_subject_is_found_too(flow):
    commit, index = flow.history.origin(f"scribe/{PAGE}:1:0")

    assert msgspec.json.decode(read_own(commit.messages[index].body).data, type=Wrote).line == "first"
    assert key_of(bytes(commit.messages[index].body)) == ("/scribe", f"scribe/{PAGE}:1:0")
