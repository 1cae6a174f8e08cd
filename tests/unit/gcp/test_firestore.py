"""The store over Firestore: what is asked, how often, and what the errors of store and timers become."""

import google.api_core.exceptions
import google.auth.exceptions
import grpc
import pytest
from google.cloud.firestore_v1 import types as firestore

from infra.gcp.firestore import PAGE
from shared.kernel.commit import Commit, encode_commit
from shared.kernel.errors import ConcurrencyConflict, Deferral, StoreUnavailable
from shared.kernel.ports import Outgoing, Timer
from tests.support.gcp_fakes import DOCUMENTS, in_turn, raising, refused

COMMIT = Commit("orders/o1", 3, 1000.0)
DESCENDING = firestore.StructuredQuery.Direction.DESCENDING


def timer(number):
    return Timer(1000.5, Outgoing(f"m{number}", "orders.payment-timed-out.v1", "o1", b"{}", "orders"))


def fill(gcp, *versions, stream="orders/o1"):
    for version in versions:
        gcp.store.append(Commit(stream, version, 0.0))


def answered(*versions):
    """What a query answers, before it may break off."""

    def page(_):
        for version in versions:
            body = {"string_value": encode_commit(Commit("orders/o1", version, 0.0)).decode()}
            name = f"{DOCUMENTS}/streams/orders:o1/commits/{version}"
            fields = {"body": body, "version": {"integer_value": version}}
            yield firestore.RunQueryResponse(document={"name": name, "fields": fields})

    return page


# -- the store


def test_a_commit_is_one_document_that_must_not_be_there(fake, gcp):
    gcp.store.append(COMMIT)
    gcp.store.flush()

    (request,) = fake.called("Commit")
    (write,) = request.writes
    assert fake.names() == ["Commit"]
    assert write.update.name == f"{DOCUMENTS}/streams/orders:o1/commits/3"
    assert write.current_document.exists is False
    assert fake.stored("streams") == {
        "orders:o1/commits/3": {"version": 3, "body": encode_commit(COMMIT).decode()},
    }


def test_a_first_commit_says_of_which_stream_it_is(fake, gcp):
    fill(gcp, 1, 2)

    streams = [fields.get("stream") for fields in fake.stored("streams").values()]
    assert streams == ["orders/o1", None]


def test_a_stream_is_one_query_newest_first_for_bodies_only(fake, gcp):
    fill(gcp, 1, 2, 10)

    found = [commit.version for commit in gcp.store.read("orders/o1")]

    (request,) = fake.called("RunQuery")
    query = request.structured_query
    assert found == [10, 2, 1]
    assert request.parent == f"{DOCUMENTS}/streams/orders:o1"
    assert (query.order_by[0].field.field_path, query.order_by[0].direction) == ("version", DESCENDING)
    assert [field.field_path for field in query.select.fields] == ["body"]


def test_older_commits_are_asked_for_below_a_version(fake, gcp):
    fill(gcp, 1, 2, 3, 4)

    found = [commit.version for commit in gcp.store.read("orders/o1", before=3)]

    assert found == [2, 1]


def test_a_stream_without_commits_has_none(gcp):
    assert list(gcp.store.read("orders/o1")) == []


def test_a_page_is_read_when_the_one_before_is_used_up(fake, gcp):
    fill(gcp, *range(1, PAGE + 3))
    reading = gcp.store.read("orders/o1")

    first = [next(reading).version for _ in range(PAGE)]
    asked = len(fake.called("RunQuery"))
    rest = [commit.version for commit in reading]

    assert first == list(range(PAGE + 2, 2, -1))
    assert asked == 1
    assert rest == [2, 1]
    assert len(fake.called("RunQuery")) == 2
    assert {request.structured_query.limit for request in fake.called("RunQuery")} == {PAGE}


def test_nothing_is_asked_before_the_first_commit_is_wanted(fake, gcp):
    gcp.store.read("orders/o1")

    assert fake.calls == []


def test_a_service_s_streams_are_those_under_its_name(fake, gcp):
    for stream in ("orders/a", "orders/b", "order/c", "orders0/d", "ordersx/e", "payments/f"):
        fill(gcp, 1, 2, stream=stream)

    found = list(gcp.store.streams("orders"))

    assert found == ["orders/a", "orders/b"]
    assert all(request.structured_query.from_[0].all_descendants for request in fake.called("RunQuery"))


def test_streams_are_read_on_behind_the_last_of_a_page(fake, gcp):
    for stream in ("orders/a", "orders/b", "orders/c"):
        fill(gcp, 1, stream=stream)
    usual = fake.answers["RunQuery"]

    def two_at_once(request):
        request.structured_query.limit = 2
        return usual(request)

    fake.answers["RunQuery"] = two_at_once

    assert list(gcp.store.streams("orders")) == ["orders/a", "orders/b", "orders/c"]


def test_a_query_that_breaks_off_is_asked_again_as_a_whole(fake, gcp):
    def breaking(request):
        yield from answered(3, 2)(request)
        raise refused("UNAVAILABLE")

    fake.answers["RunQuery"] = in_turn(breaking, answered(3, 2, 1))

    found = [commit.version for commit in gcp.store.read("orders/o1")]

    first, again = fake.called("RunQuery")
    assert found == [3, 2, 1]
    assert again == first


# -- every error of the SDK


ASK = {
    "append": ("Commit", lambda gcp: gcp.store.append(COMMIT)),
    "read": ("RunQuery", lambda gcp: list(gcp.store.read("orders/o1"))),
    "streams": ("RunQuery", lambda gcp: list(gcp.store.streams("orders"))),
    "set": ("Commit", lambda gcp: gcp.timers.set([timer(1)])),
    "due": ("RunQuery", lambda gcp: gcp.timers.due(1.0, 10)),
    "remove": ("Commit", lambda gcp: gcp.timers.remove([timer(1)])),
    "all": ("RunQuery", lambda gcp: list(gcp.timers.all())),
    "count": ("RunAggregationQuery", lambda gcp: gcp.timers.count()),
}


def subclasses(kind):
    return {kind}.union(*(subclasses(each) for each in kind.__subclasses__()))


def made(kind):
    """An error of the SDK, whatever it takes."""
    try:
        return kind("because")
    except TypeError:
        return kind("because", None)


SDK = sorted(
    subclasses(google.api_core.exceptions.GoogleAPIError) | subclasses(google.auth.exceptions.GoogleAuthError),
    key=lambda kind: kind.__name__,
)
TAKEN = google.api_core.exceptions.AlreadyExists


def test_the_sdk_s_errors_were_found():
    names = {kind.__name__ for kind in SDK}

    assert {"DeadlineExceeded", "Forbidden", "RetryError", "RefreshError", "TransportError"} <= names


@pytest.mark.parametrize("kind", [kind for kind in SDK if kind is not TAKEN], ids=lambda kind: kind.__name__)
def test_an_error_that_the_sdk_raises_is_transient(fake, gcp, kind):
    fake.answers["Commit"] = raising(made(kind))

    with pytest.raises(StoreUnavailable, match=r"^Firestore, stream 'orders/o1': "):
        gcp.store.append(COMMIT)


CODES = [code.name for code in grpc.StatusCode if code.name not in ("OK", "ALREADY_EXISTS")]


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("ask", ["append", "read"])
def test_an_error_that_firestore_answers_is_transient(fake, gcp, code, ask):
    operation, call = ASK[ask]
    fake.answers[operation] = raising(refused(code))

    with pytest.raises(StoreUnavailable, match=r"^Firestore, stream 'orders/o1': .*because"):
        call(gcp)


@pytest.mark.parametrize("ask", ASK)
@pytest.mark.parametrize(
    "error", [refused("INTERNAL"), refused("PERMISSION_DENIED"), google.auth.exceptions.RefreshError("because")]
)
def test_whatever_is_asked_an_error_is_transient_and_says_what_it_was_about(fake, gcp, ask, error):
    operation, call = ASK[ask]
    fake.answers[operation] = raising(error)

    with pytest.raises(StoreUnavailable, match=r"^Firestore, (streams? (of )?'orders(/o1)?'|timers): .*because"):
        call(gcp)


def test_a_version_that_is_taken_is_a_conflict_which_uses_no_try(gcp):
    fill(gcp, 3)

    with pytest.raises(ConcurrencyConflict, match="version 3 of 'orders/o1' is taken") as caught:
        gcp.store.append(COMMIT)

    assert isinstance(caught.value, Deferral)


def test_an_append_whose_answer_was_lost_meets_its_own_commit(fake, gcp):
    usual = fake.answers["Commit"]

    def lost(request):
        usual(request)
        raise refused("UNAVAILABLE")

    fake.answers["Commit"] = in_turn(lost, usual)

    with pytest.raises(ConcurrencyConflict):
        gcp.store.append(COMMIT)

    assert [commit.version for commit in gcp.store.read("orders/o1")] == [3]


def test_a_write_to_a_busy_document_is_tried_again(fake, gcp):
    fake.answers["Commit"] = in_turn(raising(refused("ABORTED")), fake.answers["Commit"])

    gcp.store.append(COMMIT)

    assert len(fake.called("Commit")) == 2
    assert list(fake.stored("streams")) == ["orders:o1/commits/3"]


def test_an_error_between_two_pages_is_transient_too(fake, gcp):
    fill(gcp, *range(1, PAGE + 2))
    fake.answers["RunQuery"] = in_turn(fake.answers["RunQuery"], raising(refused("PERMISSION_DENIED")))
    reading = gcp.store.read("orders/o1")
    for _ in range(PAGE):
        next(reading)

    with pytest.raises(StoreUnavailable):
        next(reading)
