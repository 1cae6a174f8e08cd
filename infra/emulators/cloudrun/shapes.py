"""The requests that Google sends for one message, in each of its three ways.

- `wrapped`: the push as Pub/Sub makes it, JSON with `message`, `subscription` and `deliveryAttempt` ("Push
  subscriptions").
- `unwrapped`: the data is the body; every attribute is a header under its own name, and the rest of the message is in
  `x-goog-pubsub-…` headers; there is none for the attempt ("Payload unwrapping", with metadata written).
- `eventarc`: a CloudEvent in binary mode, whose data is the wrapped push ("CloudEvents format - HTTP protocol
  binding"). Google's schema of that data (MessagePublishedData) has no attempt, so none is sent.
"""

import json
import re
from base64 import b64decode
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from infra.emulators.cloudrun.rest import Request
from infra.emulators.cloudrun.settings import Shape

_AGENT = {"User-Agent": "APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)"}
_JSON = {"Content-Type": "application/json"}
_METADATA = "x-goog-pubsub-"
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HTTPS_OWN = frozenset(("connection", "content-length", "host", "transfer-encoding"))


class Push(Struct, frozen=True):
    """A push as the emulator makes it."""

    subscription: str
    message: dict[str, Any]

    @property
    def id(self) -> str:
        """Pub/Sub's own id of the message."""
        return str(self.message["messageId"])

    @property
    def attributes(self) -> Mapping[str, str]:
        """What filters look at."""
        found: Mapping[str, str] = self.message.get("attributes") or {}
        return found


def push(body: bytes) -> Push:
    """Read a push; raises msgspec.DecodeError for what is none."""
    return msgspec.json.decode(body, type=Push)


def shaped(shape: Shape, push: Push, attempt: int, topic: str) -> Request:
    """The request to a function, for a push that is made for this time."""
    match shape:
        case "wrapped":
            return _wrapped(push, attempt)
        case "unwrapped":
            return _unwrapped(push)
        case "eventarc":
            return _eventarc(push, topic)


def _wrapped(push: Push, attempt: int) -> Request:
    body = {"message": push.message, "subscription": push.subscription, "deliveryAttempt": attempt}
    return Request("/", {**_AGENT, **_JSON}, json.dumps(body).encode())


def _unwrapped(push: Push) -> Request:
    own = {
        # http.client takes text in Latin-1 only; Google writes UTF-8.
        name: value.encode()
        for name, value in push.attributes.items()
        if _HEADER.fullmatch(name) and name.lower() not in _HTTPS_OWN and not re.search(r"[\r\n]", value)
    }
    metadata = {
        f"{_METADATA}subscription-name": push.subscription,
        f"{_METADATA}message-id": push.id,
        f"{_METADATA}publish-time": str(push.message.get("publishTime", "")),
        f"{_METADATA}ordering-key": str(push.message.get("orderingKey", "")),
    }
    told = {name: value for name, value in metadata.items() if value}
    return Request("/", {**_AGENT, **own, **told}, b64decode(push.message.get("data", "")))


def _eventarc(push: Push, topic: str) -> Request:
    headers = {
        "ce-id": push.id,
        "ce-source": f"//pubsub.googleapis.com/{topic}",
        "ce-specversion": "1.0",
        "ce-type": "google.cloud.pubsub.topic.v1.messagePublished",
        "ce-time": str(push.message.get("publishTime", "")),
    }
    body = {"message": push.message, "subscription": push.subscription}
    mode = f"/?__GCP_CloudEventsMode=CUSTOM_PUBSUB_{topic.replace('/', '%2F')}"
    return Request(mode, {**_AGENT, **_JSON, **headers}, json.dumps(body).encode())
