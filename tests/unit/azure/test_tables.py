"""The store over Tables: what is asked, how often, and what the errors of store and timers become."""

from types import SimpleNamespace

import azure.core.exceptions
import azure.data.tables
import azure.servicebus.exceptions
import pytest
import requests
from azure.core.exceptions import AzureError
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from infra.azure.tables import PAGE, PART, _body, _parts
from infra.azure.wiring import function
from shared.kernel.commit import COMMIT_LIMIT, Commit, Emitted, encode_commit
from shared.kernel.errors import ConcurrencyConflict, Deferral, StoreUnavailable
from shared.kernel.ports import Outgoing, Timer
from tests.support.azure_fakes import fake_azure, in_turn, raising, refused
from tests.support.azure_tables import Answered

COMMIT = Commit("orders/o1", 3, 1000.0)
TIMER = Timer(1000.5, Outgoing("m1", "orders.payment-timed-out.v1", "o1", b"{}", "orders"))


def fill(azure, *versions, stream="orders/o1"):
    for version in versions:
        azure.store.append(Commit(stream, version, 0.0))


# -- one insert a commit


def test_a_commit_is_one_insert_of_a_key_that_must_not_be_there(fake, azure):
    azure.store.append(COMMIT)
    azure.store.flush()

    assert fake.names() == ["insert"]
    assert fake.asked[0].table == "trefoildevcommits"
    assert fake.stored() == [
        {"PartitionKey": "orders:o1", "RowKey": "9999999996", "body00": encode_commit(COMMIT).decode()}
    ]


@pytest.mark.parametrize(
    ("stream", "key"), [("order_status/o1", "order_status:o1"), ("climate/s1.2026-11-20~x", "climate:s1.2026-11-20~x")]
)
def test_a_partition_is_a_stream_without_its_slash(fake, azure, stream, key):
    azure.store.append(Commit(stream, 1, 0.0))

    assert fake.stored()[0]["PartitionKey"] == key


def test_rows_sort_by_version_newest_first_whatever_the_number_of_digits(fake, azure):
    fill(azure, 1, 9, 10, 99, 100, 9_999_999)

    found = [commit.version for commit in azure.store.read("orders/o1")]

    assert found == [9_999_999, 100, 99, 10, 9, 1]


def test_a_version_that_is_taken_is_a_conflict_which_uses_no_try(azure):
    fill(azure, 3)

    with pytest.raises(ConcurrencyConflict, match="version 3 of 'orders/o1' is taken") as caught:
        azure.store.append(COMMIT)

    assert isinstance(caught.value, Deferral)


@pytest.mark.parametrize(
    ("late", "error"),
    [(refused(503, "ServerBusy"), ConcurrencyConflict), (raising(requests.ReadTimeout("late")), StoreUnavailable)],
    ids=["busy", "no answer"],
)
def test_an_append_that_is_told_an_error_although_it_was_done_is_explained_by_the_reload(fake, azure, late, error):
    usual = fake.answers["insert"]
    fake.answers["insert"] = in_turn(lambda asked: usual(asked) and late(asked), usual)

    with pytest.raises(error):
        azure.store.append(COMMIT)

    assert [commit.version for commit in azure.store.read("orders/o1")] == [3]


# -- bodies


def units(text):
    """A string's length in UTF-16, of which a property holds 32,768."""
    return len(text.encode("utf-16-le")) // 2


TEXTS = st.text(st.characters(exclude_categories=["Cs"])) | st.builds(
    lambda text, times: text * times,
    st.sampled_from(["x", "é", "漢", "\U0001f600", "a\U0001f600"]),
    st.integers(0, 40_000),
)


@given(TEXTS)
def test_a_body_of_any_text_fits_its_properties_and_is_put_together_again(text):
    parts = _parts(text)

    assert _body(parts) == text
    assert all(0 < units(part) <= 32_768 for part in parts.values())


@pytest.mark.parametrize("text", ["x", "é", "漢", "\U0001f600"])
def test_the_largest_commit_is_one_entity_that_tables_takes(fake, azure, text):
    """An entity has 1 MiB and 252 properties of one's own, in UTF-16."""
    room = (COMMIT_LIMIT - 100) // len(text.encode())
    commit = Commit("orders/o1", 1, 1.0, messages=(Emitted(0, Raw(f'"{text * room}"'.encode())),))

    azure.store.append(commit)

    (entity,) = fake.stored()
    assert COMMIT_LIMIT - 100 < len(encode_commit(commit)) <= COMMIT_LIMIT
    assert [encode_commit(found) for found in azure.store.read("orders/o1")] == [encode_commit(commit)]
    assert len(entity) < 100
    assert sum(2 * (units(name) + units(part)) for name, part in entity.items()) < 2**20 - 4096


def test_a_commit_of_many_properties_reads_as_it_was_written(fake, azure, monkeypatch):
    monkeypatch.setattr("infra.azure.tables.PART", 7)

    azure.store.append(COMMIT)

    (entity,) = fake.stored()
    assert {"body00", "body01", "body06"} <= set(entity)
    assert list(azure.store.read("orders/o1")) == [COMMIT]


def test_a_part_has_as_many_characters_as_fit_if_each_takes_two_units():
    assert 2 * PART <= 32_768


# -- reading


def test_a_stream_is_one_query_in_pages(fake, azure):
    fill(azure, 1, 2)

    found = [commit.version for commit in azure.store.read("orders/o1")]

    (query,) = fake.called("query")
    assert found == [2, 1]
    assert query.query == {"$filter": "PartitionKey eq 'orders:o1'", "$top": str(PAGE)}


def test_older_commits_are_asked_for_below_a_version(fake, azure):
    fill(azure, 1, 2, 3, 4)

    found = [commit.version for commit in azure.store.read("orders/o1", before=3)]

    assert found == [2, 1]
    assert fake.called("query")[0].query["$filter"].endswith("RowKey gt '9999999996'")


def test_a_stream_without_commits_has_none(azure):
    assert list(azure.store.read("orders/o1")) == []


def test_a_page_is_read_when_the_one_before_is_used_up(fake, azure):
    fill(azure, *range(1, PAGE + 3))
    reading = azure.store.read("orders/o1")

    first = [next(reading).version for _ in range(PAGE)]
    asked = len(fake.called("query"))
    rest = [commit.version for commit in reading]

    assert first == list(range(PAGE + 2, 2, -1))
    assert asked == 1
    assert rest == [2, 1]
    assert len(fake.called("query")) == 2


def test_a_page_that_is_empty_is_not_the_end(fake, azure):
    """The service ends a page where it likes, and says how to go on."""
    fill(azure, 1)
    more = {"x-ms-continuation-nextpartitionkey": "orders:o1", "x-ms-continuation-nextrowkey": "9"}
    fake.answers["query"] = in_turn(lambda _: Answered(200, b'{"value": []}', more), fake.answers["query"])

    assert [commit.version for commit in azure.store.read("orders/o1")] == [1]


def test_nothing_is_asked_before_the_first_commit_is_wanted(fake, azure):
    azure.store.read("orders/o1")

    assert fake.asked == []


def test_a_key_with_a_quote_is_a_key_and_no_filter(azure):
    fill(azure, 1, stream="orders/o'1")

    assert [commit.version for commit in azure.store.read("orders/o'1")] == [1]
    assert list(azure.store.read("orders/o' or PartitionKey ge '")) == []


def test_a_service_s_streams_are_those_under_its_name(fake, azure):
    for stream in ("orders/a", "orders/b", "order/c", "orders0/d", "ordersx/e", "order_status/f", "payments/g"):
        fill(azure, 1, 2, stream=stream)

    found = list(azure.store.streams("orders"))

    assert found == ["orders/a", "orders/b"]
    assert {query.query["$select"] for query in fake.called("query")} == {"PartitionKey"}


def test_streams_are_read_on_page_after_page(fake, azure):
    for stream in ("orders/a", "orders/b", "orders/c"):
        fill(azure, 1, stream=stream)
    fake.tables.most = 2

    assert list(azure.store.streams("orders")) == ["orders/a", "orders/b", "orders/c"]
    assert len(fake.called("query")) == 2


# -- every error of the SDKs

ASK = {
    "append": ("insert", lambda azure: azure.store.append(COMMIT)),
    "read": ("query", lambda azure: list(azure.store.read("orders/o1"))),
    "streams": ("query", lambda azure: list(azure.store.streams("orders"))),
    "set": ("batch", lambda azure: azure.timers.set([TIMER])),
    "due": ("query", lambda azure: azure.timers.due(1.0, 10)),
    "remove": ("get", lambda azure: azure.timers.remove([TIMER])),
    "all": ("query", lambda azure: list(azure.timers.all())),
}


def subclasses(kind):
    return {kind}.union(*(subclasses(each) for each in kind.__subclasses__()))


def made(kind):
    """An error of the SDKs, whatever it takes."""
    response = SimpleNamespace(reason="because", status_code=500, headers={}, request="this", text=lambda: "{}")
    for arguments in ({"message": "because"}, {}, {"response": response}):
        try:
            return kind(**arguments)
        except (AttributeError, TypeError):
            continue
    return kind("because")


SDK = sorted(subclasses(AzureError), key=lambda kind: kind.__name__)
TAKEN = azure.core.exceptions.ResourceExistsError


def test_the_sdk_s_errors_were_found():
    names = {kind.__name__ for kind in SDK}

    assert {"ClientAuthenticationError", "HttpResponseError", "ServiceRequestError", "ServiceResponseError"} <= names
    assert {"TableTransactionError", "RequestTooLargeError", "ServiceBusConnectionError"} <= names


@pytest.mark.parametrize("kind", [kind for kind in SDK if not issubclass(kind, TAKEN)], ids=lambda kind: kind.__name__)
def test_an_error_that_the_sdk_raises_is_transient(azure, monkeypatch, kind):
    def create_entity(*_):
        raise made(kind)

    monkeypatch.setattr("azure.data.tables.TableClient.create_entity", create_entity)

    with pytest.raises(StoreUnavailable, match=r"^Tables, table 'trefoildevcommits': "):
        azure.store.append(COMMIT)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "PropertyValueTooLarge"),
        (400, "EntityTooLarge"),
        (401, "AuthenticationFailed"),
        (403, "AuthorizationPermissionMismatch"),
        (404, "TableNotFound"),
        (404, "ResourceNotFound"),
        (412, "UpdateConditionNotSatisfied"),
        (413, "RequestBodyTooLarge"),
        (429, "TooManyRequests"),
        (500, "InternalError"),
        (503, "ServerBusy"),
    ],
)
@pytest.mark.parametrize("ask", ["append", "read"])
def test_an_error_that_tables_answers_is_transient(fake, azure, ask, status, code):
    operation, call = ASK[ask]
    fake.answers[operation] = refused(status, code)

    with pytest.raises(StoreUnavailable, match=r"(?s)^Tables, table 'trefoildevcommits': .*because|not exist"):
        call(azure)


ANSWERS = {
    "busy": refused(503, "ServerBusy"),
    "forbidden": refused(403, "AuthorizationFailure"),
    "no table": refused(404, "TableNotFound"),
    "no connection": raising(requests.ConnectionError("because")),
    "no answer": raising(requests.ReadTimeout("because")),
    "a proxy's page": lambda _: Answered(200, b"<html>because</html>", {"Content-Type": "text/html"}),
}


@pytest.mark.parametrize("ask", ASK)
@pytest.mark.parametrize("answer", ANSWERS)
def test_whatever_is_asked_an_error_is_transient_and_says_what_it_was_about(fake, azure, ask, answer):
    operation, call = ASK[ask]
    fake.answers[operation] = ANSWERS[answer]

    with pytest.raises(StoreUnavailable, match=r"^Tables, table 'trefoildev(commits|timers)': "):
        call(azure)


def test_an_error_between_two_pages_is_transient_too(fake, azure):
    fill(azure, *range(1, PAGE + 2))
    fake.answers["query"] = in_turn(fake.answers["query"], refused(403, "AuthorizationFailure"))
    reading = azure.store.read("orders/o1")
    for _ in range(PAGE):
        next(reading)

    with pytest.raises(StoreUnavailable):
        next(reading)


@settings(max_examples=15)
@given(st.integers(1, 20), st.integers(1, 7))
def test_a_stream_reads_the_same_whatever_pages_the_service_makes(count, most):
    with fake_azure() as fake:
        azure = function()
        fill(azure, *range(1, count + 1))
        fake.tables.most = most

        assert [commit.version for commit in azure.store.read("orders/o1")] == list(range(count, 0, -1))
