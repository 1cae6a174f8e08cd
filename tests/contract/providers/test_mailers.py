"""What every Mailer keeps to, whatever it sends through."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import partial
from pathlib import Path

import pytest
from msgspec import Struct

from infra.providers.folder import FolderMailer
from infra.providers.resilience import Resilience, ResilientMailer
from infra.providers.smtp import SmtpMailer
from shared.kernel.errors import ConfigurationError, RuleViolation
from shared.notifications.model import Mail, Mailer

SENDER = "shop@example.com"
MAIL = Mail("ada@example.com", "Your order 7", "Thank you!")


class Post(Struct, frozen=True):
    """A mailer, and where its mails arrive."""

    mailer: Mailer
    arrived: Callable[[], list[bytes]]


@pytest.fixture
def folder_post(tmp_path) -> Post:
    return Post(FolderMailer(tmp_path, SENDER), lambda: [path.read_bytes() for path in tmp_path.glob("*.eml")])


@pytest.fixture
def smtp_post(smtp_server) -> Post:
    server = smtp_server()

    return Post(SmtpMailer(server.hostname, server.port, SENDER), lambda: server.handler.mails)


@pytest.fixture(params=["folder", "smtp", "resilient folder", "resilient smtp"])
def post(request) -> Post:
    *resilient, name = request.param.split()
    plain = request.getfixturevalue(f"{name}_post")
    if not resilient:
        return plain
    return Post(ResilientMailer(plain.mailer, Resilience("mailer")), plain.arrived)


def read(source: bytes) -> EmailMessage:
    """Parse as mail programs do; the policy is for addresses beyond ASCII."""
    return message_from_bytes(source, policy=policy.SMTPUTF8)


def text_of(mail: EmailMessage) -> str:
    return mail.get_content().replace("\r\n", "\n")


@pytest.mark.parametrize("subject", ["Your order 7", "Grüße — 21.5 °C 🌡", "long " * 30, "länger " * 30, "", "=?x?="])
@pytest.mark.parametrize("to", ["ada@example.com", "ada.o'neil+shop@mail.example.com", "jörg@bücher.example"])
def test_a_mail_arrives_as_it_was_written(post, to, subject):
    post.mailer.send("welcome:1", Mail(to, subject, "Hello!"))

    (mail,) = map(read, post.arrived())
    assert (mail["From"], mail["To"], mail["Subject"]) == (SENDER, to, subject)
    assert text_of(mail) == "Hello!\n"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "one\ntwo",
        "one\r\ntwo\rthree",
        ".\n..\n.dots",
        "From here",
        "è" * 5000,
        "wide " * 500,
        "tab\t and nul\0",
        "= ",
    ],
)
def test_a_text_arrives_whatever_is_in_it(post, text):
    post.mailer.send("welcome:1", Mail("ada@example.com", "Hello", text))

    (mail,) = map(read, post.arrived())
    assert text_of(mail).removesuffix("\n") == text.replace("\r\n", "\n").replace("\r", "\n")


def test_a_message_is_well_formed_and_seven_bit(post):
    post.mailer.send("welcome:1", Mail("ada@example.com", "Grüße " * 30, "21.5 °C " * 300))

    (source,) = post.arrived()
    mail = read(source)
    assert mail.defects == []
    assert not any(header.defects for header in mail.values())
    assert mail["Date"].datetime is not None
    assert source.isascii()
    assert max(map(len, source.splitlines())) <= 78
    assert source.count(b"\n") == source.count(b"\r") == source.count(b"\r\n")


@pytest.mark.parametrize("text", ["nul\0", "wide" * 500])
def test_no_line_and_no_character_is_beyond_what_servers_take(post, text):
    post.mailer.send("welcome:1", Mail("ada@example.com", "long" * 500, text))

    (source,) = post.arrived()
    assert max(map(len, source.splitlines())) <= 998
    assert b"\0" not in source


def test_a_mail_names_its_key(post):
    post.mailer.send("order-placed:orders/7:1:0", MAIL)

    (mail,) = map(read, post.arrived())
    assert mail["X-Trefoil-Key"] == "order-placed:orders/7:1:0"
    assert mail["Message-ID"] == "<order-placed%3Aorders%2F7%3A1%3A0@example.com>"


@pytest.mark.parametrize("key", ["a\r\nBcc: eve@example.com", "ключ", "k" * 150, "я" * 150])
def test_no_key_breaks_a_header(post, key):
    post.mailer.send(key, MAIL)

    (mail,) = map(read, post.arrived())
    assert mail.defects == []
    assert mail["Bcc"] is None
    assert mail["To"] == MAIL.to


def test_a_mail_that_is_sent_twice_arrives_twice(post):
    post.mailer.send("welcome:1", MAIL)
    post.mailer.send("welcome:1", MAIL)

    assert len(post.arrived()) == 2


def test_mails_sent_at_once_all_arrive(post):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: post.mailer.send(f"welcome:{n % 10}", MAIL), range(40)))

    assert len(post.arrived()) == 40


@pytest.mark.parametrize("line_break", ["\n", "\r", "\r\n", "\0"])
def test_a_line_break_in_a_header_is_refused(post, line_break):
    smuggled = f"{line_break}Bcc: eve@example.com"

    with pytest.raises(RuleViolation, match="subject"):
        post.mailer.send("welcome:1", Mail("ada@example.com", f"Hello{smuggled}", ""))
    with pytest.raises(RuleViolation, match="recipient"):
        post.mailer.send("welcome:1", Mail(f"ada@example.com{smuggled}", "Hello", ""))

    assert post.arrived() == []


@pytest.mark.parametrize(
    "to", ["", "ada", "a@b@c", "ada,eve@example.com", "ada(eve)@example.com", "<ada@example.com>", f"{'a' * 251}@b.c"]
)
def test_an_address_that_is_not_one_plain_mailbox_is_refused(post, to):
    with pytest.raises(RuleViolation, match="not one plain mailbox"):
        post.mailer.send("welcome:1", Mail(to, "Hello", ""))

    assert post.arrived() == []


@pytest.mark.parametrize(
    "make", [partial(FolderMailer, Path("mails")), partial(SmtpMailer, "localhost", 25)], ids=["folder", "smtp"]
)
@pytest.mark.parametrize("sender", ["", "Shop <shop@example.com>", "jörg@example.com", "shop@example.com\nX: y"])
def test_a_wrong_sender_stops_the_start(make, sender):
    with pytest.raises(ConfigurationError, match="set it to one such as"):
        make(sender)
