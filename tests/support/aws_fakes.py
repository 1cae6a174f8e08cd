"""AWS without a network: botocore's real clients, whose calls are checked and recorded, and end before they are sent.

What is validated, paginated and raised is botocore's own work; only the answers are a test's.
"""

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import botocore.session
from botocore.awsrequest import AWSResponse
from msgspec import Struct

from infra.aws.clients import Clients
from infra.aws.names import Names
from infra.aws.wiring import Aws
from shared.kernel.commit import decode_commit

REGION = "eu-west-1"
TOPIC = f"arn:aws:sns:{REGION}:123456789012:trefoil-dev-bus"

Params = Mapping[str, Any]
Answer = Callable[[Params], Mapping[str, Any]]


class Refusal(Exception):
    """AWS answers with an error."""

    def __init__(self, code: str, status: int = 400, text: str = "because") -> None:
        super().__init__(code)
        self.status = status
        self.parsed = {"Error": {"Code": code, "Message": text}, "ResponseMetadata": {}}


class Call(Struct, frozen=True):
    """What was asked."""

    name: str
    params: Params

    @property
    def entries(self) -> list[dict[str, Any]]:
        """The entries of a batch, of whichever service."""
        return self.params.get("Entries") or self.params["PublishBatchRequestEntries"]

    @property
    def queue(self) -> str:
        """The name of the queue that was meant."""
        return self.params["QueueUrl"].rpartition("/")[2]


@cache
def _session() -> Any:
    session = botocore.session.Session()
    session.set_credentials("test", "test")
    return session


def confirmed(params: Params) -> dict[str, Any]:
    """Every entry was taken."""
    entries = params.get("Entries") or params["PublishBatchRequestEntries"]
    return {"Successful": [{"Id": entry["Id"]} for entry in entries], "Failed": []}


def failing(*ids: str, sender_fault: bool = False, code: str = "InternalError") -> Answer:
    """These entries were not taken, the others were."""

    def answer(params: Params) -> dict[str, Any]:
        taken = confirmed(params)["Successful"]
        failed = [{**each, "Code": code, "SenderFault": sender_fault} for each in taken if each["Id"] in ids]
        return {"Successful": [each for each in taken if each["Id"] not in ids], "Failed": failed}

    return answer


def raising(error: Exception) -> Answer:
    """The call fails as a whole."""

    def answer(_: Params) -> dict[str, Any]:
        raise error

    return answer


def in_turn(*answers: Answer) -> Answer:
    """One answer after the other; the last one stays."""
    left = list(answers)

    def answer(params: Params) -> Mapping[str, Any]:
        now = left.pop(0) if len(left) > 1 else left[0]
        return now(params)

    return answer


USUAL: Mapping[str, Answer] = {
    "GetQueueUrl": lambda params: {
        "QueueUrl": f"https://sqs.{REGION}.amazonaws.com/123456789012/{params['QueueName']}"
    },
    "SendMessageBatch": confirmed,
    "PublishBatch": confirmed,
    "DeleteMessageBatch": confirmed,
    "ChangeMessageVisibilityBatch": confirmed,
    "DeleteMessage": lambda _: {},
    "ReceiveMessage": lambda _: {},
    "GetQueueAttributes": lambda params: {"Attributes": dict.fromkeys(params["AttributeNames"], "1")},
    "PutItem": lambda _: {},
    "DeleteItem": lambda _: {},
    "Query": lambda _: {"Items": []},
    "GetCallerIdentity": lambda _: {"Account": "123456789012"},
}


class FakeAws:
    """Answers what clients ask, and remembers it. Give it to `Clients` as what makes them."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.answers: dict[str, Answer] = dict(USUAL)
        self.made: Counter[str] = Counter()
        self._lock = threading.Lock()

    def __call__(self) -> Callable[..., Any]:
        return self._make

    def _make(self, service: str, **options: Any) -> Any:
        with self._lock:
            self.made[service] += 1
            client = _session().create_client(
                service, **{**options, "region_name": options.get("region_name") or REGION}
            )
        client.meta.events.register("before-parameter-build.*.*", self._note)
        client.meta.events.register("before-call.*.*", self._answer)
        return client

    def _note(self, params: Params, model: Any, context: dict[str, Any], **_: Any) -> None:
        context["call"] = Call(model.name, dict(params))

    def _answer(self, context: dict[str, Any], **_: Any) -> tuple[AWSResponse, Mapping[str, Any]]:
        call = context["call"]
        with self._lock:
            self.calls.append(call)
            answer = self.answers[call.name]
        try:
            return AWSResponse(None, 200, {}, None), answer(call.params)
        except Refusal as refusal:
            return AWSResponse(None, refusal.status, {}, None), refusal.parsed

    def called(self, name: str) -> list[Call]:
        """The calls of one kind, in order."""
        return [call for call in self.calls if call.name == name]

    def names(self) -> list[str]:
        """What was called, in order, without the look-up of addresses."""
        return [call.name for call in self.calls if call.name != "GetQueueUrl"]


def deployment(fake: FakeAws) -> Aws:
    """A deployment over it."""
    return Aws(Names(), Clients(fake), TOPIC)


class Invocation:
    """The context of one invocation, which has so many seconds left."""

    aws_request_id = "request-1"
    function_name = "trefoil-dev-orders"
    memory_limit_in_mb = "512"
    invoked_function_arn = f"arn:aws:lambda:{REGION}:123456789012:function:trefoil-dev-orders:live"

    def __init__(self, seconds: float = 60) -> None:
        self._seconds = seconds

    def get_remaining_time_in_millis(self) -> int:
        return int(self._seconds * 1000)


def handled(fake: FakeAws) -> list[str]:
    """The ids of the messages that commits answer, in order."""
    items = [call.params["Item"] for call in fake.called("PutItem") if call.params["TableName"].endswith("-commits")]
    commits = [decode_commit(item["body"]["S"].encode()) for item in items]
    return sorted(each.id for commit in commits for each in commit.handled)


def texts(entry: Mapping[str, Any]) -> dict[str, str]:
    """The attributes of an entry that are text."""
    return {name: value["StringValue"] for name, value in entry["MessageAttributes"].items() if "StringValue" in value}
