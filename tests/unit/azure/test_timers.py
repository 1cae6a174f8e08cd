"""The index of timers on Tables: set once, found when due, removed; two rows a timer, in one transaction."""

import threading
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.azure.tables import SHARDS, _moment, _timer_key
from shared.kernel.ports import Outgoing, Timer
from tests.support.azure_fakes import in_turn, refused
from tests.support.azure_tables import Answered

TABLE = "trefoildevtimers"


def timer(number, due=1000.5, to="orders", body=b"{}"):
    return Timer(due, Outgoing(f"m{number}", "orders.payment-timed-out.v1", "o1", body, to))


def test_a_timer_is_two_rows_of_one_shard_in_one_transaction(fake, azure):
    azure.timers.set([timer(1, 1795262398.123456)])

    (transaction,) = fake.asked
    known, row = (part.entity for part in transaction.parts)
    assert [part.name for part in transaction.parts] == ["insert", "insert"]
    assert known["PartitionKey"] == row["PartitionKey"]
    assert (known["RowKey"], known["row"]) == ("id-m1", row["RowKey"])
    assert row["RowKey"] == "due-0001795262398123-m1"


def test_a_timer_has_the_fields_that_it_is_published_with(fake, azure):
    azure.timers.set([timer(1, 1795262398.123456)])

    found, _ = fake.stored(TABLE)
    assert {name: value for name, value in found.items() if not name.endswith("Key")} == {
        "due": 1795262398.123456,
        "id": "m1",
        "type": "orders.payment-timed-out.v1",
        "subject": "o1",
        "body00": "{}",
        "to": "orders",
    }


def shard(id_):
    return _timer_key(id_, "")["PartitionKey"]


def test_timers_are_spread_over_the_shards_by_their_ids():
    shards = Counter(shard(f"orders/o{number}:1:0") for number in range(800))

    assert set(shards) == {str(number) for number in range(SHARDS)}
    assert all(50 < count < 150 for count in shards.values())


def test_ids_that_no_key_may_hold_are_two_rows_each(fake, azure):
    ids = ["orders/17:1:0", "orders/17:1:1", "orders%2F17:1:0", "a b#?\\é", "orders/o'1:1:0"]
    timers = [Timer(1.0, Outgoing(id_, "t", "s", b"{}")) for id_ in ids]

    azure.timers.set(timers)

    rows = [row["RowKey"] for row in fake.stored(TABLE)]
    assert len(rows) == 10
    assert not any(character in row for row in rows for character in "/\\#?")
    assert {each.message.id for each in azure.timers.all()} == set(ids)


def test_timers_are_set_at_the_same_time(fake, azure):
    together = threading.Barrier(8)
    usual = fake.answers["batch"]

    def answer(asked):
        together.wait(10)
        return usual(asked)

    fake.answers["batch"] = answer

    azure.timers.set([timer(number) for number in range(8)])

    assert len(fake.stored(TABLE)) == 16


@pytest.mark.parametrize("due", [5.0, 9.0])
def test_a_timer_that_is_set_already_stays_as_it_was_and_the_next_one_is_set(fake, azure, due):
    azure.timers.set([timer(1, due=5.0)])

    azure.timers.set([timer(1, due=due), timer(2, due=9.0)])

    assert {each.message.id: each.due for each in azure.timers.all()} == {"m1": 5.0, "m2": 9.0}
    assert len(fake.stored(TABLE)) == 4


def test_a_set_that_is_told_an_error_although_it_was_done_is_done(fake, azure):
    usual = fake.answers["batch"]
    fake.answers["batch"] = in_turn(lambda asked: usual(asked) and refused(503, "ServerBusy")(asked), usual)

    azure.timers.set([timer(1)])

    assert list(azure.timers.all()) == [timer(1)]


# -- what is due


def test_due_timers_are_the_earliest_of_all_shards(fake, azure):
    azure.timers.set([timer(number, 1000.0 - number) for number in range(9)] + [timer("later", 1000.5)])
    fake.asked.clear()

    found = azure.timers.due(1000.0, 3)

    assert [each.due for each in found] == [992.0, 993.0, 994.0]
    assert fake.names() == ["query"] * 8
    assert {asked.query["$top"] for asked in fake.asked} == {"3"}


def test_a_shard_that_has_more_than_is_wanted_is_asked_once(fake, azure):
    azure.timers.set([timer(number) for number in range(100) if shard(f"m{number}") == "0"][:4])
    fake.asked.clear()

    assert len(azure.timers.due(1000.5, 2)) == 2
    assert fake.names() == ["query"] * 8


def test_a_page_that_the_service_ends_early_hides_no_timer(fake, azure):
    azure.timers.set([timer(1)])
    more = {"x-ms-continuation-nextpartitionkey": "0", "x-ms-continuation-nextrowkey": "due-"}
    usual, seen = fake.answers["query"], set()

    def answer(asked):
        filter_ = asked.query["$filter"]
        if filter_ in seen:
            return usual(asked)
        seen.add(filter_)
        return Answered(200, b'{"value": []}', more)

    fake.answers["query"] = answer

    assert azure.timers.due(1000.5, 10) == [timer(1)]


@given(st.floats(0, 4e9), st.sampled_from([0, 1, 2, 3, 4, 6]))
def test_a_moment_is_before_the_end_of_its_own_look(seconds, digits):
    due = round(seconds, digits)

    assert "due-" <= _moment(due) < f"{_moment(due)}-m1" < _moment(due, 1)


@given(st.floats(0, 4e9), st.floats(0, 4e9))
def test_moments_sort_as_times_do(one, other):
    assert (_moment(one) < _moment(other)) <= (one < other)


@pytest.mark.parametrize("due", [1000.5, 183167910.649, 1.001, 0.0])
def test_a_timer_is_due_at_its_very_time_and_not_before(azure, due):
    azure.timers.set([timer(1, due)])

    assert [azure.timers.due(now, 10) for now in (due - 0.0001, due)] == [[], [timer(1, due)]]


@pytest.mark.parametrize("due", [-5.0, 0.0])
def test_a_time_before_1970_is_due(azure, due):
    azure.timers.set([timer(1, due)])

    assert azure.timers.due(1000.0, 10) == [timer(1, due)]


@pytest.mark.parametrize("to", ["orders", None])
@pytest.mark.parametrize("body", [b"{}", b"", "\U0001f600".encode() * 40_000])
def test_a_timer_reads_as_it_was_written(azure, to, body):
    azure.timers.set([timer(1, 1795262398.123456, to, body)])

    assert list(azure.timers.all()) == [timer(1, 1795262398.123456, to, body)]


# -- what is removed


def test_a_removed_timer_leaves_neither_row(fake, azure):
    azure.timers.set([timer(7), timer(8)])
    fake.asked.clear()

    azure.timers.remove([timer(7)])

    (transaction,) = fake.called("batch")
    assert [part.name for part in transaction.parts] == ["delete", "delete"]
    assert {row["RowKey"] for row in fake.stored(TABLE)} == {"due-0000000001000500-m8", "id-m8"}


def test_a_timer_is_removed_by_its_id_whatever_it_is_thought_to_be_due(fake, azure):
    azure.timers.set([timer(7, due=5.0)])

    azure.timers.remove([timer(7, due=9.0)])

    assert fake.stored(TABLE) == []


def test_what_is_gone_is_removed_and_nothing_is_written(fake, azure):
    azure.timers.remove([timer(7)])

    assert fake.names() == ["get"]


def test_what_another_tick_removed_meanwhile_is_removed(fake, azure):
    azure.timers.set([timer(7)])
    usual = fake.answers["batch"]

    def answer(asked):
        fake.tables.entities.clear()
        return usual(asked)

    fake.answers["batch"] = answer

    azure.timers.remove([timer(7)])

    assert fake.stored(TABLE) == []


def test_a_timer_can_be_set_again_after_it_was_removed(azure):
    azure.timers.set([timer(7)])
    azure.timers.remove([timer(7)])

    azure.timers.set([timer(7, due=9.0)])

    assert list(azure.timers.all()) == [timer(7, due=9.0)]
