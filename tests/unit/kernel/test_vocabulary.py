import msgspec
import pytest
from msgspec import Raw

from shared.kernel.errors import ConfigurationError, PayloadMismatch, UnknownType, UnknownVersion
from shared.kernel.message import Payload, Upcast, command, event
from shared.kernel.vocabulary import Vocabulary
from tests.support.kernel_fakes import Add, Added


@event("shop.named.v1")
class NamedV1(Payload, frozen=True):
    """One text for the whole name."""

    name: str


def split_name(old: NamedV1) -> "NamedV2":
    first, _, last = old.name.partition(" ")
    return NamedV2(first, last)


@event("shop.named.v2", upcast=Upcast(NamedV1, split_name))
class NamedV2(Payload, frozen=True):
    """Two texts."""

    first: str
    last: str


@event("shop.named.v3", upcast=Upcast(NamedV2, lambda old: NamedV3(old.first, old.last, "en")))
class NamedV3(Payload, frozen=True):
    """And a language."""

    first: str
    last: str
    language: str


@event("shop.named.v3")
class NamedApart(Payload, frozen=True):
    """Another class under the same name, which knows no older version."""

    first: str


class Unmarked(Payload, frozen=True):
    """Not yet a message."""


def test_a_payload_is_read_into_its_class():
    vocabulary = Vocabulary([Add, Added])

    read = vocabulary.read("tally.add.v1", Raw(b'{"amount":3}'))

    assert read == Add(3)


@pytest.mark.parametrize(
    ("version", "data"),
    [
        (1, b'{"name":"Grace Hopper"}'),
        (2, b'{"first":"Grace","last":"Hopper"}'),
        (3, b'{"first":"Grace","last":"Hopper","language":"en"}'),
    ],
)
def test_every_version_is_read_into_the_newest_one_step_after_the_other(version, data):
    vocabulary = Vocabulary([NamedV3])

    read = vocabulary.read(f"shop.named.v{version}", Raw(data))

    assert read == NamedV3("Grace", "Hopper", "en")


@pytest.mark.parametrize("version", [1, 2, 3])
def test_the_class_of_any_version_is_the_newest(version):
    vocabulary = Vocabulary([NamedV3])

    assert vocabulary.payload_class(f"shop.named.v{version}") is NamedV3


def test_the_same_class_twice_is_no_duplicate():
    vocabulary = Vocabulary([Add, Added, Add])

    assert vocabulary.newest == {"tally.add": Add, "tally.added": Added}


def ask_read(vocabulary: Vocabulary, type_: str) -> None:
    vocabulary.read(type_, Raw(b"{}"))


def ask_class(vocabulary: Vocabulary, type_: str) -> None:
    vocabulary.payload_class(type_)


both = pytest.mark.parametrize("ask", [ask_read, ask_class])


@both
def test_a_version_newer_than_known_is_worth_waiting_for(ask):
    with pytest.raises(UnknownVersion, match=r"'shop\.named\.v4' is newer than this code, which knows v3"):
        ask(Vocabulary([NamedV3]), "shop.named.v4")


@both
def test_a_version_that_no_upcast_leads_from_is_unknown_for_good(ask):
    with pytest.raises(UnknownType, match=r"'shop\.named\.v2' is older than this code can read"):
        ask(Vocabulary([NamedApart]), "shop.named.v2")


@both
def test_a_name_that_nobody_knows_is_unknown_for_good(ask):
    with pytest.raises(UnknownType, match=r"'shop\.renamed\.v1' is not a known message type"):
        ask(Vocabulary([NamedV3]), "shop.renamed.v1")


@both
@pytest.mark.parametrize("type_", ["", "named", "shop.named", "shop.named.v0", "\x00"])
def test_a_text_that_is_no_type_is_unknown_for_good(ask, type_):
    with pytest.raises(UnknownType, match="is not a message type"):
        ask(Vocabulary([NamedV3]), type_)


@pytest.mark.parametrize(
    "data",
    [
        b"{}",
        b"null",
        b"[]",
        b'{"amount":"3"}',
        b'{"amount":3.5}',
        b'{"amount":null}',
        b'{"amount":3,"note":"\xff"}',
        b'{"amount":3,"x":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    ],
    ids=lambda data: repr(data[:25]),
)
def test_a_payload_that_does_not_fit_is_a_mismatch_that_names_the_type(data):
    with pytest.raises(PayloadMismatch, match=r"^the payload does not fit tally\.add\.v1: "):
        Vocabulary([Add]).read("tally.add.v1", Raw(data))


def test_an_old_payload_that_does_not_fit_its_own_version_is_a_mismatch():
    with pytest.raises(PayloadMismatch, match=r"fit shop\.named\.v1: .*`name`"):
        Vocabulary([NamedV3]).read("shop.named.v1", Raw(b'{"first":"Grace","last":"Hopper"}'))


def test_a_bug_in_an_upcast_is_no_mismatch():
    def broken(_: NamedV1) -> NamedV2:
        raise ZeroDivisionError

    @event("shop.named.v2", upcast=Upcast(NamedV1, broken))
    class Broken(Payload, frozen=True):
        pass

    with pytest.raises(ZeroDivisionError):
        Vocabulary([Broken]).read("shop.named.v1", Raw(b'{"name":"Grace"}'))


def test_two_classes_under_one_name_are_refused():
    with pytest.raises(ConfigurationError, match=r"NamedApart and NamedV3 are both called shop\.named"):
        Vocabulary([NamedV3, NamedApart])


def test_two_versions_listed_as_if_both_were_newest_are_refused():
    with pytest.raises(ConfigurationError, match=r"NamedV2 and NamedV3 are both called shop\.named"):
        Vocabulary([NamedV3, NamedV2])


def test_a_class_without_a_type_is_refused():
    with pytest.raises(ConfigurationError, match="Unmarked has no message type; mark it with @event or @command"):
        Vocabulary([Unmarked])


def test_an_upcast_from_another_message_is_refused():
    @command("shop.rename.v2", upcast=Upcast(NamedV1, split_name))
    class Rename(Payload, frozen=True):
        pass

    with pytest.raises(ConfigurationError, match=r"shop\.named"):
        Vocabulary([Rename])


def test_an_upcast_that_does_not_lead_to_a_newer_version_is_refused():
    @event("shop.named.v1", upcast=Upcast(NamedV1, split_name))
    class Again(Payload, frozen=True):
        pass

    with pytest.raises(ConfigurationError, match=r"shop\.named"):
        Vocabulary([Again])


def test_what_was_read_encodes_to_the_newest_payload():
    read = Vocabulary([NamedV3]).read("shop.named.v1", Raw(b'{"name":"Grace Hopper"}'))

    assert msgspec.json.decode(msgspec.json.encode(read), type=NamedV3) == read
