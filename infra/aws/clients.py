"""AWS clients: made when first asked for, once, with the same time limits and retries."""

from collections.abc import Callable
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.exceptions import NoRegionError

from shared.kernel.errors import ConfigurationError

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_lambda import LambdaClient
    from types_boto3_sns import SNSClient
    from types_boto3_sqs import SQSClient
    from types_boto3_sts import STSClient

CONNECTIONS = 16
"""How many groups of a batch are handled at once, and so how many connections a client keeps."""

CONNECT_SECONDS = 2
READ_SECONDS = 10
"""Above the longest poll of a queue, far below a function's time."""
CALLS = 4
"""A call and its repeats, with the SDK's own backoff; after that the channel's redelivery is the retry."""

Make = Callable[..., Any]
"""Makes a client by its service's name: `boto3.Session().client`, or the botocore function under it."""


def with_boto3() -> Make:
    """For people's machines: profiles, single sign-on, everything boto3 can do."""
    import boto3  # noqa: PLC0415 - a function does without

    client: Make = boto3.Session().client
    return client


def with_botocore() -> Make:
    """For functions: the clients are the same, without the S3 transfers that `import boto3` brings along."""
    import botocore.session  # noqa: PLC0415 - see with_boto3

    create: Make = botocore.session.get_session().create_client
    return create


class Clients:
    """One client a service."""

    def __init__(self, make: Callable[[], Make], region: str | None = None) -> None:
        self._make = cache(make)  # one session for all clients: each would read the same files again
        self._region = region  # None leaves it to AWS_DEFAULT_REGION and profiles: botocore reads no AWS_REGION
        self._made: dict[str, Any] = {}
        self._lock = Lock()

    @property
    def dynamodb(self) -> "DynamoDBClient":
        """DynamoDB."""
        return self._client("dynamodb")  # type: ignore[no-any-return]

    @property
    def functions(self) -> "LambdaClient":
        """Lambda."""
        return self._client("lambda")  # type: ignore[no-any-return]

    @property
    def sns(self) -> "SNSClient":
        """SNS."""
        return self._client("sns")  # type: ignore[no-any-return]

    @property
    def sqs(self) -> "SQSClient":
        """SQS."""
        return self._client("sqs")  # type: ignore[no-any-return]

    @property
    def sts(self) -> "STSClient":
        """STS."""
        return self._client("sts")  # type: ignore[no-any-return]

    def _client(self, service: str) -> Any:
        if service not in self._made:
            with self._lock:  # a session must not make two clients at once
                if service not in self._made:
                    self._made[service] = self._new(service)
        return self._made[service]

    def _new(self, service: str) -> Any:
        config = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": CALLS},
            max_pool_connections=CONNECTIONS,
            tcp_keepalive=True,
        )
        try:
            return self._make()(service, region_name=self._region, config=config)
        except NoRegionError as error:
            raise ConfigurationError("AWS_REGION is not set; set it to the deployment's, such as eu-west-1") from error
