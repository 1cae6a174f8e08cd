"""The one write per handled message: idempotency record, outbox and state at once (docs/design.md, section 4)."""

from collections.abc import Sequence

import msgspec
from msgspec import Struct

COMMIT_LIMIT = 384 * 1024
"""Bytes. DynamoDB takes items of 400 KB, keys and names included; Firestore and Tables take 1 MiB."""

# Structs here are kept out of the garbage collector (`gc=False`): they hold no cycles, and a batch makes thousands.

Key = tuple[str, str]
"""(source, id): what makes a message unique (CloudEvents 1.0.2, section 3.1)."""


class Handled(Struct, frozen=True, array_like=True, gc=False):
    """A message that a commit answers, or claims."""

    source: str
    id: str
    digest: str
    time: float
    """The message's own `time`, seconds since 1970."""
    type: str

    @property
    def key(self) -> Key:
        """What to look it up by."""
        return (self.source, self.id)


class Emitted(Struct, frozen=True, array_like=True, gc=False):
    """A message that a commit emits."""

    cause: int
    """Which of the commit's `handled` it answers."""
    body: msgspec.Raw
    """The whole envelope, as it is published."""
    due: float | None = None
    """A timer: when it is to be published, to the emitting service alone."""
    private: bool = False
    """Stored, never published."""


class Remembered(Struct, frozen=True, array_like=True, gc=False):
    """What a snapshot knows of a message that was handled or claimed."""

    source: str
    id: str
    digest: str
    time: float
    version: int
    claimed: float | None = None
    """When the claim was made; None once the message is handled."""

    @property
    def key(self) -> Key:
        """What to look it up by."""
        return (self.source, self.id)


class Snapshot(Struct, frozen=True, gc=False):
    """State and memory after a commit, so that nobody has to read further back."""

    state: msgspec.Raw
    memory: Sequence[Remembered]
    forgotten_until: float
    """The greatest `time` among what the memory dropped: a later message that is not in it was never handled."""


class Commit(Struct, frozen=True, omit_defaults=True, gc=False):
    """One version of one stream."""

    stream: str
    version: int
    time: float
    handled: Sequence[Handled] = ()
    messages: Sequence[Emitted] = ()
    claims: Sequence[Handled] = ()
    released: Sequence[Key] = ()
    """Claims whose effect did not happen, for certain."""
    snapshot: Snapshot | None = None

    def caused_by(self, key: Key) -> list[Emitted]:
        """What one handled message gave rise to."""
        causes = {index for index, handled in enumerate(self.handled) if handled.key == key}
        return [message for message in self.messages if message.cause in causes]


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Commit)


def encode_commit(commit: Commit) -> bytes:
    """JSON, which a person can read with the store's own tools."""
    return _encoder.encode(commit)


def decode_commit(body: bytes) -> Commit:
    """The inverse of `encode_commit`."""
    return _decoder.decode(body)
