"""A mailer that keeps what it is given: one file a mail, for a laptop and for tests that count."""

import os
from contextlib import suppress
from itertools import count
from pathlib import Path
from uuid import uuid4

from infra.providers.mail import checked_sender, escaped, render
from shared.kernel.errors import ProviderUnavailable
from shared.notifications.model import Mail


class FolderMailer:
    """Writes `{key}.eml`, and `{key}.2.eml` when the same key is sent again, so that a duplicate can be seen.

    A file gets its name when it is whole, so a crash leaves nothing but a hidden `.tmp`. A power cut may lose mails,
    because none is flushed to the disk (no fsync).
    """

    def __init__(self, path: Path, sender: str = "shop@example.com") -> None:
        self._path = path
        self._sender = checked_sender(sender)

    def send(self, key: str, mail: Mail) -> None:
        """See Mailer."""
        content = render(key, mail, self._sender)
        try:
            self._path.mkdir(parents=True, exist_ok=True)
            self._write(escaped(key), content)
        except OSError as error:
            text = f"mail '{key}' can't be written to the folder '{self._path}': {error.strerror or error}"
            raise ProviderUnavailable(text) from error

    def _write(self, name: str, content: bytes) -> None:
        draft = self._path / f".{uuid4().hex}.tmp"
        try:
            with draft.open("xb") as file:
                file.write(content)
            self._publish(draft, name)
        finally:
            with suppress(OSError):
                draft.unlink()

    def _publish(self, draft: Path, name: str) -> None:
        """Give the file the first free name; a link, unlike a rename, never replaces what is there."""
        for number in count(1):
            suffix = ".eml" if number == 1 else f".{number}.eml"
            with suppress(FileExistsError):
                os.link(draft, self._path / (name + suffix))
                return
