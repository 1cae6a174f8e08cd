"""AWS, as the fault tests know it."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from functions.aws import handler
from functions.aws.handler import Function
from infra.aws.clients import Clients, with_boto3
from infra.aws.wiring import Aws
from shared.kernel.catalog import Catalog
from shared.kernel.topology_limits import SETTLE_SECONDS
from tests.support.aws import at, names_for, provision
from tests.support.aws_pump import Context, Mappings
from tests.support.aws_weather import AwsWeather
from tests.support.cloud import Cloud, Staged

WITNESS = "witness"


class AwsDeployment(Staged, Aws):
    """See Deployment."""

    function = Function

    def __init__(self, place: Path, catalog: Catalog, providers: Mapping[str, Any]) -> None:
        super().__init__(names_for(place), Clients(with_boto3))
        self.catalog = catalog
        self.providers = providers

    def line(self) -> Mappings:
        """See Deployment."""
        return Mappings(self)

    def provision(self, _: int) -> None:
        """See Deployment. The witness is a queue that is subscribed to everything."""
        provision(self, self.catalog)
        name = self.names.queue(WITNESS)
        self.clients.sqs.create_queue(QueueName=name)
        raw = {"RawMessageDelivery": "true"}
        arn = self.queues.arn(name)
        self.clients.sns.subscribe(TopicArn=self.topic(), Protocol="sqs", Endpoint=arn, Attributes=raw)

    def witnessed(self) -> Iterator[bytes]:
        """See Deployment."""
        url = self.queues.url(self.names.queue(WITNESS))
        receive = partial(self.clients.sqs.receive_message, QueueUrl=url, MaxNumberOfMessages=10)
        while found := receive(VisibilityTimeout=600).get("Messages"):
            yield from (message["Body"].encode() for message in found)

    def ring(self) -> None:
        """See Deployment."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(handler, "_aws", lambda: self)
            handler.tick({}, Context(SETTLE_SECONDS + 5))

    def put(self, service: str, *bodies: bytes) -> None:
        """See Deployment."""
        to = {"to": {"DataType": "String", "StringValue": service}}
        url = self.queues.url(self.names.queue(service))
        for body in bodies:
            self.clients.sqs.send_message(QueueUrl=url, MessageBody=body.decode(), MessageAttributes=to)

    def move_back(self, service: str, subject: str) -> None:
        """See Deployment. As StartMessageMoveTask does it, which no emulator has."""
        sqs = self.clients.sqs
        dead, queue = self.queues.url(self.names.dead(service)), self.queues.url(self.names.queue(service))
        found = sqs.receive_message(QueueUrl=dead, MaxNumberOfMessages=10, MessageAttributeNames=["All"])["Messages"]
        for message in found:
            if f'"subject": "{subject}"' in message["Body"]:
                attributes = message["MessageAttributes"]
                sqs.send_message(QueueUrl=queue, MessageBody=message["Body"], MessageAttributes=attributes)
                sqs.delete_message(QueueUrl=dead, ReceiptHandle=message["ReceiptHandle"])
            else:
                handle = message["ReceiptHandle"]
                sqs.change_message_visibility(QueueUrl=dead, ReceiptHandle=handle, VisibilityTimeout=0)

    def limit_deliveries(self, service: str, count: int) -> None:
        """See Deployment."""
        redrive = {"deadLetterTargetArn": self.queues.arn(self.names.dead(service)), "maxReceiveCount": count}
        url = self.queues.url(self.names.queue(service))
        self.clients.sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": json.dumps(redrive)})


@contextmanager
def command_line(place: Path) -> Iterator[None]:
    """See Cloud."""
    names = names_for(place)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TREFOIL_NAME", names.name)
        patch.setenv("TREFOIL_STAGE", names.stage)
        yield


CLOUD = Cloud("aws", ("ministack",), at, AwsDeployment, command_line, AwsWeather)
