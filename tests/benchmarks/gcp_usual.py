"""The payments service as one usually writes it on Google Cloud: Firestore's and Pub/Sub's clients, pydantic, Flask.

Google's advice for functions that are retried is to remember each message in a document. It is claimed before the
effect and marked after it, by creating it, which takes no read as long as it is new; a claim that is never marked is
taken over in the end. The handler reads its state, writes it and publishes what follows.
"""

import logging
from base64 import b64decode
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from google.api_core.exceptions import AlreadyExists
from google.cloud import firestore, pubsub_v1
from pydantic import AwareDatetime, BaseModel, Field, ValidationError

TYPE = "payments.payment-captured.v1"
LEASE = timedelta(minutes=5)

log = logging.getLogger(__name__)


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

    def __init__(self, project: str, database: str, topic: str) -> None:
        self._firestore = firestore.Client(project=project, database=database)
        self._publisher = pubsub_v1.PublisherClient()
        self._topic = topic

    def handle(self, push: dict[str, Any]) -> tuple[str, int]:
        """A push, as JSON; the answer settles it."""
        try:
            message = Message.model_validate_json(b64decode(push["message"]["data"]))
        except (KeyError, ValidationError):
            log.exception("this is no message, and will be none the next time")
            return "", 204
        remembered = self._firestore.collection("handled").document(f"{message.source} {message.id}".replace("/", "|"))
        if not self._claim(remembered):
            return ("", 204) if (remembered.get().to_dict() or {}).get("done") else ("it is under way", 503)
        self._capture(message)
        remembered.update({"done": True})
        log.info("captured: %s", message.subject)
        return "", 204

    def _claim(self, remembered: Any) -> bool:
        until = datetime.now(UTC) + LEASE
        try:
            remembered.create({"until": until, "done": False})
        except AlreadyExists:
            found = remembered.get()
            fields = found.to_dict() or {}
            if fields.get("done") or fields["until"] > datetime.now(UTC):
                return False
            unchanged = self._firestore.write_option(last_update_time=found.update_time)
            remembered.update({"until": until}, option=unchanged)
        return True

    def _capture(self, message: Message) -> None:
        order = message.subject
        state = self._firestore.collection("payments").document(order)
        if not state.get().exists:
            state.set({"reference": f"ch_{order}"})
        body = self._captured(message).model_dump_json().encode()
        self._publisher.publish(self._topic, body, type=TYPE, subject=order).result()

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
