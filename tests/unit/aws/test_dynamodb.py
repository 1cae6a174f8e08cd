"""The store and the timers over DynamoDB: what is asked, how often, and what its errors become."""

from collections import Counter

import botocore.exceptions
import pytest

from shared.kernel.commit import Commit, encode_commit
from shared.kernel.errors import ConcurrencyConflict, StoreUnavailable, TransientError
from shared.kernel.ports import Outgoing, Timer
from tests.support.aws_fakes import Refusal, in_turn, raising

COMMIT = Commit("orders/o1", 3, 1000.0)


def commits(*versions, last=None):
    """A page of an answer."""
    items = [{"body": {"S": encode_commit(Commit("orders/o1", version, 0.0)).decode()}} for version in versions]
    key = {} if last is None else {"LastEvaluatedKey": {"stream": {"S": "orders/o1"}, "version": {"N": str(last)}}}
    return lambda _: {"Items": items, **key}


def timer(number, due=1000.5, to="orders"):
    return Timer(due, Outgoing(f"m{number}", "orders.payment-timed-out.v1", "o1", b"{}", to))


def shown(each):
    """A timer as the table holds it."""
    message = each.message
    values = {"id": message.id, "type": message.type, "subject": message.subject, "body": message.body.decode()}
    item = {name: {"S": value} for name, value in values.items()} | {"due": {"N": repr(each.due)}}
    return item | ({"to": {"S": message.to}} if message.to else {})


def test_a_commit_is_one_conditional_write(fake, aws):
    aws.store.append(COMMIT)
    aws.store.flush()

    (call,) = fake.calls
    assert call.name == "PutItem"
    assert call.params["TableName"] == "trefoil-dev-commits"
    assert call.params["ConditionExpression"] == "attribute_not_exists(#stream)"
    assert call.params["Item"]["stream"] == {"S": "orders/o1"}
    assert call.params["Item"]["version"] == {"N": "3"}
    assert call.params["Item"]["body"] == {"S": encode_commit(COMMIT).decode()}


def test_a_stream_is_one_consistent_query_newest_first(fake, aws):
    fake.answers["Query"] = commits(3, 2, 1)

    found = [commit.version for commit in aws.store.read("orders/o1")]

    (call,) = fake.calls
    assert found == [3, 2, 1]
    assert call.params["ConsistentRead"] is True
    assert call.params["ScanIndexForward"] is False
    assert call.params["ExpressionAttributeValues"] == {":stream": {"S": "orders/o1"}}


def test_older_commits_are_asked_for_below_a_version(fake, aws):
    list(aws.store.read("orders/o1", before=7))

    (call,) = fake.calls
    assert call.params["KeyConditionExpression"] == "#stream = :stream and #version < :before"
    assert call.params["ExpressionAttributeValues"][":before"] == {"N": "7"}


def test_a_page_is_read_when_the_one_before_is_used_up(fake, aws):
    fake.answers["Query"] = in_turn(commits(4, 3, last=3), commits(2, 1))
    reading = aws.store.read("orders/o1")

    assert [next(reading).version for _ in range(2)] == [4, 3]
    assert len(fake.calls) == 1
    assert [commit.version for commit in reading] == [2, 1]
    assert len(fake.calls) == 2
    assert fake.calls[1].params["ExclusiveStartKey"]["version"] == {"N": "3"}


def test_nothing_is_asked_before_the_first_commit_is_wanted(fake, aws):
    aws.store.read("orders/o1")

    assert fake.calls == []


def test_a_service_s_streams_are_those_under_its_name(fake, aws):
    fake.answers["Scan"] = in_turn(
        lambda _: {"Items": [{"stream": {"S": "orders/a"}}], "LastEvaluatedKey": {"stream": {"S": "x"}}},
        lambda _: {"Items": [{"stream": {"S": "orders/b"}}]},
    )

    found = list(aws.store.streams("orders"))

    values = fake.calls[0].params["ExpressionAttributeValues"]
    assert found == ["orders/a", "orders/b"]
    assert values == {":first": {"N": "1"}, ":service": {"S": "orders/"}}


# -- every error of the SDK


ASK = {
    "append": ("PutItem", lambda aws: aws.store.append(COMMIT)),
    "read": ("Query", lambda aws: list(aws.store.read("orders/o1"))),
    "streams": ("Scan", lambda aws: list(aws.store.streams("orders"))),
    "set": ("PutItem", lambda aws: aws.timers.set([timer(1)])),
    "due": ("Query", lambda aws: aws.timers.due(1.0, 10)),
    "remove": ("DeleteItem", lambda aws: aws.timers.remove([timer(1)])),
    "all": ("Scan", lambda aws: list(aws.timers.all())),
}


def subclasses(kind):
    return {kind}.union(*(subclasses(each) for each in kind.__subclasses__()))


def made(kind):
    """An error of the SDK, without the words that each takes."""
    error = kind.__new__(kind)
    Exception.__init__(error, kind.__name__)
    return error


SDK = sorted(subclasses(botocore.exceptions.BotoCoreError), key=lambda kind: kind.__name__)


def test_the_sdk_s_errors_were_found():
    names = {kind.__name__ for kind in SDK}

    assert {"NoCredentialsError", "ReadTimeoutError", "EndpointConnectionError", "ParamValidationError"} <= names


@pytest.mark.parametrize("kind", SDK, ids=lambda kind: kind.__name__)
def test_an_error_that_the_sdk_raises_is_transient(fake, aws, kind):
    fake.answers["PutItem"] = raising(made(kind))

    with pytest.raises(StoreUnavailable, match=r"^DynamoDB, table 'trefoil-dev-commits': ") as caught:
        aws.store.append(COMMIT)

    assert isinstance(caught.value.__cause__, kind)


CODES = [
    "AccessDeniedException",
    "ExpiredTokenException",
    "InternalServerError",
    "ItemCollectionSizeLimitExceededException",
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ResourceNotFoundException",
    "ServiceUnavailable",
    "ThrottlingException",
    "TransactionConflictException",
    "UnrecognizedClientException",
    "ValidationException",
]


@pytest.mark.parametrize("code", CODES)
def test_an_error_that_dynamodb_answers_is_transient(fake, aws, code):
    fake.answers["PutItem"] = raising(Refusal(code))

    with pytest.raises(StoreUnavailable, match=code):
        aws.store.append(COMMIT)


@pytest.mark.parametrize("ask", ASK)
@pytest.mark.parametrize(
    "error",
    [
        Refusal("InternalServerError", 500),
        botocore.exceptions.NoCredentialsError(),
        botocore.exceptions.ReadTimeoutError(endpoint_url="https://dynamodb"),
    ],
    ids=["answer", "credentials", "timeout"],
)
def test_whatever_is_asked_an_error_is_transient_and_names_the_table(fake, aws, ask, error):
    operation, call = ASK[ask]
    fake.answers[operation] = raising(error)

    with pytest.raises(StoreUnavailable, match=r"^DynamoDB, table 'trefoil-dev-(commits|timers)': "):
        call(aws)


def test_a_version_that_is_taken_is_a_conflict_which_uses_no_try(fake, aws):
    fake.answers["PutItem"] = raising(Refusal("ConditionalCheckFailedException"))

    with pytest.raises(ConcurrencyConflict, match="version 3 of 'orders/o1' is taken"):
        aws.store.append(COMMIT)

    assert not issubclass(StoreUnavailable, ConcurrencyConflict)
    assert issubclass(StoreUnavailable, TransientError)


def test_an_error_between_two_pages_is_transient_too(fake, aws):
    fake.answers["Query"] = in_turn(commits(2, last=2), raising(Refusal("ThrottlingException")))
    reading = aws.store.read("orders/o1")
    next(reading)

    with pytest.raises(StoreUnavailable):
        next(reading)


# -- timers


def test_a_timer_is_one_conditional_write_in_a_shard_that_its_id_names(fake, aws):
    aws.timers.set([timer(number) for number in range(50)])

    items = [call.params["Item"] for call in fake.called("PutItem")]
    shards = Counter(item["shard"]["S"] for item in items)
    assert {call.params["ConditionExpression"] for call in fake.calls} == {"attribute_not_exists(#id)"}
    assert {call.params["TableName"] for call in fake.calls} == {"trefoil-dev-timers"}
    assert items[0]["due"] == {"N": "1000.5"}
    assert set(shards) == {str(shard) for shard in range(8)}


def test_a_timer_is_removed_where_it_was_set(fake, aws):
    aws.timers.set([timer(7)])
    aws.timers.remove([timer(7)])

    item, key = fake.calls[0].params["Item"], fake.calls[1].params["Key"]
    assert key == {"shard": item["shard"], "id": {"S": "m7"}}


def test_a_timer_that_is_set_already_stays_and_the_next_one_is_set(fake, aws):
    fake.answers["PutItem"] = in_turn(raising(Refusal("ConditionalCheckFailedException")), lambda _: {})

    aws.timers.set([timer(1), timer(2)])

    assert len(fake.called("PutItem")) == 2


def test_due_timers_are_the_earliest_of_all_shards(fake, aws):
    each_shard = {str(shard): [timer(f"{shard}-{n}", 10 * n + shard) for n in (1, 2)] for shard in range(8)}

    def answer(params):
        return {"Items": [shown(each) for each in each_shard[params["ExpressionAttributeValues"][":shard"]["S"]]]}

    fake.answers["Query"] = answer

    found = aws.timers.due(99.0, 3)

    assert [each.due for each in found] == [10, 11, 12]
    assert {call.params["IndexName"] for call in fake.calls} == {"by-due"}
    assert all(call.params["ExpressionAttributeValues"][":now"] == {"N": "99.0"} for call in fake.calls)
    assert len(fake.calls) == 8


def test_a_shard_with_more_timers_than_are_asked_for_is_read_no_further(fake, aws):
    fake.answers["Query"] = lambda _: {
        "Items": [shown(timer(number)) for number in range(5)],
        "LastEvaluatedKey": {"shard": {"S": "0"}, "id": {"S": "m4"}, "due": {"N": "1000.5"}},
    }

    aws.timers.due(99.0, 5)

    assert len(fake.calls) == 8


@pytest.mark.parametrize("to", ["orders", None])
def test_a_timer_reads_as_it_was_written(fake, aws, to):
    aws.timers.set([timer(1, 1795262398.123456, to)])
    fake.answers["Scan"] = lambda _: {"Items": [fake.calls[0].params["Item"]]}

    assert list(aws.timers.all()) == [timer(1, 1795262398.123456, to)]
