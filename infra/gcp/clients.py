"""Google Cloud clients: made when first asked for, once, with the same time limits and retries.

Never at import: gunicorn forks its workers after that, and a gRPC channel does not survive a fork. Their modules do.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any

import google.auth
import grpc
from google.api_core.exceptions import (
    Aborted,
    DeadlineExceeded,
    GoogleAPIError,
    InternalServerError,
    ResourceExhausted,
    ServiceUnavailable,
)
from google.api_core.retry import Retry, if_exception_type
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError

from shared.kernel.errors import ConfigurationError

if TYPE_CHECKING:
    from google.cloud.firestore import Client as Firestore
    from google.pubsub_v1 import PublisherClient, SubscriberClient

FAULTS = (GoogleAPIError, GoogleAuthError)
"""Whatever Google's clients raise when a call failed."""

CONNECTIONS = 16
"""How many calls of one message's handling are under way at once."""

CALL_SECONDS = 5
"""One attempt at a call."""
PATIENCE = Retry(
    predicate=if_exception_type(Aborted, DeadlineExceeded, InternalServerError, ResourceExhausted, ServiceUnavailable),
    initial=0.1,
    maximum=2.0,
    multiplier=2.0,
    timeout=10.0,
)
"""Repeats of a call, which all end within what a function has for settling; then the redelivery is the retry."""


class Clients:
    """One client a service."""

    def __init__(self, project: str | None, database: str, pubsub_emulator: str | None = None) -> None:
        self._given = project  # None leaves it to the credentials: those of a service account know theirs
        self._database = database
        self._pubsub_emulator = pubsub_emulator  # host:port; the Firestore client looks for its own
        self._made: dict[str, Any] = {}
        self._lock = Lock()

    @property
    def project(self) -> str:
        """The project's id; raises ConfigurationError when nothing says which."""
        return self._once("project", lambda: self._given or _default_project())  # type: ignore[no-any-return]

    @property
    def firestore(self) -> "Firestore":
        """Firestore's documents and queries."""
        return self._once("firestore", self._new_firestore)  # type: ignore[no-any-return]

    @property
    def publisher(self) -> "PublisherClient":
        """Pub/Sub's topics: one call publishes a batch, and returns when all of it is confirmed."""
        return self._once("publisher", lambda: self._new_pubsub("PublisherClient"))  # type: ignore[no-any-return]

    @property
    def subscriber(self) -> "SubscriberClient":
        """Pub/Sub's subscriptions."""
        return self._once("subscriber", lambda: self._new_pubsub("SubscriberClient"))  # type: ignore[no-any-return]

    def _once(self, name: str, make: Callable[[], Any]) -> Any:
        if name not in self._made:
            with self._lock:  # an instance serves many requests at once
                if name not in self._made:
                    self._made[name] = make()
        return self._made[name]

    def _new_firestore(self) -> Any:
        from google.cloud.firestore import Client  # noqa: PLC0415 - not every command takes it

        with _credentials_wanted():
            client = Client(project=self._given or _default_project(), database=self._database)
            _ = client._firestore_api  # noqa: SLF001 - it makes its channel late, and one each for threads that ask at once
            return client

    def _new_pubsub(self, kind: str) -> Any:
        from google import pubsub_v1  # noqa: PLC0415 - not every command takes it

        client = getattr(pubsub_v1, kind)
        if self._pubsub_emulator is None:
            with _credentials_wanted():
                return client()
        channel = grpc.insecure_channel(self._pubsub_emulator)
        return client(transport=client.get_transport_class("grpc")(channel=channel))


@contextmanager
def _credentials_wanted() -> Iterator[None]:
    try:
        yield
    except DefaultCredentialsError as error:
        raise ConfigurationError(
            "there are no Google Cloud credentials: run `gcloud auth application-default login`, or set"
            " GOOGLE_APPLICATION_CREDENTIALS to a key's file"
        ) from error


def _default_project() -> str:
    with _credentials_wanted():
        _, project = google.auth.default()
    if not project:
        raise ConfigurationError("GOOGLE_CLOUD_PROJECT is not set; set it to the id of the deployment's project")
    return str(project)
