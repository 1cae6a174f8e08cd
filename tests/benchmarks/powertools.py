"""The same payments on aws-lambda-powertools: batch, pydantic parser, idempotency in memory, logger."""

import logging
import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.idempotency import IdempotencyConfig, idempotent_function
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyItemAlreadyExistsError,
    IdempotencyItemNotFoundError,
)
from aws_lambda_powertools.utilities.idempotency.persistence.base import BasePersistenceLayer
from aws_lambda_powertools.utilities.idempotency.persistence.datarecord import DataRecord
from aws_lambda_powertools.utilities.parser.models import SqsRecordModel
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, Json

from tests.benchmarks.providers import InstantGateway


class Amount(BaseModel):
    model_config = ConfigDict(frozen=True)

    amount: Annotated[int, Field(ge=0, le=2**53 - 1)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


Date = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]


class Capture(BaseModel):
    """CapturePayment."""

    money: Amount
    date: Date


class Captured(BaseModel):
    """PaymentCaptured."""

    money: Amount
    date: Date
    reference: Annotated[str, Field(min_length=1, max_length=200)]


class Envelope(BaseModel):
    """The attributes that this flow uses."""

    specversion: str = "1.0"
    id: str
    source: str
    type: str
    subject: Annotated[str, Field(pattern=r"^[A-Za-z0-9._~-]{1,64}$")]
    time: AwareDatetime
    correlationid: str | None = None
    causationid: str | None = None
    traceparent: str | None = None
    hops: int = 0
    sequence: str | None = None


class CaptureMessage(Envelope):
    data: Capture


class CapturedMessage(Envelope):
    data: Captured


class Record(SqsRecordModel):
    """An SQS record whose body the parser reads."""

    body: Json[CaptureMessage]


class Memory(BasePersistenceLayer):
    """Idempotency records in a dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.records: dict[str, DataRecord] = {}

    def _get_record(self, idempotency_key: str) -> DataRecord:
        try:
            return self.records[idempotency_key]
        except KeyError:
            raise IdempotencyItemNotFoundError from None

    def _put_record(self, data_record: DataRecord) -> None:
        if data_record.idempotency_key in self.records:
            raise IdempotencyItemAlreadyExistsError
        self.records[data_record.idempotency_key] = data_record

    def _update_record(self, data_record: DataRecord) -> None:
        self.records[data_record.idempotency_key] = data_record

    def _delete_record(self, data_record: DataRecord) -> None:
        self.records.pop(data_record.idempotency_key, None)


class Context:
    """What the idempotency utility asks of Lambda's context."""

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return 30_000


def event(bodies: Sequence[bytes]) -> dict[str, Any]:
    """A batch as SQS hands it to a function."""
    return {"Records": [_record(number, body) for number, body in enumerate(bodies)]}


def _record(number: int, body: bytes) -> dict[str, Any]:
    return {
        "messageId": f"059f36b4-87a3-44ab-83d2-{number:012}",
        "receiptHandle": f"AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a{number:012}",
        "body": body.decode(),
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": "1545082649183",
            "SenderId": "AIDAIENQZJOLO23YVJ4VO",
            "ApproximateFirstReceiveTimestamp": "1545082649185",
        },
        "messageAttributes": {},
        "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-2:123456789012:my-queue",
        "awsRegion": "us-east-2",
    }


@cache
def _logger() -> Logger:
    # Loggers of one service share a handler, and with it the stream of the first.
    return Logger(service="payments", level=logging.INFO, stream=Path(os.devnull).open("w"))


class Powertools:
    """A Lambda function as its documentation suggests to write one."""

    def __init__(self, gateway: InstantGateway) -> None:
        self.store = Memory()
        self.published = 0
        self._gateway = gateway
        self._processor = BatchProcessor(EventType.SQS, model=Record)
        self._logger = _logger()
        config = IdempotencyConfig()
        config.register_lambda_context(Context())
        # The key alone is hashed, not the message: the cheapest way that the utility has.
        once = idempotent_function(data_keyword_argument="key", persistence_store=self.store, config=config)
        self._capture_once = once(self._capture)

    def run(self, events: Iterable[dict[str, Any]]) -> None:
        for each in events:
            process_partial_response(each, self._handle, self._processor)

    def _handle(self, record: Record) -> None:
        message = record.body
        self._publish(self._capture_once(key=f"{message.source} {message.id}", message=message))
        self._logger.info(
            "Done",
            handler="capture_payment",
            attempts=1,
            emitted=1,
            type=message.type,
            id=message.id,
            source=message.source,
            subject=message.subject,
            correlationid=message.correlationid,
            causationid=message.causationid,
        )

    def _capture(self, *, key: str, message: CaptureMessage) -> str:
        order, asked = message.subject, message.data
        receipt = self._gateway.capture(f"capture:{order}", order, asked.money)
        emitted = CapturedMessage(
            id=f"payments/{order}:1:0",
            source="/payments",
            type="payments.payment-captured.v1",
            subject=order,
            time=datetime.now(UTC),
            correlationid=message.correlationid or message.id,
            causationid=message.id,
            traceparent=message.traceparent,
            hops=message.hops + 1,
            sequence="0000000001.0000",
            data=Captured(money=asked.money, date=asked.date, reference=receipt.reference),
        )
        return emitted.model_dump_json(exclude_none=True)

    def _publish(self, body: str) -> None:
        self.published += 1
