"""One batch with everything that can be wrong with a message; each settles on its own, and each can be mended."""

import json
from typing import Any

import pytest
from msgspec import structs

from shared.kernel.catalog import Catalog
from shared.kernel.codec import encode
from shared.kernel.errors import CircuitOpen, ProviderUnavailable
from shared.kernel.message import Payload, command
from shared.messages.payments import CapturePayment, PaymentDeclined, RefundPayment
from shared.messages.values import Money
from tests.local.driver import trefoil
from tests.support.cloud_shop import LIMITS, Shop, impatient, outside
from tests.support.kernel_fakes import envelope
from tests.support.simulation_workload import Schedule

TRIES = 3
PAID = Money(2_933, "USD")
DATE = "2026-11-20"


@command("payments.void-payment.v1")
class VoidPayment(Payload, frozen=True):
    """A type that payments learns with its next release."""


def void_payment(payment: Any, message: Any, gateway: Any) -> list[PaymentDeclined]:
    return [PaymentDeclined("voided")]


class Down:
    """A gateway that is down for some orders."""

    def __init__(self, gateway: Any, *orders: str) -> None:
        self._gateway = gateway
        self.orders = set(orders)
        self.troubles: list[Exception] = []
        """What it raises next, in turn."""

    def capture(self, key: str, order: str, money: Money) -> Any:
        if order in self.orders:
            raise ProviderUnavailable(f"the gateway is down for {order}")
        if self.troubles:
            raise self.troubles.pop(0)
        return self._gateway.capture(key, order, money)

    def refund(self, key: str, order: str, money: Money) -> Any:
        return self._gateway.refund(key, order, money)


def capture(order: str, **changes: Any) -> dict[str, Any]:
    """A command as JSON, perhaps a wrong one."""
    made = envelope(CapturePayment(PAID, DATE), subject=order, id=f"id-{order}", source="/test")
    return json.loads(encode(made)) | changes


def refund(order: str) -> dict[str, Any]:
    made = envelope(RefundPayment("changed my mind"), subject=order, id=f"refund-{order}", source="/test")
    return json.loads(encode(made))


MALFORMED = b'{"specversion": "1.0", "id": "x"'
GOOD = [capture("g1"), capture("g2")]
UNKNOWN_TYPE = capture("u1", type="payments.void-payment.v1", data={})
MISMATCH = capture("p1", data={"money": {"amount": "a lot", "currency": "USD"}, "date": DATE})
VIOLATION = refund("r1")
BROKEN = capture("p2", id="broken-p2", data={})
TOO_NEW = capture("v1", type="payments.capture-payment.v2")
DOWN = [capture("d1"), capture("d2")]
PERMANENT = {"MalformedMessage": MALFORMED, "UnknownType": UNKNOWN_TYPE, "PayloadMismatch": MISMATCH,
             "RuleViolation": VIOLATION}  # fmt: skip
TRANSIENT = [TOO_NEW, *DOWN]


class Payments:
    """The payments service and its channels, and what an operator does with them."""

    def __init__(self, cloud, place) -> None:
        everything = impatient(structs.replace(LIMITS, tries=TRIES))
        self.cloud = cloud.name
        self.shop = Shop(cloud, place, Schedule(), Catalog([everything.service("payments")]))
        self.gateway = Down(outside(place)["payments"], "d1", "d2")
        self.deploy(self.shop.catalog)

    def deploy(self, catalog: Catalog) -> None:
        """Run this code from now on."""
        self.pump = self.shop.pump(self.shop.deployment(catalog, payments=self.gateway), ["payments"])

    def put(self, *messages: Any) -> None:
        bodies = [message if isinstance(message, bytes) else json.dumps(message).encode() for message in messages]
        self.shop.calm.put("payments", *bodies)

    def work(self) -> None:
        self.pump.drain(self.shop.chance)
        assert self.pump.errors == []

    def letters(self) -> list[dict[str, Any]]:
        """As `trefoil dead list` shows them."""
        return trefoil("dead", "list", "--service", "payments", "--cloud", self.cloud, "--json").json

    def letter(self, subject: str) -> dict[str, Any] | None:
        """The one about a subject."""
        return next((letter for letter in self.letters() if letter["subject"] == subject), None)

    def replay(self, subject: str) -> None:
        """Twice, as a person does who is not sure; then let it be handled."""
        reason = self.letter(subject)["reason"]
        for _ in range(2):
            done = trefoil("dead", "replay", "--reason", reason, "--service", "payments", "--cloud", self.cloud)
            assert done.code == 0, done.err
        self.work()

    def told(self, order: str) -> list[str]:
        """What payments emitted about an order, oldest first."""
        commits = list(self.shop.store.read(f"payments/{order}"))[::-1]
        bodies = [json.loads(bytes(message.body)) for commit in commits for message in commit.messages]
        return [body["type"].split(".")[1] for body in bodies]


@pytest.fixture(scope="module")
def poisoned(cloud, tmp_path_factory):
    """One batch was handled, once, and then what it left; each test goes on with a message of its own."""
    place = tmp_path_factory.mktemp("poisoned")
    with cloud.command_line(place):
        payments = Payments(cloud, place)
        payments.put(*PERMANENT.values(), *TRANSIENT, *GOOD)
        payments.pump.once("payments")
        payments.at_first = payments.letters(), payments.shop.letters(), payments.pump.waiting("payments")
        payments.good = payments.told("g1"), payments.told("g2")
        payments.put(BROKEN)
        payments.work()
        yield payments


def test_each_message_of_a_poisoned_batch_settles_on_its_own(poisoned):
    listed, _, waiting = poisoned.at_first

    letters = {letter["reason"]: letter for letter in listed}
    assert letters.keys() == PERMANENT.keys()
    assert {letter["attempts"] for letter in listed} == {1}
    assert all(letter["text"] and letter["error"] == reason for reason, letter in letters.items())
    assert poisoned.good == (["payment-captured"], ["payment-captured"])
    assert waiting == len(TRANSIENT)


def test_dead_letters_are_the_untouched_originals(poisoned):
    _, letters, _ = poisoned.at_first

    sent = {why: m if isinstance(m, bytes) else json.dumps(m).encode() for why, m in PERMANENT.items()}
    assert {letter.failure.reason: letter.body for letter in letters} == sent


def test_transient_failures_use_all_their_tries_before_they_are_given_up(poisoned):
    letter = poisoned.letter("v1")

    assert (letter["reason"], letter["error"], letter["attempts"]) == ("TriesExhausted", "UnknownVersion", TRIES)


def test_a_letter_that_was_moved_back_as_it_is_has_all_its_tries_again(poisoned):
    poisoned.shop.calm.move_back("payments", "d2")
    assert poisoned.letter("d2") is None

    poisoned.work()

    letter = poisoned.letter("d2")
    assert (letter["reason"], letter["error"], letter["attempts"]) == ("TriesExhausted", "ProviderUnavailable", TRIES)


def test_a_replay_after_a_provider_came_back_applies_once(poisoned):
    assert poisoned.told("d1") == []
    poisoned.gateway.orders.remove("d1")

    poisoned.replay("d1")

    assert poisoned.told("d1") == ["payment-captured"]
    assert poisoned.letter("d1") is None


def test_a_replay_after_the_domain_allows_it_applies_once(poisoned):
    poisoned.put(capture("r1"))
    poisoned.work()

    poisoned.replay("r1")

    assert poisoned.told("r1") == ["payment-captured", "payment-refunded"]
    assert poisoned.letter("r1") is None


def test_a_replay_after_a_handler_was_added_applies_once(poisoned):
    before = poisoned.shop.catalog
    service = before.service("payments")
    poisoned.deploy(Catalog([structs.replace(service, handles={**service.handles, VoidPayment: void_payment})]))

    poisoned.replay("u1")

    poisoned.deploy(before)
    assert poisoned.told("u1") == ["payment-declined"]
    assert poisoned.letter("u1") is None


def test_a_replay_without_a_fix_is_a_dead_letter_again_after_one_attempt(poisoned):
    poisoned.replay("p1")

    letter = poisoned.letter("p1")
    assert (letter["reason"], letter["attempts"]) == ("PayloadMismatch", 1)


def test_a_mended_body_applies_and_its_broken_twin_can_be_dropped(poisoned):
    poisoned.put(capture("p2"))
    poisoned.work()

    dropped = trefoil("dead", "drop", poisoned.letter("p2")["id"], "--cloud", poisoned.cloud)

    assert dropped.code == 0, dropped.err
    assert poisoned.told("p2") == ["payment-captured"]
    assert poisoned.letter("p2") is None


def test_deferrals_use_no_try_and_forget_none(poisoned):
    down, closed = ProviderUnavailable("down"), CircuitOpen("open", after=0.0)
    poisoned.gateway.troubles = [down, closed, closed, down, down]
    poisoned.put(capture("c1"))

    poisoned.work()

    letter = poisoned.letter("c1")
    assert (letter["reason"], letter["attempts"]) == ("TriesExhausted", TRIES)
    assert poisoned.told("c1") == poisoned.gateway.troubles == []
