"""The payments service as one usually writes it on Azure: Tables' and Service Bus's clients, pydantic, a batch trigger.

Service Bus delivers at least once, and its duplicate detection is about what is sent twice. So each message is
remembered in an entity, claimed before the effect and marked after it, by inserting it, which takes no read as long as
it is new; a claim that is never marked is taken over in the end. The handler reads its state, writes it and sends what
follows.
"""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from azure.core import MatchConditions
from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.functions import ServiceBusMessage as Received
from azure.servicebus import ServiceBusMessage
from pydantic import AwareDatetime, BaseModel, Field, ValidationError

TYPE = "payments.payment-captured.v1"
LEASE = timedelta(minutes=5)

log = logging.getLogger(__name__)


class UnderWay(Exception):
    """Another instance has the message; the host abandons the batch, and it comes again."""


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


class Payments:
    """One function: its clients, made once."""

    def __init__(self, states: Any, handled: Any, sender: Any) -> None:
        self._states = states
        self.remembered = handled
        self._sender = sender

    def handle(self, messages: Sequence[Received]) -> None:
        """A batch; the host completes it when this returns, and abandons it when this raises."""
        for each in messages:
            try:
                message = Message.model_validate_json(each.get_body())
            except ValidationError:
                log.exception("this is no message, and will be none the next time")
                continue
            self._handle(message)

    def _handle(self, message: Message) -> None:
        key = {"PartitionKey": message.source.replace("/", "|"), "RowKey": message.id.replace("/", "|")}
        if not self.claim(key):
            return
        self._capture(message)
        self.remembered.update_entity({**key, "done": True})
        log.info("captured: %s", message.subject)

    def claim(self, key: dict[str, str]) -> bool:
        """Whether the message is to be handled here; raises UnderWay while somebody else has it."""
        until = datetime.now(UTC) + LEASE
        try:
            self.remembered.create_entity({**key, "until": until, "done": False})
        except ResourceExistsError:
            found = self.remembered.get_entity(key["PartitionKey"], key["RowKey"])
            if found["done"]:
                return False
            if found["until"] > datetime.now(UTC):
                raise UnderWay(key["RowKey"]) from None
            unchanged = {"etag": found.metadata["etag"], "match_condition": MatchConditions.IfNotModified}
            self.remembered.update_entity({**key, "until": until}, **unchanged)
        return True

    def _capture(self, message: Message) -> None:
        order = message.subject
        try:
            self._states.get_entity(order, "state")
        except ResourceNotFoundError:
            self._states.create_entity({"PartitionKey": order, "RowKey": "state", "reference": f"ch_{order}"})
        captured = self._captured(message)
        self._sender.send_messages(
            ServiceBusMessage(
                captured.model_dump_json(),
                message_id=captured.id,
                content_type="application/cloudevents+json",
                application_properties={"type": TYPE, "subject": order},
            )
        )

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
