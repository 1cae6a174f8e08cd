"""A mailer over SMTP (RFC 5321) that knows whether a mail has left: one connection, one transaction, one mail.

The mail is the server's from its reply to the final dot on. Until the dot is sent, every failure means that nothing has
left; between the dot and the reply, none can be told apart.
"""

import re
import smtplib
import ssl
from contextlib import closing, suppress

from infra.providers.mail import checked_sender, render
from shared.kernel.errors import ConfigurationError, OutcomeUnknown, ProviderUnavailable, RuleViolation
from shared.notifications.model import Mail

_ABOUT_THE_LOGIN = range(530, 540)
"""Permanent replies that are not about this mail (RFC 4954, section 6)."""


class SmtpMailer:
    """Submits mails to one server; thread-safe.

    `timeout` is in seconds, for connecting and for each reply. With `starttls` the server's certificate is verified.
    """

    def __init__(  # noqa: PLR0913 - a server, an identity and how to log in
        self,
        host: str,
        port: int,
        sender: str,
        *,
        timeout: float = 10.0,
        starttls: bool = False,
        username: str = "",
        password: str = "",
    ) -> None:
        if bool(username) != bool(password):
            raise ConfigurationError("only one of username and password is set; set both or neither")
        if username and not starttls:
            raise ConfigurationError("username is set, but starttls is not; set it, or the password travels in clear")
        self._host, self._port, self._timeout = host, port, timeout
        self._sender = checked_sender(sender)
        self._tls = ssl.create_default_context() if starttls else None
        self._username, self._password = username, password

    def send(self, key: str, mail: Mail) -> None:
        """See Mailer."""
        content = render(key, mail, self._sender)
        try:
            with closing(smtplib.SMTP(self._host, self._port, timeout=self._timeout)) as session:
                self._introduce(session)
                self._address(session, mail.to)
                _transfer(session, content)
        except OSError as error:  # every smtplib.SMTPException is one
            text = f"mail server {self._host}:{self._port} did not take mail '{key}': {_told(error)}"
            raise ProviderUnavailable(text) from error

    def _introduce(self, session: smtplib.SMTP) -> None:
        session.ehlo_or_helo_if_needed()
        if self._tls is not None:
            session.starttls(context=self._tls)
        if self._username:
            session.login(self._username, self._password)
        session.ehlo_or_helo_if_needed()  # STARTTLS made it forget what the server can do

    def _address(self, session: smtplib.SMTP, to: str) -> None:
        if not to.isascii() and not session.has_extn("smtputf8"):
            raise RuleViolation("the mail server knows only ASCII addresses, and the recipient's isn't one")
        _require(2, "the sender", session.mail(self._sender, () if to.isascii() else ("SMTPUTF8",)))
        _require(2, "the recipient", session.rcpt(to))


def _transfer(session: smtplib.SMTP, content: bytes) -> None:
    # Not SMTP.data(): it raises the same error before the content is sent and after.
    _require(3, "DATA", session.docmd("DATA"))
    try:
        session.send(re.sub(rb"(?m)^\.", b"..", content) + b".\r\n")
        reply = session.getreply()
    except OSError as error:
        text = f"the mail was sent, and the mail server's answer was lost: {_told(error)}"
        raise OutcomeUnknown(text) from error
    _require(2, "the content", reply, otherwise=OutcomeUnknown)
    with suppress(OSError):  # the mail has left; how the goodbye goes can't change that
        session.quit()


def _require(
    kind: int,
    what: str,
    reply: tuple[int, bytes],
    otherwise: type[ProviderUnavailable | OutcomeUnknown] = ProviderUnavailable,
) -> None:
    """Sort a reply by its first digit (RFC 5321, section 4.2.1); `otherwise` is for one that makes no sense."""
    code, said = reply
    if code // 100 == kind:
        return
    text = f"the mail server answered {what} with {code} {said.decode(errors='replace')}"
    if code // 100 == 4 or code in _ABOUT_THE_LOGIN:  # noqa: PLR2004
        raise ProviderUnavailable(text)
    if code // 100 == 5:  # noqa: PLR2004
        raise RuleViolation(text)
    raise otherwise(text)


def _told(error: OSError) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        said = error.smtp_error
        return f"{error.smtp_code} {said.decode(errors='replace') if isinstance(said, bytes) else said}"
    return str(error)
