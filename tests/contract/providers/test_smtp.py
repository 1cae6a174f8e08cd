"""Where an SMTP conversation ends decides whether the mail has left, has not, or may have."""

import re
import shutil
import socket
import ssl
import subprocess

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from infra.providers.resilience import Resilience, ResilientMailer
from infra.providers.smtp import SmtpMailer
from shared.kernel.errors import ConfigurationError, OutcomeUnknown, ProviderUnavailable, RuleViolation
from shared.notifications.model import Mail

MAIL = Mail("ada@example.com", "Your order 7", "Thank you!")

NOT_ACCEPTED = [
    ("greeting", "421 too busy"),
    ("greeting", "554 no service here"),
    ("greeting", "DROP"),
    ("greeting", "HANG"),
    ("EHLO", "421 closing"),
    ("EHLO", "DROP"),
    ("MAIL", "451 try later"),
    ("MAIL", "530 log in first"),
    ("MAIL", "DROP"),
    ("MAIL", "HANG"),
    ("RCPT", "451 greylisted"),
    ("RCPT", "421 closing"),
    ("RCPT", "DROP"),
    ("DATA", "451 no space"),
    ("DATA", "nonsense"),
    ("DATA", "250 misplaced"),
    ("DATA", "DROP"),
    ("DATA", "HANG"),
    ("DATA", f"354 {'x' * 9000}"),
    ("content", "451 scanner is down"),
    ("content", "421 closing"),
]

REFUSED = [
    ("MAIL", "553 no such sender"),
    ("RCPT", "550 no such mailbox"),
    ("DATA", "554 no"),
    ("content", "554 looks like spam"),
]

LOST = [
    ("content", "DROP"),
    ("content", "HANG"),
    ("content", "nonsense"),
    ("content", "354 misplaced"),
    ("content", f"250 {'x' * 9000}"),
]

ACCEPTED = [
    ("EHLO", "502 never heard of it"),
    ("RCPT", "251 will forward"),
    ("content", "250-taken\r\n250 as number 7"),
    ("QUIT", "DROP"),
    ("QUIT", "HANG"),
    ("QUIT", "500 never heard of it"),
    ("QUIT", "421 closing"),
]


LOGIN = {"username": "ada", "password": "secret"}


def mailer_to(server, **options) -> SmtpMailer:
    timeout = 0.5 if "HANG" in getattr(server, "script", {}).values() else 10
    return SmtpMailer("127.0.0.1", server.port, "shop@example.com", timeout=timeout, **options)


@pytest.mark.parametrize(("verb", "reply"), NOT_ACCEPTED)
def test_a_mail_that_was_not_accepted_has_not_left(scripted_server, verb, reply):
    server = scripted_server(**{verb: reply})

    with pytest.raises(ProviderUnavailable):
        mailer_to(server).send("welcome:1", MAIL)

    assert server.verbs[-1] == verb or (verb, server.verbs[-1]) == ("EHLO", "HELO")


@pytest.mark.parametrize(("verb", "reply"), REFUSED)
def test_a_mail_that_was_refused_for_good_is_not_to_be_tried_again(scripted_server, verb, reply):
    server = scripted_server(**{verb: reply})

    with pytest.raises(RuleViolation, match=re.escape(reply)):
        mailer_to(server).send("welcome:1", MAIL)


@pytest.mark.parametrize(("verb", "reply"), LOST)
def test_when_the_answer_to_the_final_dot_is_lost_nobody_knows(scripted_server, verb, reply):
    server = scripted_server(**{verb: reply})

    with pytest.raises(OutcomeUnknown):
        mailer_to(server).send("welcome:1", MAIL)

    assert len(server.contents) == 1


@pytest.mark.parametrize(("verb", "reply"), ACCEPTED)
def test_a_mail_that_was_accepted_has_left_however_the_rest_goes(scripted_server, verb, reply):
    server = scripted_server(**{verb: reply})

    mailer_to(server).send("welcome:1", MAIL)

    assert len(server.contents) == 1


def test_a_server_that_is_not_there_has_not_taken_the_mail():
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]

    with pytest.raises(
        ProviderUnavailable, match=f"mail server 127.0.0.1:{port} did not take mail 'welcome:1': .*refused"
    ):
        SmtpMailer("127.0.0.1", port, "shop@example.com").send("welcome:1", MAIL)


def test_an_error_quotes_the_server(scripted_server):
    server = scripted_server(greeting="421 too busy")

    with pytest.raises(ProviderUnavailable, match=f"^mail server 127.0.0.1:{server.port} .*: 421 too busy$"):
        mailer_to(server).send("welcome:1", MAIL)


def test_the_envelope_names_the_recipient_and_nobody_else(smtp_server):
    server = smtp_server()

    mailer_to(server).send("welcome:1", MAIL)

    assert server.handler.recipients == [MAIL.to]


def test_an_address_beyond_ascii_is_refused_where_the_server_can_not_take_it(scripted_server):
    server = scripted_server()

    with pytest.raises(RuleViolation, match="only ASCII addresses"):
        mailer_to(server).send("welcome:1", Mail("jörg@example.com", "Hello", ""))

    assert server.contents == []


# -- retries


def persistent(mailer: SmtpMailer) -> ResilientMailer:
    return ResilientMailer(mailer, Resilience("mail server", attempts=5, sleep=lambda _: None))


@pytest.mark.parametrize(("verb", "reply"), LOST)
def test_a_mail_that_may_have_left_is_never_sent_again(scripted_server, verb, reply):
    server = scripted_server(**{verb: reply})

    with pytest.raises(OutcomeUnknown):
        persistent(mailer_to(server)).send("welcome:1", MAIL)

    assert len(server.contents) == 1


def test_a_mail_that_was_refused_for_good_is_not_sent_again(scripted_server):
    server = scripted_server(content="554 looks like spam")

    with pytest.raises(RuleViolation):
        persistent(mailer_to(server)).send("welcome:1", MAIL)

    assert len(server.contents) == 1


def test_a_mail_that_has_not_left_for_certain_is_sent_again(scripted_server):
    server = scripted_server(RCPT="451 greylisted")

    with pytest.raises(ProviderUnavailable):
        persistent(mailer_to(server)).send("welcome:1", MAIL)

    assert server.verbs.count("RCPT") == 5


# -- encryption and login


@pytest.fixture
def certificate(tmp_path):
    """Make a certificate for 127.0.0.1 that nobody trusts yet."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    extension = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command = ["openssl", "req", "-x509", *curve, "-keyout", key, "-out", certificate, "-days", "2", *extension]
    subprocess.run(command, check=True, capture_output=True)
    return certificate


@pytest.fixture
def tls_server(smtp_server, certificate):
    """Start a server that insists on encryption."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))

    def start(**options) -> Controller:
        return smtp_server(tls_context=context, require_starttls=True, **options)

    return start


@pytest.fixture
def login_server(tls_server):
    """Start one that insists on Ada's password, too."""

    def authenticate(server, session, envelope, mechanism, login) -> AuthResult:
        return AuthResult(success=(login.login, login.password) == (b"ada", b"secret"), handled=False)

    return tls_server(auth_required=True, authenticator=authenticate)


needs_openssl = pytest.mark.requires(shutil.which("openssl"), install="OpenSSL")


@needs_openssl
@pytest.mark.parametrize("to", ["ada@example.com", "jörg@example.com"])
def test_a_mail_travels_encrypted(tls_server, certificate, monkeypatch, to):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    server = tls_server()

    mailer_to(server, starttls=True).send("welcome:1", Mail(to, "Hello", ""))

    assert server.handler.recipients == [to]


@needs_openssl
def test_a_mail_travels_after_a_login(login_server, certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    mailer_to(login_server, starttls=True, **LOGIN).send("welcome:1", MAIL)

    assert len(login_server.handler.mails) == 1


@needs_openssl
def test_a_wrong_password_is_not_the_mails_fault(login_server, certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    with pytest.raises(ProviderUnavailable, match="535"):
        mailer_to(login_server, starttls=True, **{**LOGIN, "password": "wrong"}).send("welcome:1", MAIL)

    assert login_server.handler.mails == []


@needs_openssl
def test_a_server_with_an_unknown_certificate_gets_no_mail(tls_server):
    server = tls_server()

    with pytest.raises(ProviderUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
        mailer_to(server, starttls=True).send("welcome:1", MAIL)

    assert server.handler.mails == []


def test_a_server_without_encryption_gets_no_mail_that_asks_for_it(scripted_server):
    server = scripted_server()

    with pytest.raises(ProviderUnavailable, match="STARTTLS"):
        mailer_to(server, starttls=True).send("welcome:1", MAIL)

    assert server.verbs == ["greeting", "EHLO"]


@pytest.mark.parametrize("options", [{"username": "ada"}, {"password": "secret"}, LOGIN])
def test_half_a_login_or_one_in_clear_stops_the_start(options):
    with pytest.raises(ConfigurationError, match="set"):
        SmtpMailer("localhost", 25, "shop@example.com", **options)
