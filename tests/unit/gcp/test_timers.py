"""The index of timers on Firestore: set once, found when due, removed; and what was put aside among them."""

import threading
from collections import Counter

import pytest
from google.cloud.firestore_v1 import types as firestore

from infra.gcp.bus import Copy
from shared.kernel.ports import Outgoing, Timer


def timer(number, due=1000.5, to="orders"):
    return Timer(due, Outgoing(f"m{number}", "orders.payment-timed-out.v1", "o1", b"{}", to))


def test_a_timer_is_one_document_in_a_shard_that_its_id_names(fake, gcp):
    gcp.timers.set([timer(number) for number in range(50)])

    writes = [write for request in fake.called("Commit") for write in request.writes]
    shards = Counter(name.split("/")[0] for name in fake.stored("timers"))
    assert len(writes) == 50
    assert all(write.current_document.exists is False for write in writes)
    assert set(shards) == {str(shard) for shard in range(8)}


def test_a_timer_has_the_fields_that_it_is_published_with(fake, gcp):
    gcp.timers.set([timer(1, 1795262398.123456)])

    ((name, fields),) = fake.stored("timers").items()
    assert name.endswith("/due/m1")
    assert fields == {
        "due": 1795262398.123456,
        "id": "m1",
        "type": "orders.payment-timed-out.v1",
        "subject": "o1",
        "body": b"{}",
        "to": "orders",
    }


def test_ids_with_a_slash_are_one_document_each(fake, gcp):
    ids = ["orders/17:1:0", "orders/17:1:1", "orders%2F17:1:0", "a b/é"]

    gcp.timers.set([Timer(1.0, Outgoing(id_, "t", "s", b"{}")) for id_ in ids])

    assert len(fake.stored("timers")) == 4
    assert all(name.count("/") == 2 for name in fake.stored("timers"))
    assert {each.message.id for each in gcp.timers.all()} == set(ids)


def test_timers_are_set_at_the_same_time(fake, gcp):
    together = threading.Barrier(8)
    usual = fake.answers["Commit"]

    def answer(request):
        together.wait(10)
        return usual(request)

    fake.answers["Commit"] = answer

    gcp.timers.set([timer(number) for number in range(8)])

    assert len(fake.stored("timers")) == 8


def test_a_timer_is_removed_where_it_was_set(fake, gcp):
    gcp.timers.set([timer(7), timer(8)])

    gcp.timers.remove([timer(7)])
    gcp.timers.remove([timer(7)])

    assert [name.rpartition("/")[2] for name in fake.stored("timers")] == ["m8"]


def test_a_timer_that_is_set_already_stays_and_the_next_one_is_set(gcp):
    gcp.timers.set([timer(1, due=5.0)])

    gcp.timers.set([timer(1, due=9.0), timer(2, due=9.0)])

    assert {each.message.id: each.due for each in gcp.timers.all()} == {"m1": 5.0, "m2": 9.0}


def test_due_timers_are_the_earliest_of_all_shards(fake, gcp):
    gcp.timers.set([timer(number, 1000.0 - number) for number in range(40)] + [timer("later", 1000.5)])

    found = gcp.timers.due(1000.0, 3)

    assert [each.due for each in found] == [961.0, 962.0, 963.0]
    assert len(fake.called("RunQuery")) == 8
    assert {request.structured_query.limit for request in fake.called("RunQuery")} == {3}


def test_a_timer_is_due_at_its_very_time(gcp):
    gcp.timers.set([timer(1, 1000.5)])

    assert [gcp.timers.due(now, 10) for now in (1000.4, 1000.5)] == [[], [timer(1, 1000.5)]]


@pytest.mark.parametrize("to", ["orders", None])
def test_a_timer_reads_as_it_was_written(gcp, to):
    gcp.timers.set([timer(1, 1795262398.123456, to)])

    assert list(gcp.timers.all()) == [timer(1, 1795262398.123456, to)]


@pytest.mark.parametrize(
    "copy",
    [
        Copy("orders:7", "t", "s", b"\x00\xff", "orders", {"ce-id": "m1", "a.b`c": "é", "empty": ""}, "key"),
        Copy("orders:8", "", "", b"", "orders", {"to": "orders"}),
    ],
)
def test_what_is_put_aside_reads_as_it_was_written(gcp, copy):
    gcp.timers.set([Timer(1.0, copy)])

    assert list(gcp.timers.all()) == [Timer(1.0, copy)]


def test_timers_are_counted_without_being_read(fake, gcp):
    counted = firestore.AggregationResult(aggregate_fields={"field_1": {"integer_value": 12_345}})
    fake.answers["RunAggregationQuery"] = lambda _: iter([firestore.RunAggregationQueryResponse(result=counted)])

    assert gcp.system.operations.timers() == 12_345

    (request,) = fake.called("RunAggregationQuery")
    (source,) = request.structured_aggregation_query.structured_query.from_
    assert fake.names() == ["RunAggregationQuery"]
    assert (source.collection_id, source.all_descendants) == ("due", True)
