"""The payments service as aws-lambda-powertools' documentation suggests to write it, on DynamoDB and SNS.

It stands alone, because its start is measured in a zip of its own: batch processor, pydantic parser, idempotency in a
DynamoDB table, logger, metrics. The handler reads its state, writes it and publishes what follows.
"""

from datetime import UTC, datetime
from typing import Annotated, Any

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from aws_lambda_powertools.utilities.parser.models import SqsRecordModel
from pydantic import AwareDatetime, BaseModel, Field, Json

TYPE = "payments.payment-captured.v1"


class Money(BaseModel):
    amount: Annotated[int, Field(ge=0, le=2**53 - 1)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


class Capture(BaseModel):
    money: Money
    date: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]


class Message(BaseModel):
    """A CloudEvent."""

    id: str
    source: str
    type: str
    subject: Annotated[str, Field(pattern=r"^[A-Za-z0-9._~-]{1,64}$")]
    time: AwareDatetime
    correlationid: str | None = None
    data: Capture


class Record(SqsRecordModel):
    """An SQS record whose body the parser reads."""

    body: Json[Message]


class Payments:
    """One function: its clients and its utilities, made once."""

    def __init__(self, states: str, ids: str, topic: str) -> None:
        self.dynamodb, self.sns = boto3.client("dynamodb"), boto3.client("sns")
        self._states, self._topic = states, topic
        self._logger = Logger(service="payments")
        self._metrics = Metrics(namespace="Benchmark", service="payments")
        self._processor = BatchProcessor(EventType.SQS, model=Record)
        store = DynamoDBPersistenceLayer(table_name=ids, boto3_client=self.dynamodb)
        self._config = IdempotencyConfig()
        once = idempotent_function(data_keyword_argument="key", persistence_store=store, config=self._config)
        self._capture_once = once(self._capture)

    def handle(self, event: dict[str, Any], context: Any) -> Any:
        """A batch from SQS."""
        self._config.register_lambda_context(context)
        answer = process_partial_response(event, self._handle, self._processor, context)
        self._metrics.add_metric("Done", MetricUnit.Count, len(event["Records"]))
        self._metrics.flush_metrics()
        return answer

    def _handle(self, record: Record) -> None:
        message = record.body
        self._capture_once(key=f"{message.source} {message.id}", message=message)
        self._logger.info("Done", type=message.type, id=message.id, subject=message.subject)

    def _capture(self, *, key: str, message: Message) -> str:
        order = message.subject
        found = self.dynamodb.get_item(TableName=self._states, Key={"order": {"S": order}}, ConsistentRead=True)
        if "Item" not in found:
            state = {"order": {"S": order}, "reference": {"S": f"ch_{order}"}}
            self.dynamodb.put_item(TableName=self._states, Item=state)
        body = self._captured(message).model_dump_json()
        attributes = {"type": {"DataType": "String", "StringValue": TYPE}}
        self.sns.publish(TopicArn=self._topic, Message=body, MessageAttributes=attributes)
        return f"ch_{order}"

    def _captured(self, message: Message) -> Message:
        return Message(
            id=f"payments/{message.subject}:1:0",
            source="/payments",
            type=TYPE,
            subject=message.subject,
            time=datetime.now(UTC),
            correlationid=message.correlationid or message.id,
            data=message.data,
        )
